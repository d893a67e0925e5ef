use std::path::PathBuf;

use crate::FetchError;

/// Why a client cannot be built. The message says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A URL that must not be asked. It is not repeated here, since it may hold a password.
    #[error("the {name} is not acceptable: {reason}")]
    Url {
        /// Which of the URLs.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The sources do not go together.
    #[error("the sources of the key set cannot be used: {0}")]
    Sources(&'static str),
    /// The fixed set is not one that would be accepted if it were fetched.
    #[error("the fixed key set cannot be used: {reason}; {}", .reason.remedy())]
    FixedSet {
        /// What is wrong with it.
        reason: FetchError,
    },
    /// The disk copy cannot be kept there.
    #[error("the key set cannot be copied to {}: {reason}", .path.display())]
    DiskCopy {
        /// Where it was to be.
        path: PathBuf,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// There is no tokio runtime here to keep the set fresh.
    #[error("build the client inside a tokio runtime: it fetches in a task of its own")]
    NoRuntime,
    /// TLS cannot be set up.
    #[error(
        "TLS cannot be set up; are there certificate authorities on this system (package ca-certificates)?"
    )]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}
