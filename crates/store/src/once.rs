//! What may be shown once: pushed authorization requests (RFC 9126), and the assertions of clients (RFC 7523).

use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_oauth::{ClientId, RequestUri};
use sea_orm::{ConnectionTrait, Statement};

use crate::{
    Store, StoreError,
    store::{clock, secs},
};

/// No pushed request waits longer, whatever is asked for.
const LONGEST: Duration = Duration::from_secs(90);

/// No replica that accepts anything has a clock so far behind: the bound of the skew.
const BEHIND: i64 = 60;

impl Store {
    /// Keeps a pushed request, in whatever words its owner has for it, for this time and at most 90 s.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn push_request(
        &self,
        uri: &RequestUri,
        client_id: &ClientId,
        request: &str,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        let backend = self.db.get_database_backend();
        let sql = format!(
            "INSERT INTO pushed_request (hash, client_id, request, expires_at) VALUES ($1, $2, $3, {} + $4)",
            clock(backend)
        );
        let lifetime = i64::try_from(lifetime.min(LONGEST).as_secs()).unwrap_or(0);
        let values = [uri.hash().to_vec().into(), client_id.as_str().into(), request.into(), lifetime.into()];
        self.db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }

    /// Takes a pushed request of this client. Whoever comes second, at whichever replica, gets nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn take_pushed_request(
        &self,
        uri: &RequestUri,
        client_id: &ClientId,
    ) -> Result<Option<String>, StoreError> {
        let backend = self.db.get_database_backend();
        let sql = format!(
            "UPDATE pushed_request SET used_at = {now}
             WHERE hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > {now} RETURNING request",
            now = clock(backend)
        );
        let values = [uri.hash().to_vec().into(), client_id.as_str().into()];
        let row = self.db.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(row.map(|row| row.try_get("", "request")).transpose()?)
    }

    /// Takes note of an assertion by the hash of what makes it this one (its client and its `jti`), and answers whether it is
    /// new. `expires` is when it is refused anyway by the clock of whoever accepts it, the leeway for the client's included. It is
    /// remembered for longer by as much as that clock may be behind the database's, by which it is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all: what cannot be noted must not be accepted.
    pub async fn use_assertion(&self, hash: &[u8; 32], expires: NumericDate) -> Result<bool, StoreError> {
        let sql = "INSERT INTO used_assertion (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let values = [hash.to_vec().into(), secs(expires).saturating_add(BEHIND).into()];
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, values);
        Ok(self.db.execute_raw(statement).await?.rows_affected() == 1)
    }
}
