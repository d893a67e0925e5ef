use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::LONGEST;

/// Reads a file that nobody else can read.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let words = |error: io::Error| error.to_string();
    // A pipe that nobody writes to would hold up the start for ever.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(words)?;
    // Asked of the open file, not of the path: nobody can exchange it in between.
    let metadata = file.metadata().map_err(words)?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(
            "it can be read by others; `chmod 600` it, and make a new secret if they may have".to_owned()
        );
    }
    let user = rustix::process::geteuid();
    if metadata.uid() != user.as_raw() && !user.is_root() {
        return Err("it belongs to another user".to_owned());
    }
    if metadata.len() > LONGEST as u64 {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    read_text(&mut file)
}

/// Reads text of at most [`LONGEST`] bytes into one buffer that does not grow: none is left behind.
pub(super) fn read_text(from: &mut impl Read) -> Result<Zeroizing<String>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let read = from.take(LONGEST as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("it is no text".to_owned()),
    }
}

/// Writes a new file that only its owner can read.
pub(in crate::keys) fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
