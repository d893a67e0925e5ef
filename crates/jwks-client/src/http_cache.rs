//! What an answer says about its own lifetime (RFC 9111), and when to come back (RFC 9110).

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The longest entity tag that is sent back.
const MAX_ETAG: usize = 1024;
/// An issuer may slow its verifiers down, not switch them off.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// What an answer says about how long it may be used. `None`: it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Horizons {
    /// Fresh for so long: `max-age` less `Age`, zero if it must not be reused.
    pub(crate) fresh: Option<Duration>,
    /// While the issuer cannot be reached, usable for so long: `stale-if-error` (RFC 5861 section 4).
    pub(crate) stale: Option<Duration>,
}

/// Reads `Cache-Control` and `Age`.
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
    let age = texts(headers, header::AGE).find_map(delta_seconds).unwrap_or(0);
    Horizons {
        fresh: fresh.map(|seconds| Duration::from_secs(seconds.saturating_sub(age))),
        stale: stale.map(Duration::from_secs),
    }
}

/// The entity tag, to be sent back as it is.
pub(crate) fn etag(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ETAG).filter(|etag| etag.len() <= MAX_ETAG).cloned()
}

/// When to come back, at most a minute from now. The form with a date is not understood; the
/// ordinary backoff covers it.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = texts(headers, header::RETRY_AFTER).find_map(delta_seconds)?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
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
        check("Wed, 21 Oct 2026 07:28:00 GMT", None);
    }

    #[test]
    fn an_etag_without_measure_is_not_kept() {
        assert_eq!(etag(&headers(&[("etag", "\"a\"")])).unwrap(), "\"a\"");
        assert_eq!(etag(&headers(&[("etag", &"x".repeat(1025))])), None);
    }
}
