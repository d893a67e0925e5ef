//! The fleet: teams, their resource servers and clients, and what each client may have.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, blob, boolean, string_len, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [team(), resource_server(), client(), client_secret(), client_grant()] {
            manager.create_table(table).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn team() -> TableCreateStatement {
    Table::create().table("team").col(string_len("name", 64).primary_key()).take()
}

fn resource_server() -> TableCreateStatement {
    Table::create()
        .table("resource_server")
        .col(string_len("audience", 256).primary_key())
        .col(string_len("team", 64))
        .col(string_len("alg", 16))
        .col(big_integer("token_lifetime").check(Expr::cust("token_lifetime > 0")))
        .col(text("scopes"))
        .foreign_key(ForeignKey::create().from("resource_server", "team").to("team", "name"))
        .take()
}

fn client() -> TableCreateStatement {
    Table::create()
        .table("client")
        .col(string_len("client_id", 64).primary_key())
        .col(string_len("team", 64))
        .col(string_len("auth_method", 64))
        .col(boolean("disabled"))
        .foreign_key(ForeignKey::create().from("client", "team").to("team", "name"))
        .take()
}

/// Hashes only: a reader of the database learns no secret. Several rows of one client are a change-over.
fn client_secret() -> TableCreateStatement {
    Table::create()
        .table("client_secret")
        .col(string_len("client_id", 64))
        .col(blob("hash").check(Expr::cust("length(hash) = 32")))
        .col(big_integer("created_at"))
        .col(big_integer_null("expires_at"))
        .primary_key(Index::create().col("client_id").col("hash"))
        .foreign_key(&mut of_client("client_secret"))
        .take()
}

fn client_grant() -> TableCreateStatement {
    Table::create()
        .table("client_grant")
        .col(string_len("client_id", 64))
        .col(string_len("audience", 256))
        .col(text("scopes"))
        .primary_key(Index::create().col("client_id").col("audience"))
        .foreign_key(&mut of_client("client_grant"))
        .foreign_key(
            ForeignKey::create()
                .from("client_grant", "audience")
                .to("resource_server", "audience")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn of_client(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "client_id")
        .to("client", "client_id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}
