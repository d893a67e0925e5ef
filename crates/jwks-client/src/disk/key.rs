use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
};

use aws_lc_rs::{hmac, rand};

use super::read_bounded;

/// The shortest key, in bytes: as long as the checksum.
pub(crate) const MIN_KEY: usize = 32;

/// A key from the operator's secret.
pub(crate) fn key_of(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// The key in this file, which is made if it is not there. It belongs to the copy beside it: keep and move both
/// together. Without it the copy is put aside, and the next fetch brings the set back, but not the denied kids: they are
/// accepted again until they are denied anew.
pub(super) fn load_or_create(path: &Path) -> Result<hmac::Key, String> {
    let refused = |what: &str, error: &io::Error| format!("{what} {}: {error}", path.display());
    let mut fresh = [0; MIN_KEY];
    rand::fill(&mut fresh).map_err(|_| "the system has no randomness to make a key of".to_owned())?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            let written = file.write_all(&fresh).and_then(|()| file.sync_all());
            written.map_err(|error| refused("cannot write the key file", &error))?;
            Ok(key_of(&fresh))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let held =
                read_bounded(path, 4096).map_err(|error| refused("cannot read the key file", &error))?;
            warn_of_readers(path);
            if held.len() < MIN_KEY {
                return Err(format!("the key file {} is cut short: remove it", path.display()));
            }
            Ok(key_of(&held))
        }
        Err(error) => Err(refused("cannot create the key file", &error)),
    }
}

/// No reason to refuse: volumes of some orchestrators change the modes of what is on them.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    {
        let path = path.display();
        tracing::warn!(%path, "the key of the disk copy can be read by others: chmod 600");
    }
}
