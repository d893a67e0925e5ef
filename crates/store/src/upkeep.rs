//! What has passed is forgotten in small pages, each found by an index: nobody waits for long, and what there is of it in all
//! does not matter.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{Store, StoreError, attempt_table, link, past_grants, revocation, session_table};

/// Rows per statement. On SQLite, which has one connection, it is how long the others wait: some milliseconds.
pub(crate) const PAGE: u64 = 250;
/// For so long pages follow each other. What is left then is forgotten the next time.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);

impl Store {
    /// Runs a statement that deletes as many rows as `$2` says of those before the time `$1`, until there are none.
    ///
    /// The time is bound, and not the database's function: PostgreSQL's clock moves within a statement, so that no index
    /// can be asked for what is before it.
    pub(crate) async fn delete_pages(&self, sql: &str, before: i64) -> Result<u64, StoreError> {
        let backend = self.db.get_database_backend();
        let (started, mut deleted) = (Instant::now(), 0);
        loop {
            let values = [before.into(), i64::try_from(PAGE).unwrap_or(1).into()];
            let statement = Statement::from_sql_and_values(backend, sql, values);
            let page = self.db.execute_raw(statement).await?.rows_affected();
            deleted += page;
            if page < PAGE || started.elapsed() > LONGEST {
                return Ok(deleted);
            }
        }
    }
}

/// The statements that find what is forgotten, with numbers for their parameters: for tests, which ask the databases how they
/// would go about them.
#[doc(hidden)]
#[must_use]
pub fn upkeep_statements(backend: DbBackend) -> Vec<String> {
    let mut statements = past_grants::statements();
    statements.extend(session_table::past_statements());
    statements.extend(attempt_table::forget_statements(backend));
    statements.extend([revocation::FORGET.to_owned(), link::FORGET.to_owned()]);
    for statement in &mut statements {
        for (parameter, number) in [("$1", "1"), ("$2", "2"), ("$3", "3")] {
            *statement = statement.replace(parameter, number);
        }
    }
    statements
}
