//! What is forgotten, ended or forgiven is found by an index, however much there is.
//!
//! It only adds, and takes from one check what it need not refuse: the binary before works beside it, and finds its
//! columns as they were.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, blob_null, string_len},
    sea_orm::DbBackend,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [big_integer_null("forget_at").take(), account()] {
            manager.alter_table(Table::alter().table("attempt").add_column(column).take()).await?;
        }
        let db = manager.get_connection();
        db.execute_unprepared(FORGET_AT).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared(POSTGRES_CHECK).await?;
        } else {
            manager.create_table(revocation()).await?;
            for statement in SQLITE_REBUILD {
                db.execute_unprepared(statement).await?;
            }
        }
        for index in INDEXES {
            db.execute_unprepared(&format!("CREATE INDEX {index}")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The bucket of the account at which a browser's own bucket counts guesses: who forgives the account finds both.
fn account() -> ColumnDef {
    blob_null("account").check(Expr::cust("account IS NULL OR length(account) = 32")).take()
}

/// What was counted so far: a day for each guess in a row, and at most 30. What was guessed at to the end stays for ever.
const FORGET_AT: &str = "
    UPDATE attempt SET forget_at = CASE
        WHEN consecutive >= 100 THEN 9223372036854775807
        WHEN consecutive > 30 THEN window_at + 2592000
        WHEN consecutive < 1 THEN window_at + 86400
        ELSE window_at + 86400 * consecutive END";

/// A session's revocation may name its subject, as a token's does.
fn revocation() -> TableCreateStatement {
    let sub = "sub IS NULL OR (kind IN ('jti', 'sid') AND length(sub) = 16)";
    Table::create()
        .table("revocation_next")
        .col(string_len("kind", 8).check(Expr::cust("kind IN ('jti', 'sid', 'sub', 'client', 'all')")))
        .col(blob("mark").check(Expr::cust("length(mark) = CASE kind WHEN 'all' THEN 0 ELSE 16 END")))
        .col(blob_null("sub").check(Expr::cust(sub)))
        .col(big_integer("not_before"))
        .col(big_integer("until"))
        .primary_key(Index::create().col("kind").col("mark"))
        .take()
}

/// SQLite changes no check of a table.
const SQLITE_REBUILD: [&str; 3] = [
    "INSERT INTO revocation_next (kind, mark, sub, not_before, until)
     SELECT kind, mark, sub, not_before, until FROM revocation",
    "DROP TABLE revocation",
    "ALTER TABLE revocation_next RENAME TO revocation",
];

/// The check has no name that we gave it.
const POSTGRES_CHECK: &str = "
    DO $$
    DECLARE found name;
    BEGIN
        FOR found IN SELECT conname FROM pg_constraint
            WHERE conrelid = 'revocation'::regclass AND contype = 'c'
            AND pg_get_constraintdef(oid) LIKE '%sub IS NULL%'
        LOOP
            EXECUTE format('ALTER TABLE revocation DROP CONSTRAINT %I', found);
        END LOOP;
        ALTER TABLE revocation ADD CONSTRAINT revocation_sub_check
            CHECK (sub IS NULL OR (kind IN ('jti', 'sid') AND length(sub) = 16));
    END $$";

const INDEXES: [&str; 10] = [
    "refresh_token_idle ON refresh_token (idle_until)",
    "refresh_family_ended ON refresh_family (ended_at) WHERE ended_at IS NOT NULL",
    "session_seen ON session (seen_at)",
    "session_ended ON session (ended_at) WHERE ended_at IS NOT NULL",
    "authorization_code_sid ON authorization_code (sid) WHERE used_at IS NULL",
    "authorization_code_account ON authorization_code (account) WHERE used_at IS NULL",
    "revocation_until ON revocation (until)",
    "one_time_link_expires ON one_time_link (expires_at)",
    "attempt_forget ON attempt (forget_at)",
    "attempt_account ON attempt (account) WHERE account IS NOT NULL",
];
