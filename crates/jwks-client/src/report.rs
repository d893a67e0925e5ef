//! What the client says of itself to its issuer: advice for a rotation, and never to others.

use std::{
    collections::BTreeSet,
    sync::{Mutex, OnceLock, PoisonError},
};

use aws_lc_rs::rand;
use claviger_jose::{VerifierReport, base64url};
use reqwest::header::HeaderValue;

/// The longest part of an instance's name that tells people which it is.
const MAX_NAME: usize = 32;
/// For more audiences than this, no process speaks.
const MAX_AUDIENCES: usize = 16;

/// Who asks.
#[derive(Debug)]
pub(crate) struct Reporter {
    instance: String,
    audiences: Mutex<BTreeSet<String>>,
}

impl Reporter {
    /// By a name of the operator's, or that of the host.
    pub(crate) fn new(name: Option<&str>) -> Self {
        let name = name.map_or_else(host, str::to_owned);
        let instance = format!("{}.{}", sanitised(&name), random());
        Self { instance, audiences: Mutex::default() }
    }

    pub(crate) fn register(&self, audience: &str) {
        let mut audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        if audiences.len() < MAX_AUDIENCES && self.line(audience, None, None).is_some() {
            audiences.insert(audience.to_owned());
        }
    }

    /// The lines of a request, one for each service: what is held, and which statement was taken last.
    pub(crate) fn lines(&self, keys: Option<&str>, sequence: Option<u64>) -> Vec<HeaderValue> {
        let audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |audience: &String| {
            // An entity tag that does not fit is left out, not the whole report.
            self.line(audience, keys, sequence).or_else(|| self.line(audience, None, sequence))
        };
        audiences.iter().filter_map(line).collect()
    }

    /// `None` if nobody could read it.
    fn line(&self, audience: &str, keys: Option<&str>, sequence: Option<u64>) -> Option<HeaderValue> {
        let report = VerifierReport {
            audience: audience.to_owned(),
            instance: self.instance.clone(),
            keys: keys.unwrap_or_default().to_owned(),
            sequence,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let text = report.to_string();
        let is_readable = text.parse() == Ok(report);
        HeaderValue::from_str(&text).ok().filter(|_| is_readable)
    }
}

fn sanitised(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.trim().chars().take(MAX_NAME).map(|c| if good(c) { c } else { '-' }).collect();
    if name.is_empty() { "verifier".to_owned() } else { name }
}

/// The name of this host, as far as it can be read.
fn host() -> String {
    let told = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    told.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok()).unwrap_or_default()
}

/// The same for all clients of the process: 16 characters that nobody else can guess.
fn random() -> &'static str {
    static RANDOM: OnceLock<String> = OnceLock::new();
    RANDOM.get_or_init(|| {
        let mut bytes = [0; 12];
        if rand::fill(&mut bytes).is_err() {
            // Without randomness of the system others might guess it: then somebody may speak for this process, no more.
            bytes = std::array::from_fn(|_| fastrand::u8(..));
        }
        base64url::encode(&bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &HeaderValue) -> VerifierReport {
        line.to_str().unwrap().parse().unwrap()
    }

    #[test]
    fn each_audience_has_a_line_that_can_be_read() {
        let reporter = Reporter::new(Some("orders 7/ü"));
        for audience in ["https://b.test", "https://a.test", "https://a.test", "with space", ""] {
            reporter.register(audience);
        }
        let lines: Vec<_> = reporter.lines(Some("tag"), Some(17)).iter().map(read).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].audience, "https://a.test");
        assert!(lines[0].instance.starts_with("orders-7--."), "{}", lines[0].instance);
        assert_eq!((lines[0].keys.as_str(), lines[0].sequence), ("tag", Some(17)));
        assert_eq!(read(&reporter.lines(Some("a;b"), None)[0]).keys, "", "a tag that cannot be told");
    }

    #[test]
    fn the_random_part_stays_whatever_the_name_is() {
        let (named, host) = (Reporter::new(Some("a")), Reporter::new(None));
        let random_of = |instance: &str| instance.rsplit_once('.').unwrap().1.to_owned();
        assert_eq!(random_of(&named.instance), random_of(&host.instance));
        assert_eq!(random_of(&named.instance).len(), 16);
        let longest = Reporter::new(Some(&"a".repeat(100)));
        assert_eq!(longest.instance.len(), 32 + 1 + 16);
    }

    #[test]
    fn audiences_are_bounded() {
        let reporter = Reporter::new(None);
        for number in 0..100 {
            reporter.register(&format!("https://{number}.test"));
        }
        assert_eq!(reporter.lines(None, None).len(), MAX_AUDIENCES);
    }
}
