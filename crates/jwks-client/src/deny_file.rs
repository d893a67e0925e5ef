//! Kids that an operator denies in a file: for where the issuer cannot be reached.

use std::path::Path;

use claviger_jose::Kid;

use crate::{
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
pub(crate) async fn watch(shared: &Shared, mut file: WatchedFile) {
    // What was written while the client was made is read, too.
    let mut is_new = true;
    loop {
        let _ = guarded(look(shared, &mut file, is_new)).await;
        is_new = false;
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(shared: &Shared, file: &mut WatchedFile, is_new: bool) {
    if !is_new && !file.has_changed().await {
        return;
    }
    let path = file.path().to_owned();
    match file.read().await {
        Ok(content) => take(shared, &path, &content),
        // That there is none was told at the start.
        Err(_) if is_new => {}
        Err(reason) => {
            let (issuer, path) = (&shared.issuer, path.display());
            tracing::warn!(%issuer, %path, %reason, "the deny file has changed and cannot be read");
        }
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
}
