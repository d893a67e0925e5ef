//! Where secrets come from: a file, the environment, a command.

mod command;
mod file;

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

pub use command::SecretCommand;
pub(super) use file::create;

/// The longest secret, in bytes: a key has 43 characters, a PIN fewer.
const LONGEST: usize = 1024;

/// Where a secret is read from, each time that it is needed: not more often than at a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file that only its owner can read.
    File(PathBuf),
    /// A variable of the environment. It stays in the memory of the process, and who starts processes beside it with
    /// the same environment hands it on: a file or a command is better.
    Environment(String),
    /// What a command writes.
    Command(SecretCommand),
}

/// A secret cannot be had from its source.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct SecretError {
    pub(super) source_name: String,
    pub(super) reason: String,
}

impl SecretSource {
    /// Reads the secret: its text, without the line break that ends it. A command may take ten seconds: not on an
    /// async worker.
    ///
    /// # Errors
    /// [`SecretError`], which names the source and what is wrong with it, and never what it holds.
    pub fn read(&self) -> Result<Zeroizing<String>, SecretError> {
        let read = match self {
            Self::File(path) => file::read(path),
            Self::Environment(name) => variable(name),
            Self::Command(command) => command.run(),
        };
        let text = read.and_then(|text| {
            let line = text.trim_end_matches(['\r', '\n']);
            if line.is_empty() { Err("it is empty".to_owned()) } else { Ok(Zeroizing::new(line.to_owned())) }
        });
        text.map_err(|reason| self.error(reason))
    }

    pub(super) fn error(&self, reason: String) -> SecretError {
        SecretError { source_name: self.to_string(), reason }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Command(command) => write!(f, "command {}", command.program()),
        }
    }
}

fn variable(name: &str) -> Result<Zeroizing<String>, String> {
    match std::env::var(name).map(Zeroizing::new) {
        Ok(text) if text.len() > LONGEST => Err(format!("it is longer than {LONGEST} bytes")),
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => Err("it is not set".to_owned()),
        Err(std::env::VarError::NotUnicode(_)) => Err("it is no text".to_owned()),
    }
}
