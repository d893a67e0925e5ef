//! Since when some replica is ready: a key that nobody has served was not published, whatever the clock says.
//!
//! It only adds: the binary before works beside it.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, small_integer},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(serving()).await
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
