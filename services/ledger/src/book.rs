use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, de::DeserializeOwned};

/// What was accepted, in order: in memory and, given a directory, as lines of JSON in a file there.
pub(crate) struct Book<T>(Mutex<Pages<T>>);

struct Pages<T> {
    lines: Vec<T>,
    file: Option<File>,
}

impl<T: Clone + Serialize + DeserializeOwned> Book<T> {
    pub(crate) fn open(directory: Option<&Path>, name: &str) -> anyhow::Result<Self> {
        let (mut lines, mut file) = (Vec::new(), None);
        if let Some(directory) = directory {
            create_dir_all(directory)?;
            let open = OpenOptions::new().create(true).read(true).append(true).open(directory.join(name))?;
            let text = io::read_to_string(&open)?;
            // A last line that broke off was never answered for: the process died in the middle of it.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            open.set_len(whole as u64)?;
            lines = text[..whole].lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
            file = Some(open);
        }
        Ok(Self(Mutex::new(Pages { lines, file })))
    }

    pub(crate) fn keep(&self, line: &T) -> io::Result<()> {
        let mut pages = self.pages();
        if let Some(file) = &mut pages.file {
            file.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())?;
        }
        pages.lines.push(line.clone());
        Ok(())
    }

    pub(crate) fn lines(&self) -> Vec<T> {
        self.pages().lines.clone()
    }

    fn pages(&self) -> MutexGuard<'_, Pages<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
