use std::{fmt, path::Path, sync::Arc};

use claviger_jose::NumericDate;
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, ExprTrait,
    IsolationLevel, QueryFilter, QuerySelect, Set, SqliteTransactionMode, TransactionOptions,
    sea_query::{Expr, OnConflict, Query},
};
use sea_orm_migration::MigratorTrait;

use crate::{
    StoreError,
    connect::{IfMissing, open},
    entity::{issuer, revision},
    refresh_group::RefreshGroup,
    timed::{Timed, Transaction},
    waiting::Announcements,
};

/// The memory of an issuer: one database. Cheap to clone; all clones share its connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: Timed<DatabaseConnection>,
    pub(crate) announcements: Option<Arc<Announcements>>,
    /// The one writer of refreshes, where a database has only one.
    pub(crate) refreshes: Option<Arc<RefreshGroup>>,
    file: Option<Arc<Path>>,
}

/// The numbers of the last changes. A running issuer reads them often, and the rest only when they moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revisions {
    /// Of the signing keys.
    pub keyring: u64,
    /// Of the registry.
    pub registry: u64,
    /// Of the revocations: the feed's `seq`.
    pub revocations: u64,
}

/// What became of a change that was planned from a certain revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Applied,
    /// Another process had changed the same thing before; nothing was done. Read again and plan again.
    AlreadyRotated,
}

impl Store {
    /// Opens the database that a URL names, `sqlite://path` or `postgres://user:password@host/database`, and brings its
    /// schema up to `M`. An SQLite file is made if there is none.
    ///
    /// # Errors
    /// [`StoreError`]: a URL, file, library, setting or schema that is not fit, or a database that does not answer.
    pub async fn open<M: MigratorTrait>(url: &str) -> Result<Self, StoreError> {
        Self::open_as::<M>(url, IfMissing::Create).await
    }

    /// Like [`open`](Self::open), for a command line: a mistyped path does not make an empty database.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is no file, and as for [`open`](Self::open).
    pub async fn open_existing<M: MigratorTrait>(url: &str) -> Result<Self, StoreError> {
        Self::open_as::<M>(url, IfMissing::Refuse).await
    }

    async fn open_as<M: MigratorTrait>(url: &str, if_missing: IfMissing) -> Result<Self, StoreError> {
        let opened = open::<M>(url, if_missing).await?;
        let db = Timed(opened.db);
        Ok(Self {
            refreshes: opened.file.as_ref().map(|_| Arc::new(RefreshGroup::new(db.clone()))),
            db,
            announcements: opened.server.map(|server| Arc::new(Announcements::of(server))),
            file: opened.file.map(Into::into),
        })
    }

    /// Closes the connections, for every clone. An SQLite file is then complete without its log.
    ///
    /// # Errors
    /// [`StoreError`] if the last words of the database fail.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Some(announcements) = &self.announcements {
            announcements.end();
        }
        Ok(self.db.0.close().await?)
    }

    /// The time of the database: the one clock that all replicas share.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn now(&self) -> Result<NumericDate, StoreError> {
        let secs = read_clock(&self.db).await?;
        date(secs).ok_or_else(|| StoreError::Corrupt("the time is before 1970".to_owned()))
    }

    /// The numbers of the last changes, in one small query.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn revisions(&self) -> Result<Revisions, StoreError> {
        read_revisions(&self.db).await
    }

    /// Makes the database this issuer's if it is nobody's yet.
    ///
    /// # Errors
    /// [`StoreError::WrongIssuer`] if it is another's: its keys are sealed for that name, its clients know that name.
    pub async fn bind_issuer(&self, issuer: &str) -> Result<(), StoreError> {
        let row = issuer::ActiveModel { id: Set(1), url: Set(issuer.to_owned()) };
        let keep_first = OnConflict::column(issuer::Column::Id).do_nothing().to_owned();
        issuer::Entity::insert(row).on_conflict(keep_first).exec_without_returning(&self.db).await?;
        let bound = issuer::Entity::find_by_id(1_i16).one(&self.db).await?;
        let bound = bound.ok_or_else(|| StoreError::Corrupt("no issuer".to_owned()))?.url;
        if bound == issuer {
            Ok(())
        } else {
            Err(StoreError::WrongIssuer { bound, asked: issuer.to_owned() })
        }
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A transaction that sees one moment of the database and changes nothing.
    pub(crate) async fn begin_read(&self) -> Result<Transaction, StoreError> {
        let options = match self.db.get_database_backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
            _ => TransactionOptions::default(),
        };
        Ok(self.db.begin(options).await?)
    }

    /// A transaction that writes. On SQLite it takes the write lock at once: one that reads first and writes later
    /// fails for good when another has written in between, however long it would wait. On PostgreSQL each statement sees
    /// what was committed before it: who waited for the row of `revision` then reads what the other has written.
    pub(crate) async fn begin_write(&self) -> Result<Transaction, StoreError> {
        begin_write(&self.db).await
    }
}

pub(crate) async fn begin_write(db: &Timed<DatabaseConnection>) -> Result<Transaction, StoreError> {
    let options = TransactionOptions {
        isolation_level: match db.get_database_backend() {
            DbBackend::Postgres => Some(IsolationLevel::ReadCommitted),
            _ => None,
        },
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin(options).await?)
}

pub(crate) async fn read_revisions(db: &impl ConnectionTrait) -> Result<Revisions, StoreError> {
    let row = revision::Entity::find_by_id(1_i16).one(db).await?;
    let number = |number: i64| u64::try_from(number).ok();
    row.and_then(|row| {
        Some(Revisions {
            keyring: number(row.keyring)?,
            registry: number(row.registry)?,
            revocations: number(row.revocations)?,
        })
    })
    .ok_or_else(|| StoreError::Corrupt("no revision".to_owned()))
}

/// Takes the next number, if the last one is still the expected one. Whoever comes second waits here for the first
/// one's transaction, and is told.
pub(crate) async fn advance(
    transaction: &Transaction,
    column: revision::Column,
    expected: u64,
) -> Result<bool, StoreError> {
    let Ok(expected) = i64::try_from(expected) else {
        return Ok(false); // no such number was ever given out
    };
    let update = revision::Entity::update_many()
        .col_expr(column, Expr::col(column).add(1))
        .filter(revision::Column::Id.eq(1))
        .filter(column.eq(expected));
    Ok(update.exec(transaction).await?.rows_affected == 1)
}

/// Stands in line for the row of `revision`, as all do who change one of its numbers or write to the log: what they have written
/// is seen then. SQLite has one writer.
pub(crate) async fn take_turn(transaction: &Transaction) -> Result<(), StoreError> {
    revision::Entity::find_by_id(1_i16).lock_exclusive().one(transaction).await?;
    Ok(())
}

/// Takes the next number of the revocations, and the row as [`advance`] does. It is never behind the clock: after a restore
/// of an older database the next revocation is still news to who has seen later ones.
pub(crate) async fn advance_revocations(transaction: &Transaction) -> Result<u64, StoreError> {
    let column = revision::Column::Revocations;
    let next = || Expr::col(column).add(1);
    let clock = || Expr::cust(clock(transaction.get_database_backend()));
    let greater = Expr::case(next().gt(clock()), next()).finally(clock());
    let update = revision::Entity::update_many().col_expr(column, greater.into());
    update.filter(revision::Column::Id.eq(1)).exec(transaction).await?;
    Ok(read_revisions(transaction).await?.revocations)
}

/// The seconds of the database's clock, as an expression. In a transaction it goes on.
pub(crate) fn clock(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "floor(extract(epoch FROM clock_timestamp()))::bigint",
        _ => "unixepoch()",
    }
}

pub(crate) async fn read_clock(db: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let backend = db.get_database_backend();
    let select = Query::select().expr_as(Expr::cust(clock(backend)), "now").take();
    let row = db.query_one(&select).await?;
    Ok(row.ok_or_else(|| StoreError::Corrupt("no time".to_owned()))?.try_get("", "now")?)
}

/// A date as it is stored.
pub(crate) fn secs(date: NumericDate) -> i64 {
    i64::try_from(date.as_secs()).unwrap_or(i64::MAX)
}

/// A stored date; `None` before 1970.
pub(crate) fn date(secs: i64) -> Option<NumericDate> {
    u64::try_from(secs).ok().map(NumericDate::from_secs)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("file", &self.file).finish_non_exhaustive()
    }
}
