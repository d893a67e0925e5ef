//! Times and lists as people read them.

use std::{
    fmt::Display,
    time::{Duration, UNIX_EPOCH},
};

use claviger_jose::NumericDate;

/// The most names that a line lists.
const NAMES: usize = 8;

/// A duration in whole seconds; below ten, with one decimal.
pub(super) fn span(duration: Duration) -> String {
    if duration < Duration::from_secs(10) && duration.subsec_millis() >= 50 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// A time (RFC 3339).
pub(super) fn time(at: NumericDate) -> impl Display {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.as_secs()))
}

/// The first names, and how many there are besides.
pub(super) fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_have_a_decimal_and_long_lists_an_end() {
        assert_eq!(span(Duration::from_millis(1_240)), "1.2s");
        assert_eq!(span(Duration::from_millis(12_940)), "12s");
        assert_eq!(span(Duration::from_secs(5)), "5s");
        assert_eq!(span(Duration::from_hours(24)), "1day");
        assert_eq!(names(["a", "b"]), "a, b");
        assert_eq!(names(["a"; 10]), "a, a, a, a, a, a, a, a and 2 more");
        assert_eq!(time(NumericDate::from_secs(86_400)).to_string(), "1970-01-02T00:00:00Z");
    }
}
