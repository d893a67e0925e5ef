use std::{error::Error, io, path::PathBuf};

use claviger_jose::Kid;

use crate::Username;

/// Why the store did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, is busy, or is out of time or space. It may work in a moment; a caller of the
    /// token endpoint is answered with 503.
    #[error("the database does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A check, index or trigger of the database refuses the change: it would break a rule of the schema, such as
    /// one active key per algorithm. Nothing was changed.
    #[error("the database refuses a change that breaks its rules")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Any other failure of the database.
    #[error("the database failed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// The database is damaged, or holds what no issuer has written.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// A key of this kid is, or once was, in the keyring; its kid never returns.
    #[error("there is, or was, a key {0}: a kid never returns")]
    KidExists(Kid),
    /// A key is not in the state from which it was to go on. Nothing was changed.
    #[error("the key {0} is not in the state from which it was to go on")]
    NotInState(Kid),
    /// The name is somebody's already. Nothing was changed.
    #[error("there is somebody of the name {0} already")]
    UserExists(Username),
    /// The revocation feed holds as much as verifiers read.
    #[error("the revocation feed is full: revoke a subject, a client or everything instead of single tokens")]
    FeedFull,
    /// Another serving issuer holds the database.
    #[error("another issuer serves from {0}")]
    AlreadyServing(PathBuf),
    /// The database belongs to another issuer.
    #[error("this database belongs to the issuer {bound}, not to {asked}")]
    WrongIssuer {
        /// The issuer whose keys and clients it holds.
        bound: String,
        /// The issuer that asked for it.
        asked: String,
    },
    /// A newer binary has changed the schema.
    #[error(
        "the database has the schema {found}, this claviger knows schemas up to {newest}: run a newer claviger"
    )]
    SchemaTooNew {
        /// The newest change that the database has and this binary does not know.
        found: String,
        /// The newest change that this binary knows.
        newest: String,
    },
    /// The SQLite library has known faults: 3.51.3 is the first that does not lose data in WAL mode.
    #[error("SQLite {found} may lose data, at least 3.51.3 is needed")]
    SqliteTooOld {
        /// The version of the library.
        found: String,
    },
    /// A setting under which an acknowledged change could be lost.
    #[error("{setting} is {found} but must be {needed}, or acknowledged changes can be lost")]
    Durability {
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        needed: &'static str,
    },
    /// The URL names no database that could be used.
    #[error("the database URL {0}")]
    BadUrl(&'static str),
    /// There is no database, and none was to be made.
    #[error("there is no database {0}; `claviger init` makes one")]
    Missing(PathBuf),
    /// The file of the database is readable or writable for others: it holds sealed keys and hashes.
    #[error("the database {path} is open to others (mode {mode:03o}), its mode must be 600")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file cannot be made, opened or locked.
    #[error("{path} cannot be used")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// SQLite's locks do not hold on network file systems.
    #[error(
        "{0} is on a network file system, where two processes would not see each other's locks; use PostgreSQL"
    )]
    NetworkFileSystem(PathBuf),
}

impl StoreError {
    /// Whether the same call may succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
