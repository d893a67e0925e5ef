//! Keys that sign, will sign or have signed, and the tombstones of those that are gone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    pub alg: String,
    pub purpose: String,
    pub state: String,
    pub since: i64,
    pub until: Option<i64>,
    pub created_at: i64,
    pub public_jwk: String,
    pub sealed: Option<Vec<u8>>,
    pub kek_id: String,
    pub state_seal: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
