//! Random secrets of the issuer's own, sealed like signing keys.

use claviger_keyring::SealedKey;
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use crate::{Act, Store, StoreError, audit_log, failpoint, store::clock};

impl Store {
    /// The secret of this name, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn server_secret(&self, name: &str) -> Result<Option<SealedKey>, StoreError> {
        let sql = "SELECT kek_id, sealed FROM server_secret WHERE name = $1";
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, [name.into()]);
        self.db.query_one_raw(statement).await?.as_ref().map(sealed).transpose()
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn server_secrets(&self) -> Result<Vec<(String, SealedKey)>, StoreError> {
        let sql = "SELECT name, kek_id, sealed FROM server_secret ORDER BY name";
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let rows = self.db.query_all_raw(statement).await?;
        rows.iter().map(|row| Ok((row.try_get("", "name")?, sealed(row)?))).collect()
    }

    /// Keeps a new secret unless there is one of this name, and answers the one that there is: of two replicas that start at
    /// the same time one makes it, and both have it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn keep_server_secret(&self, name: &str, new: &SealedKey) -> Result<SealedKey, StoreError> {
        let backend = self.db.get_database_backend();
        let sql = format!(
            "INSERT INTO server_secret (name, kek_id, sealed, created_at) VALUES ($1, $2, $3, {})
             ON CONFLICT DO NOTHING",
            clock(backend)
        );
        let values = [name.into(), new.kek_id.as_str().into(), new.bytes.clone().into()];
        self.db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        let kept = self.server_secret(name).await?;
        kept.ok_or_else(|| StoreError::Corrupt(format!("the server secret {name} is gone again")))
    }

    /// Replaces the seal of a secret, if it is still the one that was read. Answers whether it was.
    ///
    /// # Errors
    /// Nothing is changed then. [`StoreError::Unavailable`] above all.
    pub async fn rewrap_server_secret(
        &self,
        name: &str,
        (old, new): (&SealedKey, &SealedKey),
        acts: &[Act],
    ) -> Result<bool, StoreError> {
        let transaction = self.begin_write().await?;
        let sql = "UPDATE server_secret SET kek_id = $2, sealed = $3 WHERE name = $1 AND sealed = $4";
        let values =
            [name.into(), new.kek_id.as_str().into(), new.bytes.clone().into(), old.bytes.clone().into()];
        let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, values);
        if transaction.execute_raw(statement).await?.rows_affected() != 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        audit_log::append(&transaction, acts).await?;
        failpoint("rewrap.before_commit");
        transaction.commit().await?;
        failpoint("rewrap.after_commit");
        Ok(true)
    }
}

fn sealed(row: &QueryResult) -> Result<SealedKey, StoreError> {
    Ok(SealedKey { kek_id: row.try_get("", "kek_id")?, bytes: row.try_get("", "sealed")? })
}
