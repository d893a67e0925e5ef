use indicatif::{ProgressBar, ProgressStyle};

use crate::row::Row;

/// How often, and what, to measure.
pub(crate) struct Plan {
    runs: u32,
    filter: Option<String>,
    progress: ProgressBar,
}

impl Plan {
    pub(crate) fn new(runs: u32, filter: Option<String>) -> Self {
        let style = ProgressStyle::with_template("{elapsed:>4} {msg}").expect("the template is well-formed");
        Self { runs, filter, progress: ProgressBar::new_spinner().with_style(style) }
    }

    /// Whether this row was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| name.contains(filter))
    }

    /// Whether one of these rows, which are measured together, was asked for.
    pub(crate) fn wants_any(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.wants(row.name()))
    }

    /// The numbers of the runs, told to whoever waits.
    pub(crate) fn runs(&self, what: &str) -> impl Iterator<Item = u32> {
        (1..=self.runs).inspect(move |run| self.tell(&format!("{what}: run {run} of {}", self.runs)))
    }

    pub(crate) fn tell(&self, message: &str) {
        self.progress.set_message(message.to_owned());
        self.progress.tick();
    }

    pub(crate) fn finish(&self) {
        self.progress.finish_and_clear();
    }
}
