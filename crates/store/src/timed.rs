//! An end to waiting for a database server that is gone without a word.
//!
//! The server's own time-outs end with the server, and those of TCP are minutes. SQLite is in this process and has its busy
//! time-out.

use std::time::Duration;

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
        DbBackend::Postgres => tokio::time::timeout(LIMIT, statement)
            .await
            .unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))),
        _ => statement.await,
    }
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
