//! What people have allowed clients to have of them.

use claviger_jose::NumericDate;
use claviger_oauth::{Allowed, Authorization, ClientId, UserId};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use crate::{
    Act, Store, StoreError, audit_log,
    entity::consent::{Column, Entity, Model},
    sign_out::{end_codes, end_families},
    store::{date, read_clock},
};

/// What a person has allowed a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Which client.
    pub client_id: ClientId,
    /// All that it may ask for without asking the person again.
    pub allowed: Allowed,
    /// When the last of it was allowed.
    pub granted_at: NumericDate,
}

impl Store {
    /// What a person has allowed a client, if anything.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn consent(
        &self,
        account: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, StoreError> {
        let row = Entity::find_by_id((account.as_str().to_owned(), client_id.as_str().to_owned()));
        row.one(&self.db).await?.as_ref().map(parse).transpose().map(Option::flatten)
    }

    /// All that a person has allowed, by client.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn consents_of(&self, account: &UserId) -> Result<Vec<Consent>, StoreError> {
        let rows = Entity::find().filter(Column::Account.eq(account.as_str()));
        let rows = rows.order_by_asc(Column::ClientId).all(&self.db).await?;
        rows.iter().filter_map(|row| parse(row).transpose()).collect()
    }

    /// A person allows a client this, besides what they have allowed it before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn grant_consent(
        &self,
        account: &UserId,
        client_id: &ClientId,
        allowed: &Allowed,
        acts: &[Act],
    ) -> Result<(), StoreError> {
        let transaction = self.begin_write().await?;
        // First of all: of two that add to the same row, one then sees what the other has added.
        audit_log::append(&transaction, acts).await?;
        let id = (account.as_str().to_owned(), client_id.as_str().to_owned());
        let held = Entity::find_by_id(id)
            .lock_exclusive()
            .one(&transaction)
            .await?
            .as_ref()
            .map(parse)
            .transpose()?
            .flatten();
        let mut all = held.map(|held| held.allowed).unwrap_or_default();
        all.add(allowed);
        let row = Model {
            account: account.as_str().to_owned(),
            client_id: client_id.as_str().to_owned(),
            scopes: serde_json::to_string(&all)
                .map_err(|error| StoreError::Corrupt(format!("a consent: {error}")))?,
            granted_at: read_clock(&transaction).await?,
        };
        let latest = OnConflict::columns([Column::Account, Column::ClientId])
            .update_columns([Column::Scopes, Column::GrantedAt])
            .to_owned();
        let insert = Entity::insert(row.into_active_model()).on_conflict(latest);
        insert.exec_without_returning(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// A person takes back what they allowed a client: its refresh families end, and codes that it has not used yet are
    /// gone. Answers whether there was anything to take back. Its access tokens expire: a mark on the feed that means one
    /// client of one person there is not, and one for all clients would sign the person out of the others.
    ///
    /// # Errors
    /// Nothing is changed then. [`StoreError::Unavailable`] above all.
    pub async fn withdraw_consent(
        &self,
        account: &UserId,
        client_id: &ClientId,
        acts: &[Act],
    ) -> Result<bool, StoreError> {
        let transaction = self.begin_write().await?;
        audit_log::append(&transaction, acts).await?;
        let id = (account.as_str().to_owned(), client_id.as_str().to_owned());
        let gone = Entity::delete_by_id(id).exec(&transaction).await?.rows_affected;
        let theirs =
            Expr::col("account").eq(account.as_str()).and(Expr::col("client_id").eq(client_id.as_str()));
        if gone == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        let now = read_clock(&transaction).await?;
        end_codes(&transaction, theirs.clone()).await?;
        end_families(&transaction, theirs, "consent_withdrawn", now).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Whether a person has consented to all that was authorized.
///
/// `refresh_statement` asks PostgreSQL the same.
pub(crate) fn covers(scopes: &str, authorization: &Authorization) -> bool {
    let consented = allowed(scopes).ok().flatten();
    consented.zip(authorization.allowed.as_ref()).is_some_and(|(consented, asked)| consented.covers(asked))
}

/// What is in the column. A plain list of scopes, as it once was, does not say for which service: it allows nothing, and
/// the person is asked again. No scope has the quotes of JSON in it.
fn allowed(scopes: &str) -> Result<Option<Allowed>, serde_json::Error> {
    scopes.starts_with(r#"{""#).then(|| serde_json::from_str(scopes)).transpose()
}

fn parse(row: &Model) -> Result<Option<Consent>, StoreError> {
    let damaged = |column: &str| StoreError::Corrupt(format!("{column} in consent"));
    let Some(allowed) = allowed(&row.scopes).map_err(|_| damaged("scopes"))? else { return Ok(None) };
    Ok(Some(Consent {
        client_id: row.client_id.parse().map_err(|_| damaged("client_id"))?,
        allowed,
        granted_at: date(row.granted_at).ok_or_else(|| damaged("granted_at"))?,
    }))
}
