//! People who have signed in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    pub sid: String,
    pub account: String,
    pub auth_time: i64,
    pub amr: String,
    pub acr: Option<String>,
    pub created_at: i64,
    pub seen_at: i64,
    pub expires_at: i64,
    pub user_agent: String,
    pub address: String,
    pub ended_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
