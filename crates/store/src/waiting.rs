//! Who changes something in PostgreSQL says so, and who waits for it hears it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DbBackend};
use sqlx::{
    Executor,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, task::AbortHandle, time::timeout};

use crate::{Store, StoreError, timed::Transaction};

const CHANNEL: &str = "claviger";
/// How long the server has for an answer.
const ANSWER: Duration = Duration::from_secs(2);
/// After so much silence the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(10);
/// How long after the loss of the connection the next one is tried.
const RETRY: Duration = Duration::from_secs(1);

/// Says, with the end of the transaction, that something has changed.
pub(crate) async fn announce(transaction: &Transaction) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("NOTIFY claviger").await?;
    }
    Ok(())
}

/// What a server announces. The task that listens starts when somebody waits, and ends with the last store of the database;
/// its connection is not one of the pool.
pub(crate) struct Announcements {
    server: PgConnectOptions,
    heard: Arc<Notify>,
    listening: OnceLock<AbortHandle>,
}

impl Announcements {
    pub(crate) fn of(server: PgConnectOptions) -> Self {
        Self { server, heard: Arc::default(), listening: OnceLock::new() }
    }

    async fn next(&self) {
        let listen = || tokio::spawn(listen(self.server.clone(), Arc::clone(&self.heard))).abort_handle();
        self.listening.get_or_init(listen);
        self.heard.notified().await;
    }

    pub(crate) fn end(&self) {
        if let Some(task) = self.listening.get() {
            task.abort();
        }
    }
}

impl Drop for Announcements {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Announcements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Announcements(..)")
    }
}

impl Store {
    /// Waits until a process, this one included, says that it has changed something, as far as the database can tell:
    /// PostgreSQL by NOTIFY, SQLite never. It may return without a change, but not often: whoever loops over it is in no hurry
    /// while the database is away. What was said since the last call counts.
    pub async fn changed(&self) {
        match &self.announcements {
            Some(announcements) => announcements.next().await,
            None => std::future::pending().await,
        }
    }
}

async fn listen(server: PgConnectOptions, heard: Arc<Notify>) {
    loop {
        // Why the connection was lost is no news: everybody who needs the database says so.
        let _ = listen_until_lost(&server, &heard).await;
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen_until_lost(server: &PgConnectOptions, heard: &Notify) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(ANSWER)
        .connect_lazy_with(server.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    in_time(listener.listen(CHANNEL)).await?;
    loop {
        // After the first connection too: what was said before it was missed.
        tell(heard);
        loop {
            match timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(_))) => break,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => in_time(listener.execute("SELECT 1")).await.map(drop)?,
            }
        }
    }
}

/// Wakes all who wait, and the next one who comes: it may just have been busy with the change before.
fn tell(heard: &Notify) {
    heard.notify_waiters();
    heard.notify_one();
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(ANSWER, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
