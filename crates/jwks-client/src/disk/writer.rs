use std::{
    fs::File,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
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
    /// The last writing failed, and what was to be written is nowhere.
    failed: bool,
}

/// Somebody whose end it is to write. A runtime that shuts down drops what it has not begun, which must not be lost.
struct Duty(Arc<Writer>);

impl Drop for Duty {
    fn drop(&mut self) {
        self.0.drain();
    }
}

impl Writer {
    pub(super) fn new(path: PathBuf, key: hmac::Key, runtime: Handle) -> Self {
        Self { path, key, runtime, queue: Mutex::default() }
    }

    pub(super) fn put(self: &Arc<Self>, record: Record) {
        let was_busy = {
            let mut queue = self.queue();
            queue.next = Some(record);
            std::mem::replace(&mut queue.busy, true)
        };
        if !was_busy {
            let duty = Duty(Arc::clone(self));
            self.runtime.spawn_blocking(move || drop(duty));
        }
    }

    /// Whether the last writing failed.
    pub(super) fn has_failed(&self) -> bool {
        self.queue().failed
    }

    fn drain(&self) {
        while let Some(record) = self.next() {
            // A panic, of a subscriber of traces say, must not leave the queue busy for ever.
            let written = catch_unwind(AssertUnwindSafe(|| self.write(&record)));
            self.queue().failed = !written.unwrap_or(false);
        }
    }

    fn write(&self, record: &Record) -> bool {
        let written = write(&self.path, &record.seal(&self.key));
        if let Err(error) = &written {
            let path = self.path.display();
            tracing::warn!(
                %path, %error,
                "the key set and the denied kids could not be copied to the disk; a restart would miss them"
            );
        }
        written.is_ok()
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

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn record() -> Record {
        let denied = vec!["a".parse().unwrap()];
        Record { issuer: "https://id.test".into(), denied, revocations: Arc::default(), set: None }
    }

    fn writer(path: PathBuf, runtime: &Runtime) -> Arc<Writer> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        Arc::new(Writer::new(path, key, runtime.handle().clone()))
    }

    #[test]
    fn what_a_runtime_no_longer_begins_is_written_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        let writer = writer(directory.path().join("jwks"), &runtime);
        drop(runtime);
        writer.put(record());
        let written = std::fs::read(directory.path().join("jwks")).unwrap();
        assert_eq!(Record::open(&written, &writer.key), Ok(record()));
    }

    #[test]
    fn a_failure_is_known_until_a_writing_succeeds() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        let place = directory.path().join("absent");
        let writer = writer(place.join("jwks"), &runtime);
        drop(runtime);
        assert!(!writer.has_failed());
        writer.put(record());
        assert!(writer.has_failed());
        std::fs::create_dir(&place).unwrap();
        writer.put(record());
        assert!(!writer.has_failed());
    }
}
