//! The last good set on disk, for a start while the issuer cannot be reached.
//!
//! The copy is the operator's opt-in. It holds public keys only, but it decides which signatures are
//! believed, so it carries a checksum under a key of this client ([HMAC-SHA-256](hmac)).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::hmac;
use tokio::runtime::Handle;

mod key;
mod record;
mod writer;

pub(crate) use key::{MIN_KEY, key_of};
pub(crate) use record::{Record, SetCopy, Unfit};
use writer::Writer;

/// Far above the largest copy: a document of 256 KiB, quoted, and all that can be revoked.
const MAX_COPY: u64 = 32 * 1024 * 1024;

/// Where the copy is kept, and how it is known to be ours.
#[derive(Debug)]
pub(crate) struct DiskCopy {
    path: PathBuf,
    key: hmac::Key,
    writer: Arc<Writer>,
}

impl DiskCopy {
    /// With the given key, or the one in the file beside it, which is made if there is none.
    ///
    /// # Errors
    /// What is wrong and what would be right, as the end of a sentence.
    pub(crate) fn prepare(path: PathBuf, key: Option<hmac::Key>, runtime: Handle) -> Result<Self, String> {
        let directory = directory_of(&path).ok_or("the path must name a file")?;
        if !directory.is_dir() {
            return Err(format!("create the directory {} first, mode 0700", directory.display()));
        }
        let key = match key {
            Some(key) => key,
            None => key::load_or_create(&beside(&path, ".key"))?,
        };
        let writer = Arc::new(Writer::new(path.clone(), key.clone(), runtime));
        Ok(Self { path, key, writer })
    }

    /// Reads the copy; `None` if there is none yet.
    pub(crate) fn load(&self) -> Option<Result<Record, Unfit>> {
        match read_bounded(&self.path, MAX_COPY) {
            Ok(sealed) => Some(Record::open(&sealed, &self.key)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(Unfit::Unreadable(error.kind()))),
        }
    }

    /// Puts a copy that is not ours aside, before a new one takes its place: it may be the only list of denied kids.
    /// Answers where it is now.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = beside(&self.path, ".rejected");
        fs::rename(&self.path, &aside).map(|()| aside)
    }

    /// Writes a copy in the background. Of several at once the last one counts.
    pub(crate) fn save(&self, record: Record) {
        self.writer.put(record);
    }

    /// Whether the last writing failed: what was to be kept is nowhere.
    pub(crate) fn has_failed(&self) -> bool {
        self.writer.has_failed()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells copies under different keys apart, and nothing about the key.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        hmac::sign(&self.key, b"claviger jwks copy: fingerprint").as_ref().to_vec()
    }
}

fn directory_of(path: &Path) -> Option<&Path> {
    path.file_name()?;
    path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Reads a regular file of at most `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    fs::read(path)
}
