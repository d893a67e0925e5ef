//! People: their accounts, their sessions, and what they allowed clients to do for them.
//!
//! It only adds: the binary before works beside it, and finds its columns as they were.

mod accounts;
mod grants;
mod sessions;

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, blob, string_len, text, text_null},
};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261121_000004_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [("client", "application"), ("resource_server", "claims")] {
            let column = text_null(column).take();
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        let tables = [accounts::tables(), sessions::tables(), grants::tables()].into_iter().flatten();
        for table in tables.chain([server_secret()]) {
            manager.create_table(table).await?;
        }
        let indexes = [accounts::indexes(), sessions::indexes(), grants::indexes()].into_iter().flatten();
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Random secrets of the issuer's own, sealed like signing keys.
fn server_secret() -> TableCreateStatement {
    Table::create()
        .table("server_secret")
        .col(string_len("name", 64).primary_key())
        .col(text("kek_id"))
        .col(blob("sealed"))
        .col(big_integer("created_at"))
        .take()
}

/// A SHA-256 hash: of a secret that is not kept, or of a name that need not be.
fn hash(name: &'static str) -> ColumnDef {
    let length = Expr::cust(format!("length({name}) = 32"));
    blob(name).check(length).take()
}
