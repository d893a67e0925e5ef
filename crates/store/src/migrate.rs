//! Brings the schema up to date, once, however many processes start at the same time.

use std::path::Path;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
    sea_query::{Order, Query},
};
use sea_orm_migration::MigratorTrait;
use sqlx::postgres::PgConnectOptions;

use crate::{StoreError, postgres, sqlite};

/// Any number that no other program on the server is likely to take: "claviger" in ASCII.
const ADVISORY_LOCK: i64 = 0x636c_6176_6967_6572;

/// Refuses a schema that is more than one change ahead. Each change only adds, so that the binary before it can run beside
/// it, and be started beside it, while replicas are replaced one by one; what comes after that may take away.
pub(crate) async fn refuse_newer<M: MigratorTrait>(db: &impl ConnectionTrait) -> Result<(), StoreError> {
    let known = known::<M>();
    let mut unknown: Vec<String> =
        applied::<M>(db).await?.into_iter().filter(|name| !known.contains(name)).collect();
    match unknown.pop() {
        Some(found) if !unknown.is_empty() => {
            Err(StoreError::SchemaTooNew { found, newest: known.last().cloned().unwrap_or_default() })
        }
        _ => Ok(()),
    }
}

pub(crate) async fn is_pending<M: MigratorTrait>(db: &impl ConnectionTrait) -> Result<bool, StoreError> {
    let applied = applied::<M>(db).await?;
    Ok(known::<M>().iter().any(|name| !applied.contains(name)))
}

/// All changes in one transaction, which is also the lock: a second process waits for it, then finds nothing to do.
pub(crate) async fn sqlite<M: MigratorTrait>(db: &DatabaseConnection, path: &Path) -> Result<(), StoreError> {
    let applied = applied::<M>(db).await?;
    let Some(first) = known::<M>().into_iter().find(|name| !applied.contains(name)) else {
        return Ok(());
    };
    if !applied.is_empty() {
        sqlite::back_up(db, path, &first).await?;
    }
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    migrate::<M>(db.begin_with_options(immediate).await?).await
}

/// All changes in one transaction, under a lock that ends with it, on a connection with more time than requests have.
pub(crate) async fn postgres<M: MigratorTrait>(options: &PgConnectOptions) -> Result<(), StoreError> {
    let db = postgres::connect_for_migration(options).await?;
    let transaction = db.begin().await?;
    let lock = "SELECT pg_advisory_xact_lock($1)";
    transaction
        .query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, lock, [ADVISORY_LOCK.into()]))
        .await?;
    migrate::<M>(transaction).await?;
    Ok(db.close().await?)
}

async fn migrate<M: MigratorTrait>(transaction: DatabaseTransaction) -> Result<(), StoreError> {
    refuse_newer::<M>(&transaction).await?;
    M::up(&transaction, None).await?;
    Ok(transaction.commit().await?)
}

fn known<M: MigratorTrait>() -> Vec<String> {
    M::migrations().iter().map(|change| change.name().to_owned()).collect()
}

/// The names of the changes that the database has; none if it is new.
async fn applied<M: MigratorTrait>(db: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let backend = db.get_database_backend();
    let table = M::migration_table_name();
    let there = match backend {
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
        _ => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1",
    };
    let there = Statement::from_sql_and_values(backend, there, [table.to_string().into()]);
    if db.query_one_raw(there).await?.is_none() {
        return Ok(Vec::new());
    }
    let names = Query::select().column("version").from(table).order_by("version", Order::Asc).take();
    let name = |row: &QueryResult| row.try_get("", "version");
    Ok(db.query_all(&names).await?.iter().map(name).collect::<Result<_, _>>()?)
}
