//! What an answer says about its own lifetime (RFC 9111), and when to come back (RFC 9110).

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The longest entity tag or date that is sent back.
const MAX_VALIDATOR: usize = 1024;
/// An issuer may slow its verifiers down, not switch them off.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// What an answer says about how long it may be used. `None`: it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Horizons {
    /// Fresh for so long: `max-age` or else `Expires`, less `Age`; zero if it must not be reused.
    pub fresh: Option<Duration>,
    /// While the issuer cannot be reached, usable for so long: `stale-if-error` (RFC 5861 section 4).
    pub stale: Option<Duration>,
    /// How long it lay in caches before it came: what `Age` says, or nothing.
    pub age: Duration,
}

/// What makes the next request conditional. They are sent back as they came, and only to where they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) last_modified: Option<HeaderValue>,
}

impl Validators {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let bounded = |name| headers.get(name).filter(|value| value.len() <= MAX_VALIDATOR).cloned();
        let is_date = |value: &HeaderValue| value.to_str().is_ok_and(|text| date(text).is_some());
        Self { etag: bounded(header::ETAG), last_modified: bounded(header::LAST_MODIFIED).filter(is_date) }
    }

    /// The entity tag as others name it: without quotes and the mark of a weak one.
    pub(crate) fn tag(&self) -> Option<&str> {
        let text = self.etag.as_ref()?.to_str().ok()?;
        Some(text.strip_prefix("W/").unwrap_or(text).trim_matches('"'))
    }

    /// Whether "not modified" is about what we hold: an answer that names a tag names ours, but for its strength
    /// (RFC 9110 sections 8.8.3.2 and 15.4.5).
    pub(crate) fn are_of(&self, headers: &HeaderMap) -> bool {
        let opaque =
            |tag: &HeaderValue| tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes()).to_vec();
        match (&self.etag, headers.get(header::ETAG)) {
            (Some(ours), Some(theirs)) => opaque(ours) == opaque(theirs),
            _ => true,
        }
    }

    /// The condition: by tag if there is one, for a date is only good to a second (RFC 9110 section 13.1.3).
    pub(crate) fn condition(&self) -> Option<(HeaderName, HeaderValue)> {
        let by_tag = self.etag.clone().map(|etag| (header::IF_NONE_MATCH, etag));
        by_tag.or_else(|| self.last_modified.clone().map(|date| (header::IF_MODIFIED_SINCE, date)))
    }
}

/// Reads `Cache-Control`, `Expires`, `Date` and `Age`.
pub(crate) fn horizons(headers: &HeaderMap) -> Horizons {
    let (mut fresh, mut stale): (Option<u64>, Option<u64>) = (None, None);
    for directive in texts(headers, header::CACHE_CONTROL).flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        // Of two, the stricter one; one that is no number counts as stale (RFC 9111 section 4.2.1).
        let seconds = delta_seconds(value.trim().trim_matches('"')).unwrap_or(0);
        let stricter = |known: Option<u64>| Some(known.map_or(seconds, |known| known.min(seconds)));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => fresh = Some(0),
            "max-age" => fresh = stricter(fresh),
            "stale-if-error" => stale = stricter(stale),
            _ => {}
        }
    }
    // `max-age` overrides `Expires` (RFC 9111 section 5.3).
    let fresh = fresh.or_else(|| expires(headers).map(|left| left.as_secs()));
    let age = texts(headers, header::AGE).find_map(delta_seconds).unwrap_or(0);
    Horizons {
        fresh: fresh.map(|seconds| Duration::from_secs(seconds.saturating_sub(age))),
        stale: stale.map(Duration::from_secs),
        age: Duration::from_secs(age),
    }
}

/// When to come back, at most a minute from now.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let told = texts(headers, header::RETRY_AFTER).find_map(|text| {
        delta_seconds(text).map(Duration::from_secs).or_else(|| since_date(headers, date(text)?))
    })?;
    Some(told.min(MAX_RETRY_AFTER))
}

/// The time that `Expires` leaves. Something that is no date is in the past (RFC 9111 section 5.3); of two, the first.
fn expires(headers: &HeaderMap) -> Option<Duration> {
    match date(texts(headers, header::EXPIRES).next()?) {
        Some(expires) => since_date(headers, expires),
        None => Some(Duration::ZERO),
    }
}

/// The time from the answer's own `Date`: our wall clock, which may be wrong, has no say. Without one it is not known.
fn since_date(headers: &HeaderMap, until: SystemTime) -> Option<Duration> {
    let from = date(texts(headers, header::DATE).next()?)?;
    Some(until.duration_since(from).unwrap_or(Duration::ZERO))
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

/// Digits only; a number too large to hold is as good as infinite (RFC 9111 section 1.2.2).
fn delta_seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        lines.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn the_issuer_says_for_how_long_a_stale_set_may_be_used() {
        let stale =
            |line: &str| horizons(&headers(&[("cache-control", line)])).stale.map(|stale| stale.as_secs());
        assert_eq!(stale("public, max-age=300, stale-if-error=86400"), Some(86_400));
        assert_eq!(stale("stale-if-error=9, stale-if-error=5"), Some(5));
        assert_eq!(stale("stale-if-error=x"), Some(0));
        assert_eq!(stale("max-age=300"), None);
    }

    #[test]
    fn cache_control_is_read_as_rfc_9111_says() {
        let check = |lines: &[(&'static str, &str)], expected: Option<u64>| {
            let mut map = HeaderMap::new();
            for (name, text) in lines {
                map.append(*name, HeaderValue::from_str(text).unwrap());
            }
            assert_eq!(horizons(&map).fresh, expected.map(Duration::from_secs), "{lines:?}");
        };
        check(&[], None);
        check(&[("cache-control", "public")], None);
        check(&[("cache-control", "public, max-age=300, stale-if-error=86400")], Some(300));
        check(&[("cache-control", "PUBLIC,Max-Age = \"300\"")], Some(300));
        check(&[("cache-control", "max-age=300"), ("age", "100")], Some(200));
        check(&[("cache-control", "max-age=300"), ("age", "301")], Some(0));
        check(&[("cache-control", "max-age=300"), ("age", "-5")], Some(300));
        check(&[("cache-control", "max-age=300, max-age=60")], Some(60));
        check(&[("cache-control", "max-age=300"), ("cache-control", "no-store")], Some(0));
        check(&[("cache-control", "max-age=300, no-cache")], Some(0));
        check(&[("cache-control", "max-age=soon")], Some(0));
        check(&[("cache-control", "max-age=-1")], Some(0));
        check(&[("cache-control", "max-age=99999999999999999999")], Some(u64::MAX));
        check(&[("cache-control", "s-maxage=5")], None);
    }

    #[test]
    fn retry_after_is_at_most_a_minute() {
        let check = |text: &str, expected: Option<u64>| {
            let found = retry_after(&headers(&[("retry-after", text)]));
            assert_eq!(found, expected.map(Duration::from_secs), "{text}");
        };
        check("7", Some(7));
        check("0", Some(0));
        check("3600", Some(60));
        check("99999999999999999999", Some(60));
        check("-1", None);
        check("soon", None);
        check(MORNING, None);
    }

    const MORNING: &str = "Wed, 21 Oct 2026 07:28:00 GMT";

    #[test]
    fn a_date_counts_from_the_date_of_the_answer() {
        let check = |told: &str, expected: Option<u64>| {
            let found = retry_after(&headers(&[("retry-after", told), ("date", MORNING)]));
            assert_eq!(found, expected.map(Duration::from_secs), "{told}");
        };
        check("Wed, 21 Oct 2026 07:28:09 GMT", Some(9));
        check("Wednesday, 21-Oct-26 07:28:09 GMT", Some(9));
        check("Wed, 21 Oct 2026 08:28:00 GMT", Some(60));
        check("Wed, 21 Oct 2026 07:27:00 GMT", Some(0));
        check("Wed, 21 Oct 2026", None);
    }

    // S-25
    #[test]
    fn expires_is_read_where_max_age_is_silent() {
        let check = |lines: &[(&'static str, &str)], expected: Option<u64>| {
            assert_eq!(horizons(&headers(lines)).fresh, expected.map(Duration::from_secs), "{lines:?}");
        };
        let later = "Wed, 21 Oct 2026 07:33:00 GMT";
        check(&[("expires", later), ("date", MORNING)], Some(300));
        check(&[("expires", later), ("date", MORNING), ("age", "100")], Some(200));
        check(&[("expires", later), ("date", MORNING), ("cache-control", "public")], Some(300));
        check(&[("expires", later), ("date", MORNING), ("cache-control", "max-age=60")], Some(60));
        check(&[("expires", later), ("date", MORNING), ("cache-control", "no-store")], Some(0));
        check(&[("expires", MORNING), ("date", later)], Some(0));
        check(&[("expires", "0"), ("date", MORNING)], Some(0));
        check(&[("expires", "-1")], Some(0));
        check(&[("expires", later)], None);
        check(&[("expires", later), ("date", "yesterday")], None);
    }

    #[test]
    fn not_modified_is_about_the_tag_that_was_sent() {
        let are_of = |ours: &[(&'static str, &str)], theirs: &[(&'static str, &str)]| {
            Validators::of(&headers(ours)).are_of(&headers(theirs))
        };
        let (one, weak, two) = ([("etag", "\"1\"")], [("etag", "W/\"1\"")], [("etag", "\"2\"")]);
        assert!(are_of(&one, &one) && are_of(&one, &weak) && are_of(&weak, &one));
        assert!(are_of(&one, &[]) && are_of(&[], &two));
        assert!(!are_of(&one, &two) && !are_of(&weak, &two));
    }

    #[test]
    fn the_next_request_is_conditional_by_tag_or_else_by_date() {
        let condition = |lines: &[(&'static str, &str)]| {
            let condition = Validators::of(&headers(lines)).condition();
            condition.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        };
        assert_eq!(condition(&[]), None);
        assert_eq!(condition(&[("etag", "\"a\"")]).unwrap(), "if-none-match: \"a\"");
        let both = [("etag", "W/\"a\""), ("last-modified", MORNING)];
        assert_eq!(condition(&both).unwrap(), "if-none-match: W/\"a\"");
        let by_date = format!("if-modified-since: {MORNING}");
        assert_eq!(condition(&[("last-modified", MORNING)]).unwrap(), by_date);
        assert_eq!(condition(&[("last-modified", "a while ago")]), None);
        assert_eq!(condition(&[("etag", &"x".repeat(1025))]), None, "a tag without measure is not kept");
    }
}
