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
    /// The highest number that was given out.
    numbers: usize,
}

impl<T: Clone + Serialize + DeserializeOwned> Book<T> {
    pub(crate) fn open(
        directory: Option<&Path>,
        name: &str,
        number: fn(&T) -> usize,
    ) -> anyhow::Result<Self> {
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
        let numbers = lines.iter().map(number).max().unwrap_or(0);
        Ok(Self(Mutex::new(Pages { lines, file, numbers })))
    }

    /// A number that no other line of this book has.
    pub(crate) fn number(&self) -> usize {
        let mut pages = self.pages();
        pages.numbers += 1;
        pages.numbers
    }

    pub(crate) fn keep(&self, line: &T) -> io::Result<()> {
        let mut pages = self.pages();
        if let Some(file) = &mut pages.file {
            file.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())?;
        }
        pages.lines.push(line.clone());
        Ok(())
    }

    /// The lines that are asked for.
    pub(crate) fn lines(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        self.pages().lines.iter().filter(|line| wanted(line)).cloned().collect()
    }

    fn pages(&self) -> MutexGuard<'_, Pages<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
