use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{Store, StoreError, database_url::DatabaseUrl, sqlite};

/// The right to serve from an SQLite file, until it is dropped or the process dies. PostgreSQL needs none: replicas
/// share it.
#[derive(Debug)]
pub struct ServingLock {
    _file: Option<File>,
}

impl ServingLock {
    /// Takes the right to serve from the database that a URL names, before it is opened: who does not get it has not changed
    /// the schema under whoever has it.
    ///
    /// # Errors
    /// As [`Store::lock_for_serving`], and [`StoreError::Missing`] if there is no file.
    pub fn take(url: &str) -> Result<Self, StoreError> {
        let file = match DatabaseUrl::parse(url)? {
            DatabaseUrl::Sqlite(path) => {
                sqlite::check_file(&path)?;
                Some(lock_beside(&path)?)
            }
            DatabaseUrl::Postgres(_) => None,
        };
        Ok(Self { _file: file })
    }
}

impl Store {
    /// Takes the right to serve from this database. A command line does not take it: it may change what a running
    /// issuer serves.
    ///
    /// # Errors
    /// [`StoreError::AlreadyServing`] if another process has it; [`StoreError::File`] if the lock file cannot be made.
    pub fn lock_for_serving(&self) -> Result<ServingLock, StoreError> {
        let file = self.file().map(lock_beside).transpose()?;
        Ok(ServingLock { _file: file })
    }
}

fn lock_beside(database: &Path) -> Result<File, StoreError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let fail = |source| StoreError::File { path: path.clone().into(), source };
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::AlreadyServing(database.to_owned())),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}
