//! An SQLite file: private to its owner, durable, and sound.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sea_orm::{DatabaseConnection, SqlxSqliteConnector};
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::StoreError;

/// The first version without the fault that resets a WAL which another connection still reads.
const OLDEST: [u32; 3] = [3, 51, 3];
/// How long a command line and a server wait for each other's transaction.
const BUSY: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(20);
/// How long a request waits for the connection; then it is answered with 503.
const QUEUE: Duration = Duration::from_secs(1);
/// Pages in the write-ahead log before they are carried into the file: 32 MiB. A page that is written again and again is
/// carried once.
const LOG_PAGES: &str = "8192";
/// How much of the file is kept in memory, in KiB.
const CACHE: &str = "-32768";

/// Makes the file, for its owner only, and its directory likewise. A file that exists is left as it is.
pub(crate) fn create_file(path: &Path) -> Result<(), StoreError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|source| StoreError::File { path: directory.to_owned(), source })?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
    }
}

/// Refuses a file that is not there, is open to others, or lies where locks do not hold.
pub(crate) fn check_file(path: &Path) -> Result<(), StoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(StoreError::Missing(path.to_owned()));
        }
        Err(source) => {
            return Err(StoreError::File { path: path.to_owned(), source });
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Exposed { path: path.to_owned(), mode });
    }
    if is_on_network(path) {
        return Err(StoreError::NetworkFileSystem(path.to_owned()));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn is_on_network(path: &Path) -> bool {
    const SMB2: rustix::fs::FsWord = 0xFE53_4D42;
    rustix::fs::statfs(path).is_ok_and(|found| [rustix::fs::NFS_SUPER_MAGIC, SMB2].contains(&found.f_type))
}

#[cfg(not(target_os = "linux"))]
fn is_on_network(_path: &Path) -> bool {
    false
}

/// Opens the file, and waits for another process that opens it for the first time: while it turns the log on, SQLite
/// answers BUSY at once, whatever the time-out.
pub(crate) async fn connect(path: &Path) -> Result<DatabaseConnection, StoreError> {
    let started = Instant::now();
    loop {
        match try_connect(path).await {
            Err(error) if is_busy(&error) && started.elapsed() < BUSY => tokio::time::sleep(RETRY).await,
            done => return done,
        }
    }
}

fn is_busy(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    let database = source.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    let code = database.and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// One connection: SQLite has one writer at a time, and two connections of one process would only wait for each other in
/// the database, where they poll, instead of in the pool, where they queue. Reads take microseconds, and no request of
/// the hot path comes here.
async fn try_connect(path: &Path) -> Result<DatabaseConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .pragma("cache_size", CACHE)
        // What a statement of many rows may have to take back is not written to a file first.
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(QUEUE)
        .connect_with(options)
        .await?;
    check(&pool).await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// The library, the settings and the pages. SQLite answers a setting that it cannot follow (WAL on an odd file system)
/// by not following it, so each is read back.
async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let version = read(pool, "SELECT sqlite_version()").await?;
    if !version_is_at_least(&version, OLDEST) {
        return Err(StoreError::SqliteTooOld { found: version });
    }
    for (setting, sql, needed) in [
        ("journal_mode", "SELECT journal_mode FROM pragma_journal_mode", "wal"),
        ("synchronous", "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous", "2"),
        ("foreign_keys", "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys", "1"),
    ] {
        let found = read(pool, sql).await?;
        if found != needed {
            return Err(StoreError::Durability { setting, found, needed });
        }
    }
    let verdict = read(pool, "PRAGMA quick_check(1)").await?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Corrupt(verdict)) }
}

async fn read(pool: &SqlitePool, sql: &'static str) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}

/// Keeps the database as it is before a change of its schema, beside it. An older copy of the same name stays: it is from
/// before the same change.
pub(crate) async fn back_up(db: &DatabaseConnection, path: &Path, change: &str) -> Result<(), StoreError> {
    let beside = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (unfinished, copy) =
        (beside(format!(".copy-{}", std::process::id())), beside(format!(".before-{change}")));
    let fail = |source| StoreError::File { path: copy.clone(), source };
    // SQLite fills an empty file, and this one is its owner's alone.
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
    let file = file.map_err(fail)?;
    let name = unfinished.to_str().ok_or(StoreError::BadUrl("must hold a path in UTF-8"))?;
    let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(db.get_sqlite_connection_pool()).await;
    let kept = file
        .sync_all()
        .and_then(|()| if copied.is_ok() { fs::hard_link(&unfinished, &copy) } else { Ok(()) });
    fs::remove_file(&unfinished).map_err(fail)?;
    copied?;
    match kept {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(fail(error)),
        _ => Ok(()),
    }
}

/// Whether `found`, such as `3.51.3`, is this version or a later one. What is no version is not.
fn version_is_at_least(found: &str, oldest: [u32; 3]) -> bool {
    let numbers: Result<Vec<u32>, _> = found.split('.').map(str::parse).collect();
    numbers.is_ok_and(|numbers| numbers.len() >= 3 && numbers[..] >= oldest[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-106
    #[tokio::test]
    async fn the_settings_are_in_force_on_the_stores_own_connection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("claviger.db");
        create_file(&path).unwrap();
        let db = connect(&path).await.unwrap();
        let pool = db.get_sqlite_connection_pool();
        for (sql, expected) in [
            ("SELECT journal_mode FROM pragma_journal_mode", "wal"),
            ("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous", "2"),
            ("SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys", "1"),
            ("SELECT CAST(timeout AS TEXT) FROM pragma_busy_timeout", "5000"),
        ] {
            assert_eq!(read(pool, sql).await.unwrap(), expected, "{sql}");
        }
        assert!(version_is_at_least(&read(pool, "SELECT sqlite_version()").await.unwrap(), OLDEST));
    }

    // S-106
    #[test]
    fn versions_are_compared_by_number() {
        for version in ["3.51.3", "3.51.10", "3.52.0", "4.0.0", "3.51.3.1"] {
            assert!(version_is_at_least(version, OLDEST), "{version}");
        }
        for version in ["3.51.2", "3.9.99", "3.50.4", "2.99.99", "", "3.51", "3.51.x"] {
            assert!(!version_is_at_least(version, OLDEST), "{version}");
        }
    }
}
