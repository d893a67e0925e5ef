//! An end to waiting for a database server that is gone without a word.
//!
//! The server's own time-outs end with the server, and those of TCP are minutes. SQLite is in this process and has its busy
//! time-out.

use std::{
    pin::pin,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::async_trait::async_trait;

/// Longer than a statement may take by the server's own time-out, and the queue for a connection before it.
const LIMIT: Duration = Duration::from_secs(4);

/// A connection, or a transaction, each of whose statements ends in time.
#[derive(Debug, Clone)]
pub(crate) struct Timed<C>(pub(crate) C);

pub(crate) type Transaction = Timed<DatabaseTransaction>;

impl Timed<DatabaseConnection> {
    pub(crate) async fn begin(&self, options: TransactionOptions) -> Result<Transaction, DbErr> {
        self.in_time(self.0.begin_with_options(options)).await.map(Timed)
    }
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        in_time(self.0.get_database_backend(), self.0.commit()).await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        in_time(self.0.get_database_backend(), self.0.rollback()).await
    }
}

impl<C: ConnectionTrait> Timed<C> {
    async fn in_time<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        in_time(self.0.get_database_backend(), statement).await
    }
}

async fn in_time<T>(
    backend: DbBackend,
    statement: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    match backend {
        DbBackend::Postgres => {
            let mut statement = pin!(tokio::time::timeout(LIMIT, statement));
            // Dropped before the statement is, which hands its connection back.
            let mut under_way = UnderWay(true);
            let ended = statement.as_mut().await;
            under_way.0 = ended.is_err();
            ended.unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
        }
        _ => statement.await,
    }
}

/// Whether a statement has no answer yet. Whoever drops this meanwhile has given it up.
struct UnderWay(bool);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0 {
            BROKEN_OFF.store(uptime(), Ordering::Release);
        }
    }
}

/// When a statement of this process was last given up, in milliseconds of [`uptime`]; zero: never.
static BROKEN_OFF: AtomicU64 = AtomicU64::new(0);

/// Whether a statement was given up so lately that its connection may only now come back to the pool.
pub(crate) fn is_trouble() -> bool {
    let last = BROKEN_OFF.load(Ordering::Acquire);
    last != 0 && Duration::from_millis(uptime().saturating_sub(last)) <= LIMIT
}

/// Never zero.
fn uptime() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

#[async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Timed<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.in_time(self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.in_time(self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.in_time(self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.in_time(self.0.query_all_raw(statement)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_statement_that_was_given_up_is_trouble() {
        let answered = async { Ok::<_, DbErr>(7) };
        assert_eq!(in_time(DbBackend::Postgres, answered).await.unwrap(), 7);
        let refused = async { Err::<(), _>(DbErr::Custom("no".to_owned())) };
        in_time(DbBackend::Postgres, refused).await.unwrap_err();
        assert!(!is_trouble());
        let hangs = in_time(DbBackend::Postgres, std::future::pending::<Result<(), DbErr>>());
        tokio::time::timeout(Duration::from_millis(1), hangs).await.unwrap_err();
        assert!(is_trouble());
    }
}
