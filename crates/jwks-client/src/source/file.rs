use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::{FetchError, fetch::MAX_BODY};

/// A look at a healthy file takes microseconds; one on a network may take for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file with a key set or a deny list, which others write.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    seen: Seen,
    /// The one look or reading that is under way. A file system that hangs holds one thread and not more.
    under_way: Option<JoinHandle<(Seen, Option<Content>)>>,
}

type Content = Result<Vec<u8>, FetchError>;

/// What the file was like when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    Absent,
    As { modified: Option<SystemTime>, length: u64 },
}

impl WatchedFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, seen: Seen::Never, under_way: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is not as it was at the last look or reading. Content that was refused once is not refused again
    /// every second: it is read again when it changes, or when an attempt is due.
    pub(crate) async fn has_changed(&mut self) -> bool {
        let Ok(Some((now, _))) = timeout(PATIENCE, self.visit(false)).await else {
            return false;
        };
        let before = std::mem::replace(&mut self.seen, now);
        before != Seen::Never && before != now
    }

    pub(crate) async fn read(&mut self) -> Content {
        let (seen, content) = self.visit(true).await.ok_or(FetchError::Interrupted)?;
        // The look was before the reading: what is written in between is noticed at the next look.
        self.seen = seen;
        content.unwrap_or(Err(FetchError::Interrupted))
    }

    async fn visit(&mut self, reading: bool) -> Option<(Seen, Option<Content>)> {
        if let Some(earlier) = &mut self.under_way {
            let _ = earlier.await;
        }
        let path = self.path.clone();
        let visit = move || (look(&path), reading.then(|| read(&path)));
        let visited = self.under_way.insert(spawn_blocking(visit)).await;
        self.under_way = None;
        visited.ok()
    }
}

fn look(path: &Path) -> Seen {
    match fs::metadata(path) {
        Ok(metadata) => Seen::As { modified: metadata.modified().ok(), length: metadata.len() },
        Err(_) => Seen::Absent,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    let refused = |error: io::Error| FetchError::File(error.kind());
    // To open a pipe would wait for somebody to write into it.
    if !fs::metadata(path).map_err(refused)?.is_file() {
        return Err(FetchError::File(io::ErrorKind::InvalidInput));
    }
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BODY as u64 + 1).read_to_end(&mut content))
        .map_err(refused)?;
    if content.len() > MAX_BODY { Err(FetchError::TooLarge) } else { Ok(content) }
}
