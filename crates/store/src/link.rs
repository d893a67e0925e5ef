//! Links that can be used once.

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_oauth::{LinkSecret, UserId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set, sea_query::Expr};

use crate::{
    Act, NewUser, Store, StoreError,
    attempt::secs,
    audit_log,
    entity::one_time_link::{ActiveModel, Column, Entity, Model},
    store::{date, read_clock, take_turn},
    timed::Transaction,
    user_table,
};

pub(crate) const FORGET: &str = "
    DELETE FROM one_time_link WHERE hash IN (
    SELECT hash FROM one_time_link WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// What a link is good for. One of another purpose is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Making the first administrator.
    FirstAdministrator,
}

/// A link that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose it is, if it is somebody's.
    pub account: Option<UserId>,
    /// Until when.
    pub expires_at: NumericDate,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOutcome {
    /// It was used, for the first and last time.
    Used,
    /// It is not known, was used before, has expired, is for something else, or comes too late. Nothing was done.
    Invalid,
}

impl LinkPurpose {
    /// The role of whoever uses it, which nobody may have before.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::FirstAdministrator => "administrator",
        }
    }

    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstAdministrator => "first-administrator",
        }
    }
}

impl Store {
    /// Keeps the hash of a new link and answers until when it can be used. Older ones of the same purpose and account are void
    /// from now on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn add_link(
        &self,
        secret: &LinkSecret,
        purpose: LinkPurpose,
        account: Option<&UserId>,
        lifetime: Duration,
        acts: &[Act],
    ) -> Result<NumericDate, StoreError> {
        let transaction = self.begin_write().await?;
        // One after the other: of two at once the second voids the link of the first.
        take_turn(&transaction).await?;
        let now = read_clock(&transaction).await?;
        let mut older = Entity::delete_many().filter(Column::Purpose.eq(purpose.as_str()));
        older = match account {
            Some(account) => older.filter(Column::Account.eq(account.as_str())),
            None => older.filter(Column::Account.is_null()),
        };
        older.exec(&transaction).await?;
        let expires_at = now.saturating_add(secs(lifetime));
        let row = ActiveModel {
            hash: Set(secret.hash().to_vec()),
            purpose: Set(purpose.as_str().to_owned()),
            account: Set(account.map(ToString::to_string)),
            created_at: Set(now),
            expires_at: Set(expires_at),
            used_at: Set(None),
        };
        Entity::insert(row).exec_without_returning(&transaction).await?;
        audit_log::append(&transaction, acts).await?;
        transaction.commit().await?;
        date(expires_at).ok_or_else(damaged)
    }

    /// The link of this secret and purpose, if it can be used now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn link(&self, secret: &LinkSecret, purpose: LinkPurpose) -> Result<Option<Link>, StoreError> {
        let now = read_clock(&self.db).await?;
        let live = live(&self.db, secret, purpose, now).await?;
        let link = |row: Model| {
            let account = row.account.map(|account| account.parse().map_err(|_| damaged())).transpose()?;
            Ok(Link { account, expires_at: date(row.expires_at).ok_or_else(damaged)? })
        };
        live.map(link).transpose()
    }

    /// Uses a link and adds the person whom it was for, in one transaction: of two that come at once, one is, whether they have
    /// one link or two. It is invalid, too, if meanwhile somebody has the [role](LinkPurpose::role).
    ///
    /// # Errors
    /// [`StoreError::UserExists`] if the name is taken: the link can be used again then. [`StoreError::Unavailable`] above all.
    pub async fn add_user_by_link(
        &self,
        secret: &LinkSecret,
        purpose: LinkPurpose,
        new: &NewUser,
        acts: &[Act],
    ) -> Result<LinkOutcome, StoreError> {
        let transaction = self.begin_write().await?;
        take_turn(&transaction).await?;
        let now = read_clock(&transaction).await?;
        let taken = take(&transaction, secret, purpose, now).await?;
        if !taken || user_table::has_user_in_role(&transaction, purpose.role()).await? {
            transaction.rollback().await?;
            return Ok(LinkOutcome::Invalid);
        }
        user_table::insert(&transaction, std::slice::from_ref(new), now).await?;
        audit_log::append(&transaction, acts).await?;
        transaction.commit().await?;
        Ok(LinkOutcome::Used)
    }

    /// Forgets links that have expired, and answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn forget_links(&self) -> Result<u64, StoreError> {
        let now = read_clock(&self.db).await?;
        self.delete_pages(FORGET, now).await
    }
}

async fn live(
    db: &impl ConnectionTrait,
    secret: &LinkSecret,
    purpose: LinkPurpose,
    now: i64,
) -> Result<Option<Model>, StoreError> {
    let live = Entity::find_by_id(secret.hash().to_vec())
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::UsedAt.is_null());
    Ok(live.one(db).await?)
}

/// Marks a link as used, if it still can be: one statement, so that of two at once one is told so.
async fn take(
    transaction: &Transaction,
    secret: &LinkSecret,
    purpose: LinkPurpose,
    now: i64,
) -> Result<bool, StoreError> {
    let used = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::val(now))
        .filter(Column::Hash.eq(secret.hash().to_vec()))
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::UsedAt.is_null());
    Ok(used.exec(transaction).await?.rows_affected == 1)
}

fn damaged() -> StoreError {
    StoreError::Corrupt("a row of one_time_link".to_owned())
}
