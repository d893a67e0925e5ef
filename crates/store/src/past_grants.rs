//! Grants that have passed are forgotten, a few at a time: nobody waits for long.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{Store, StoreError, store::clock};

/// Rows per statement.
const PAGE: &str = "1000";
/// Used codes, and families that have ended, are remembered for so long: a second use is then known for what it is, and
/// somebody may ask what has happened.
const MEMORY: &str = "86400";

/// Each row of these is by itself. A used refresh token is remembered until it would have died of idleness unused: that is
/// for how long its second use is told from nonsense.
const ROWS: [(&str, &str, &str); 5] = [
    ("authorization_code", "hash", "expires_at < {now} - {memory}"),
    ("pushed_request", "hash", "expires_at < {now}"),
    ("used_assertion", "hash", "expires_at < {now}"),
    ("refresh_token", "hash", "idle_until < {now}"),
    (
        "refresh_family",
        "id",
        "(expires_at < {now} - {memory} OR ended_at < {now} - {memory})
        AND NOT EXISTS (SELECT 1 FROM refresh_token t WHERE t.family = refresh_family.id)",
    ),
];

/// Those of a family that has ended go with it.
const ORPHANS: &str = "DELETE FROM refresh_token WHERE hash IN (
    SELECT t.hash FROM refresh_token t JOIN refresh_family f ON f.id = t.family
    WHERE f.expires_at < {now} - {memory} OR f.ended_at < {now} - {memory} LIMIT {page})";

impl Store {
    /// Forgets codes, pushed requests, assertions and refresh tokens that nobody can use any more, and answers how many rows
    /// that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all; what was forgotten before is.
    pub async fn forget_past_grants(&self) -> Result<u64, StoreError> {
        let mut forgotten = self.delete_pages(ORPHANS).await?;
        for (table, key, past) in ROWS {
            let sql = format!(
                "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {past} LIMIT {{page}})"
            );
            forgotten += self.delete_pages(&sql).await?;
        }
        Ok(forgotten)
    }

    async fn delete_pages(&self, sql: &str) -> Result<u64, StoreError> {
        let backend: DbBackend = self.db.get_database_backend();
        let sql = sql.replace("{now}", clock(backend)).replace("{memory}", MEMORY).replace("{page}", PAGE);
        let mut deleted = 0;
        loop {
            let statement = Statement::from_string(backend, sql.as_str());
            let page = self.db.execute_raw(statement).await?.rows_affected();
            deleted += page;
            if page == 0 {
                return Ok(deleted);
            }
        }
    }
}
