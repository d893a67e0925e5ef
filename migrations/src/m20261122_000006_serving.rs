//! Since when some replica is ready: a key that nobody has served was not published, whatever the clock says.
//!
//! And no index of its own for a refresh token's child: it is born as a row whose key is the child, and that is unique. A third
//! of the pages that a refresh writes was that index. The binary before works beside both.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, blob_null, small_integer, string_len},
    sea_orm::DbBackend,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(serving()).await?;
        let db = manager.get_connection();
        if manager.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared(POSTGRES).await?;
            return Ok(());
        }
        manager.create_table(refresh_token()).await?;
        for statement in SQLITE_REBUILD {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn serving() -> TableCreateStatement {
    Table::create()
        .table("serving")
        .col(small_integer("id").primary_key().check(Expr::cust("id = 1")))
        .col(big_integer("since"))
        .col(big_integer("seen"))
        .take()
}

const POSTGRES: &str = "ALTER TABLE refresh_token DROP CONSTRAINT refresh_token_child_key";

fn refresh_token() -> TableCreateStatement {
    let foreign = ForeignKey::create().from("refresh_token_next", "family").to("refresh_family", "id").take();
    let child = Expr::cust("child IS NULL OR (length(child) = 32 AND used_at IS NOT NULL)");
    Table::create()
        .table("refresh_token_next")
        .col(blob("hash").primary_key().check(Expr::cust("length(hash) = 32")))
        .col(string_len("family", 64))
        .col(big_integer("created_at"))
        .col(big_integer("idle_until"))
        .col(big_integer_null("used_at"))
        .col(blob_null("child").check(child))
        .col(blob_null("nonce"))
        .col(small_integer("retries").default(0))
        .foreign_key(&mut foreign.clone())
        .take()
}

/// SQLite drops no constraint of a table.
const SQLITE_REBUILD: [&str; 5] = [
    "INSERT INTO refresh_token_next (hash, family, created_at, idle_until, used_at, child, nonce, retries)
     SELECT hash, family, created_at, idle_until, used_at, child, nonce, retries FROM refresh_token",
    "DROP TABLE refresh_token",
    "ALTER TABLE refresh_token_next RENAME TO refresh_token",
    "CREATE INDEX refresh_token_family ON refresh_token (family)",
    "CREATE INDEX refresh_token_idle ON refresh_token (idle_until)",
];
