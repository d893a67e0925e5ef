//! Attempts to guess something.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: Vec<u8>,
    /// When the last attempt was.
    pub window_at: i64,
    pub count: i64,
    pub consecutive: i64,
    /// Of guesses: none before. Of a rate: when it will have been empty again.
    pub not_before: i64,
    /// Of guesses in a browser that is known: the bucket of the account, by which they are forgiven.
    pub account: Option<Vec<u8>>,
    /// From when on it need not be remembered. `None`: written by a binary that did not say.
    pub forget_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
