use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use claviger_jose::base64url;
use claviger_keyring::{KeyEncryptionKey, WeakKey, rand_core::RngCore};
use zeroize::Zeroizing;

use crate::rng::SystemRng;

/// The file of the key-encryption key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KekFileError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error(
        "{0}: the key-encryption key can be read by others; `chmod 600` it and make a new one if they may have"
    )]
    Readable(PathBuf),
    /// Somebody else owns it.
    #[error("{0}: the key-encryption key belongs to another user")]
    Owner(PathBuf),
    /// It holds no acceptable key.
    #[error("{path}: {reason}")]
    Weak {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        reason: String,
    },
}

/// Makes a new key-encryption key: 32 random bytes in base64url, readable by its owner alone.
///
/// # Errors
/// [`KekFileError::Io`]; also if the file exists, for it may be the only copy of a key in use.
pub fn create_kek(path: &Path) -> Result<(), KekFileError> {
    let mut raw = Zeroizing::new([0; KeyEncryptionKey::LENGTH]);
    SystemRng.fill_bytes(&mut *raw);
    let text = Zeroizing::new(base64url::encode(&*raw) + "\n");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| KekFileError::Io { path: path.to_owned(), source })
}

/// Reads the key-encryption key.
///
/// # Errors
/// [`KekFileError`] if the file is missing, open to others, or holds no acceptable key.
pub fn read_kek(path: &Path) -> Result<KeyEncryptionKey, KekFileError> {
    let io = |source| KekFileError::Io { path: path.to_owned(), source };
    let weak = |reason: String| KekFileError::Weak { path: path.to_owned(), reason };
    let mut file = File::open(path).map_err(io)?;
    // Asked of the open file, not of the path: nobody can exchange it in between.
    let metadata = file.metadata().map_err(io)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(KekFileError::Readable(path.to_owned()));
    }
    let user = rustix::process::geteuid();
    if metadata.uid() != user.as_raw() && !user.is_root() {
        return Err(KekFileError::Owner(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::with_capacity(64));
    Read::by_ref(&mut file).take(1024).read_to_string(&mut text).map_err(io)?;
    let raw = base64url::decode(text.trim_end())
        .map_err(|_| weak("32 bytes in base64url are expected".to_owned()))?;
    KeyEncryptionKey::new(&Zeroizing::new(raw)).map_err(|error: WeakKey| weak(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn refusal(text: &str, mode: u32) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let message = read_kek(&path).map_or_else(|error| error.to_string(), |_| String::new());
        message.replace(&path.display().to_string(), "kek")
    }

    // S-48
    #[test]
    fn a_weak_or_exposed_key_is_refused() {
        let zero = base64url::encode(&[0; 32]);
        let counting = base64url::encode(&std::array::from_fn::<u8, 32, _>(|n| u8::try_from(n).unwrap()));
        let short = base64url::encode(&[7, 1, 9, 4]);
        let good = "qsLWAyV3p0sJr7GkU1d9mZ2xYt6bNfHcVeQoIiKwX84";
        assert_eq!(refusal(good, 0o600), "");
        assert_eq!(refusal(&format!("{good}\n"), 0o400), "");
        assert!(refusal(good, 0o640).contains("can be read by others"));
        assert!(refusal(good, 0o604).contains("can be read by others"));
        assert!(refusal(&zero, 0o600).contains("a pattern"));
        assert!(refusal(&counting, 0o600).contains("a pattern"));
        assert!(refusal(&short, 0o600).contains("has 32 bytes, this one has 4"));
        assert!(refusal("", 0o600).contains("this one has 0"));
        assert!(refusal("not base64url!", 0o600).contains("base64url are expected"));
    }

    #[test]
    fn a_new_key_is_private_and_never_overwrites_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek");
        create_kek(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let id = read_kek(&path).unwrap().id().to_owned();
        assert!(matches!(create_kek(&path), Err(KekFileError::Io { .. })));
        assert_eq!(read_kek(&path).unwrap().id(), id);
    }
}
