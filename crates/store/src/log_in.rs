//! What a log-in leaves behind.

use claviger_oauth::UserId;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    Act, Bucket, PasswordHash, Store, StoreError, attempt_table, audit_log,
    entity::account::{Column, Entity},
    store::read_clock,
};

/// A password that was right.
#[derive(Debug, Clone, Copy)]
pub struct LogIn<'l> {
    /// Whose it is.
    pub user: &'l UserId,
    /// The hash that it was verified with.
    pub verified: &'l PasswordHash,
    /// A hash of the same password by today's rules, if the other is not.
    pub upgraded: Option<&'l PasswordHash>,
    /// Where the attempt was counted.
    pub buckets: &'l [Bucket],
}

impl Store {
    /// Notes a log-in, forgets the wrong guesses before it, and keeps a better hash. It answers false, and notes nothing, if
    /// meanwhile the person was disabled or given another password: while one was verified, time has passed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note_log_in(&self, log_in: LogIn<'_>, acts: &[Act]) -> Result<bool, StoreError> {
        let LogIn { user, verified, upgraded, buckets } = log_in;
        let transaction = self.begin_write().await?;
        // Before the row is locked: all take the log's turn first, and nobody waits in a circle.
        audit_log::append(&transaction, acts).await?;
        let now = read_clock(&transaction).await?;
        let mut update = Entity::update_many().col_expr(Column::LastLoginAt, Expr::val(now));
        if let Some(upgraded) = upgraded {
            update = update.col_expr(Column::PasswordHash, Expr::val(upgraded.expose()));
        }
        let update = update
            .filter(Column::Id.eq(user.as_str()))
            .filter(Column::Disabled.eq(false))
            .filter(Expr::col(Column::PasswordHash).eq(verified.expose()));
        if update.exec(&transaction).await?.rows_affected != 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        attempt_table::clear(&transaction, buckets).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
