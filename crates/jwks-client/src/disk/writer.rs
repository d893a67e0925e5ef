use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::hmac;
use tokio::runtime::Handle;

use super::{Record, directory_of};

/// Writes copies, one at a time, on a thread where waiting for a disk hurts nobody.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    key: hmac::Key,
    runtime: Handle,
    queue: Mutex<Queue>,
}

/// At most one copy waits; a newer one takes its place.
#[derive(Debug, Default)]
struct Queue {
    busy: bool,
    next: Option<Record>,
}

impl Writer {
    pub(super) fn new(path: PathBuf, key: hmac::Key, runtime: Handle) -> Self {
        Self { path, key, runtime, queue: Mutex::default() }
    }

    pub(super) fn put(self: &Arc<Self>, record: Record) {
        let mut queue = self.queue();
        queue.next = Some(record);
        if !std::mem::replace(&mut queue.busy, true) {
            let writer = Arc::clone(self);
            self.runtime.spawn_blocking(move || writer.drain());
        }
    }

    fn drain(&self) {
        while let Some(record) = self.next() {
            if let Err(error) = write(&self.path, &record.seal(&self.key)) {
                let path = self.path.display();
                tracing::warn!(%path, %error, "the key set could not be copied to the disk; a restart would miss it");
            }
        }
    }

    fn next(&self) -> Option<Record> {
        let mut queue = self.queue();
        let next = queue.next.take();
        queue.busy = next.is_some();
        next
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever reads the path, at any moment and after any crash, sees the old copy or the new one, whole.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(path).ok_or(io::ErrorKind::InvalidInput)?;
    let mut draft = tempfile::Builder::new();
    #[cfg(unix)]
    draft.permissions(<std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600));
    let mut draft = draft.prefix(".jwks-").suffix(".draft").tempfile_in(directory)?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    // The new name, too, must be on the disk. Only unix can open a directory for that.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}
