//! A PostgreSQL primary that keeps what it acknowledges, behind a bounded pool with time limits.

use std::{io, time::Duration};

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{StoreError, timed::is_trouble};

/// How long a request waits for a connection, a new one included; then it is answered with 503.
const QUEUE: Duration = Duration::from_secs(1);
/// How long a connection has to show that somebody is at its other end: short enough for a new one within [`QUEUE`].
const ANSWER: Duration = Duration::from_millis(300);
/// For how long after its last answer a connection is held to be alive.
const FRESH: Duration = Duration::from_millis(20);
const CONNECTIONS: u32 = 8;
/// No statement of ours takes more than milliseconds: a slow one means trouble, and trouble must not hold requests. A replica
/// that is gone without a word must not hold the others either.
const SERVING: [(&str, &str); 6] = [
    ("statement_timeout", "2s"),
    ("lock_timeout", "1s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "10s"),
    ("tcp_keepalives_interval", "5s"),
    ("tcp_keepalives_count", "3"),
];
/// A migration rewrites tables, and waits for another process that is at it.
const MIGRATING: [(&str, &str); 2] = [("statement_timeout", "10min"), ("lock_timeout", "5min")];

pub(crate) async fn connect(options: &PgConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let options = serving(options);
    // The pool would only say that it timed out, this one says why.
    let first = PgPoolOptions::new().max_connections(1).acquire_timeout(QUEUE);
    let first = first.connect_with(options.clone()).await?;
    check(&mut *first.acquire().await?).await?;
    first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(QUEUE)
        .after_connect(|connection, _| Box::pin(recheck(connection)))
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| Box::pin(answers_after(connection, metadata.idle_for)))
        .after_release(|connection, _| Box::pin(answers_if_in_trouble(connection)))
        .connect_lazy_with(options);
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

/// How a running issuer connects.
pub(crate) fn serving(options: &PgConnectOptions) -> PgConnectOptions {
    named(options).options(SERVING)
}

fn named(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("claviger").disable_statement_logging()
}

/// With `off` a crash, with `local` a fail-over takes back what was acknowledged; a standby answers with the past.
async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('synchronous_commit'), pg_is_in_recovery()";
    let (commit, standby): (String, bool) = sqlx::query_as(sql).fetch_one(connection).await?;
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

/// The server may be another one than at the start, or the same in another role.
async fn recheck(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    check(connection).await.map_err(|unfit| sqlx::Error::Configuration(unfit.into()))
}

/// One that has answered a moment ago is not asked again before it is used: under load the question would be a good part of
/// the work.
async fn answers_after(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for < FRESH { Ok(true) } else { answers(connection).await }
}

/// The pool asks one that comes back by itself, but without an end. So one whose statement was given up is asked before, with
/// one; asked each time, all of them would be asked twice. One whose other end vanishes in the moment after an answer is lost
/// to the pool for as long as TCP waits.
async fn answers_if_in_trouble(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if is_trouble() { answers(connection).await } else { Ok(true) }
}

/// A connection whose other end is gone without a word is given up at once, and fills no place of the pool for the minutes
/// that TCP would wait.
async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let silent = |_| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER, connection.ping()).await.map_err(silent)?.map(|()| true)
}
