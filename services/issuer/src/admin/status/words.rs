//! Times and counts as people read them.

use std::time::{Duration, UNIX_EPOCH};

use claviger_jose::{Kid, NumericDate};

/// The length of a time in its two largest units: `6 d 23 h`, `59 s`.
pub(super) fn span(span: Duration) -> String {
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let secs = span.as_secs();
    let Some(first) = units.iter().position(|(_, length)| secs >= *length) else {
        return "0 s".to_owned();
    };
    let (name, length) = units[first];
    let rest = units.get(first + 1).map(|(name, smaller)| (secs % length / smaller, name));
    match rest {
        Some((count, smaller)) if count > 0 => format!("{} {name} {count} {smaller}", secs / length),
        _ => format!("{} {name}", secs / length),
    }
}

/// A time as seen from now: `in 3 min`, `now`, `3 min ago`.
pub(super) fn relative(at: NumericDate, now: NumericDate) -> String {
    match at.cmp(&now) {
        std::cmp::Ordering::Greater => format!("in {}", span(at.since(now))),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Less => format!("{} ago", span(now.since(at))),
    }
}

/// A time for machines: RFC 3339.
pub(super) fn rfc3339(at: NumericDate) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.as_secs())).to_string()
}

/// A time for people: `2026-11-21 18:22:56 UTC`.
pub(super) fn utc(at: NumericDate) -> String {
    rfc3339(at).replace('T', " ").replace('Z', " UTC")
}

/// Enough of an identifier to tell keys apart.
pub(super) fn short(kid: &Kid) -> &str {
    kid.as_str().get(..8).unwrap_or_else(|| kid.as_str())
}

/// `1 verifier`, `2 verifiers`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        let told = |secs| span(Duration::from_secs(secs));
        assert_eq!(told(0), "0 s");
        assert_eq!(told(59), "59 s");
        assert_eq!(told(60), "1 min");
        assert_eq!(told(3_661), "1 h 1 min");
        assert_eq!(told(86_400 + 59), "1 d");
        assert_eq!(told(7 * 86_400 - 1), "6 d 23 h");
    }

    #[test]
    fn a_time_is_told_from_now() {
        let at = NumericDate::from_secs;
        assert_eq!(relative(at(100), at(40)), "in 1 min");
        assert_eq!(relative(at(40), at(100)), "1 min ago");
        assert_eq!(relative(at(40), at(40)), "now");
        assert_eq!(utc(at(0)), "1970-01-01 00:00:00 UTC");
    }
}
