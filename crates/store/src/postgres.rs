//! A PostgreSQL primary that keeps what it acknowledges, behind a bounded pool with time limits.

use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::StoreError;

/// How long a request waits for a connection; then it is answered with 503.
const QUEUE: Duration = Duration::from_secs(1);
const CONNECTIONS: u32 = 8;
/// No statement of ours takes more than milliseconds: a slow one means trouble, and trouble must not hold requests.
const SERVING: [(&str, &str); 3] =
    [("statement_timeout", "2s"), ("lock_timeout", "1s"), ("idle_in_transaction_session_timeout", "10s")];
/// A migration rewrites tables, and waits for another process that is at it.
const MIGRATING: [(&str, &str); 2] = [("statement_timeout", "10min"), ("lock_timeout", "5min")];

pub(crate) async fn connect(options: &PgConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(QUEUE)
        .connect_with(named(options).options(SERVING))
        .await?;
    check(&pool).await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// One connection, for migrations.
pub(crate) async fn connect_for_migration(
    options: &PgConnectOptions,
) -> Result<DatabaseConnection, StoreError> {
    let pool =
        PgPoolOptions::new().max_connections(1).connect_with(named(options).options(MIGRATING)).await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

fn named(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("claviger").disable_statement_logging()
}

/// With `off` a crash, with `local` a fail-over takes back what was acknowledged; a standby answers with the past.
async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('synchronous_commit'), pg_is_in_recovery()";
    let (commit, standby): (String, bool) = sqlx::query_as(sql).fetch_one(pool).await?;
    if !["on", "remote_write", "remote_apply"].contains(&commit.as_str()) {
        let needed = "on, remote_write or remote_apply";
        return Err(StoreError::Durability { setting: "synchronous_commit", found: commit, needed });
    }
    if standby {
        let found = "a standby".to_owned();
        return Err(StoreError::Durability {
            setting: "the PostgreSQL server",
            found,
            needed: "the primary",
        });
    }
    Ok(())
}
