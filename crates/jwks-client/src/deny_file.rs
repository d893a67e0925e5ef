//! Kids that an operator denies in a file: for where the issuer cannot be reached.

use std::path::Path;

use claviger_jose::Kid;

use crate::{
    FetchError,
    refresh::{LOOK, guarded},
    shared::Shared,
    source::WatchedFile,
};

/// Reads the file before the client is used.
pub(crate) fn read_now(shared: &Shared, path: &Path) {
    match std::fs::read(path) {
        Ok(content) => take(shared, path, &content),
        Err(error) => {
            let (issuer, path) = (&shared.issuer, path.display());
            tracing::warn!(%issuer, %path, %error, "the deny file cannot be read: it denies nothing yet");
        }
    }
}

/// Looks at the file every second, until it is dropped. A panic ends one look.
pub(crate) async fn watch(shared: &Shared, file: WatchedFile) {
    let mut file = DenyFile::new(file);
    loop {
        let _ = guarded(look(shared, &mut file)).await;
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(shared: &Shared, file: &mut DenyFile) {
    let was_unread = file.is_unread;
    let (issuer, path) = (&shared.issuer, file.file.path().to_owned());
    match file.look().await {
        Some(Ok(content)) => take(shared, &path, &content),
        // Told once; that there is none, at the start.
        Some(Err(reason)) if !was_unread => {
            let path = path.display();
            tracing::warn!(%issuer, %path, %reason, "the deny file has changed and cannot be read");
        }
        _ => {}
    }
}

/// The file, and whether it is as it was read.
#[derive(Debug)]
struct DenyFile {
    file: WatchedFile,
    is_unread: bool,
}

impl DenyFile {
    /// What was written while the client was made is read, too.
    fn new(file: WatchedFile) -> Self {
        Self { file, is_unread: true }
    }

    /// Reads the file if it has changed. One that could not be read is tried at each look: what is in the way, as a mode,
    /// may go without a change of time or length.
    async fn look(&mut self) -> Option<Result<Vec<u8>, FetchError>> {
        if !self.is_unread && !self.file.has_changed().await {
            return None;
        }
        self.is_unread = true;
        let content = self.file.read().await;
        self.is_unread = content.is_err();
        Some(content)
    }
}

fn take(shared: &Shared, path: &Path, content: &[u8]) {
    let (kids, bad) = parse(content, shared.foreign);
    for line in bad {
        let (issuer, path) = (&shared.issuer, path.display());
        tracing::warn!(%issuer, %path, line, "a line of the deny file is no kid: it denies nothing");
    }
    shared.strike_listed(kids);
}

/// The kids, and the numbers of the lines that are none. In this house a kid is a thumbprint.
fn parse(content: &[u8], foreign: bool) -> (Vec<Kid>, Vec<usize>) {
    let (mut kids, mut bad) = (Vec::new(), Vec::new());
    for (at, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let mut words = line.trim_start_matches('\u{feff}').split_whitespace();
        let (first, second) = (words.next(), words.next());
        match first {
            None => {}
            Some(comment) if comment.starts_with('#') => {}
            Some(text) => match text.parse::<Kid>() {
                Ok(kid)
                    if (foreign || kid.is_thumbprint())
                        && second.is_none_or(|word| word.starts_with('#')) =>
                {
                    kids.push(kid);
                }
                _ => bad.push(at + 1),
            },
        }
    }
    (kids, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-43
    #[test]
    fn a_line_is_a_kid_a_comment_or_nothing() {
        let (one, two) = ("A".repeat(43), "B".repeat(43));
        let text =
            format!("# stolen\r\n{one}\r\n\n  {two}  # ticket 7\nnot a kid\nshort\n{one} {two}\n\u{fffd}");
        let (kids, bad) = parse(text.as_bytes(), false);
        assert_eq!(kids.iter().map(Kid::as_str).collect::<Vec<_>>(), [&one, &two]);
        assert_eq!(bad, [5, 6, 7, 8]);
        assert_eq!(parse(b"short\n\xff\xfe", true).0.len(), 1, "others name their keys as they like");
        assert_eq!(parse(b"", false), (Vec::new(), Vec::new()));
    }

    /// In the place of a directory, which cannot be read, comes a file of the same length and time: nothing that is looked
    /// at has changed, as after a `chmod`.
    // S-43
    #[tokio::test]
    async fn a_file_that_could_not_be_read_is_tried_again_until_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let [path, next] = ["denied", "next"].map(|name| directory.path().join(name));
        std::fs::create_dir(&path).unwrap();
        let mut file = DenyFile::new(WatchedFile::new(path.clone()));
        for _ in 0..2 {
            assert!(file.look().await.unwrap().is_err());
        }
        let seen = std::fs::metadata(&path).unwrap();
        let text = vec![b'\n'; usize::try_from(seen.len()).unwrap()];
        std::fs::write(&next, &text).unwrap();
        let written = std::fs::File::options().write(true).open(&next).unwrap();
        written.set_modified(seen.modified().unwrap()).unwrap();
        std::fs::rename(&path, directory.path().join("away")).unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_eq!(file.look().await, Some(Ok(text)));
        assert_eq!(file.look().await, None, "it is as it was read");
    }
}
