//! Grants that have passed are forgotten.

use crate::{Store, StoreError, store::read_clock};

/// Used codes, and families that have ended, are remembered for so many seconds: a second use is then known for what it is, and
/// somebody may ask what has happened.
const MEMORY: i64 = 86_400;

/// What passes by one time, each with an index.
struct Past {
    table: &'static str,
    key: &'static str,
    column: &'static str,
    /// Whether it is remembered for a while.
    remembered: bool,
    only_if: &'static str,
}

const fn past(table: &'static str, key: &'static str, column: &'static str) -> Past {
    Past { table, key, column, remembered: false, only_if: "" }
}

/// A family is kept for as long as there is a token of it.
const fn past_family(column: &'static str) -> Past {
    let only_if = "AND NOT EXISTS (SELECT 1 FROM refresh_token t WHERE t.family = refresh_family.id)";
    Past { remembered: true, only_if, ..past("refresh_family", "id", column) }
}

/// A used refresh token is remembered until it would have died of idleness unused: that is for how long its second use is
/// told from nonsense.
const ROWS: [Past; 6] = [
    Past { remembered: true, ..past("authorization_code", "hash", "expires_at") },
    past("pushed_request", "hash", "expires_at"),
    past("used_assertion", "hash", "expires_at"),
    past("refresh_token", "hash", "idle_until"),
    past_family("expires_at"),
    past_family("ended_at"),
];

/// How a family ends: its tokens go with it.
const ENDS: [&str; 2] = ["expires_at", "ended_at"];

impl Past {
    /// The order is that of the index, which is thereby taken whatever the database believes of how many there are.
    fn statement(&self) -> String {
        let Self { table, key, column, only_if, .. } = self;
        format!(
            "DELETE FROM {table} WHERE {key} IN (
             SELECT {key} FROM {table} WHERE {column} < $1 {only_if} ORDER BY {column} LIMIT $2)"
        )
    }
}

fn of_families(column: &str) -> String {
    format!(
        "DELETE FROM refresh_token WHERE hash IN (
         SELECT t.hash FROM refresh_family f JOIN refresh_token t ON t.family = f.id
         WHERE f.{column} < $1 ORDER BY f.{column} LIMIT $2)"
    )
}

pub(crate) fn statements() -> Vec<String> {
    ENDS.iter().map(|column| of_families(column)).chain(ROWS.iter().map(Past::statement)).collect()
}

impl Store {
    /// Forgets codes, pushed requests, assertions and refresh tokens that nobody can use any more, and answers how many rows
    /// that were. Of very many some are left for the next time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all; what was forgotten before is.
    pub async fn forget_past_grants(&self) -> Result<u64, StoreError> {
        let now = read_clock(&self.db).await?;
        let mut forgotten = 0;
        for column in ENDS {
            forgotten += self.delete_pages(&of_families(column), now - MEMORY).await?;
        }
        for past in &ROWS {
            let before = if past.remembered { now - MEMORY } else { now };
            forgotten += self.delete_pages(&past.statement(), before).await?;
        }
        Ok(forgotten)
    }
}
