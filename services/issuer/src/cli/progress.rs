use std::{
    fmt::Write as _,
    io::{IsTerminal, stdout},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far something has come: a bar on a terminal, a line for each change elsewhere.
pub(super) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    pub(super) fn new(what: impl Into<String>) -> Self {
        let bar = stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stdout());
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}");
            bar.set_style(style.expect("a constant template"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let what = what.into();
        if let Some(bar) = &bar {
            bar.set_prefix(what.clone());
        }
        Self { what, bar, last: String::new() }
    }

    pub(super) fn show(&mut self, done: usize, of: usize, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(u64::try_from(of).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
            bar.set_message(note.to_owned());
            return;
        }
        let line = line(&self.what, (done, of), note);
        if line != self.last {
            println!("{line}");
            self.last = line;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(what: &str, (done, of): (usize, usize), note: &str) -> String {
    let mut line = format!("{what}: {done} of {of}");
    if !note.is_empty() {
        let _ = write!(line, "; {note}");
    }
    line
}
