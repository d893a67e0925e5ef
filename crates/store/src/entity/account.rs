//! People.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub username: String,
    pub username_key: String,
    pub password_hash: Option<String>,
    pub password_changed_at: Option<i64>,
    pub disabled: bool,
    pub not_before: i64,
    pub claims: String,
    pub roles: String,
    pub groups: String,
    pub created_at: i64,
    pub last_login_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
