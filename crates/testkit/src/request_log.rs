use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use claviger_jose::NumericDate;
use serde::Serialize;
use tokio::sync::watch;

use crate::TestIssuer;

/// Longer than anything that a test waits for, shorter than a person does.
const PATIENCE: Duration = Duration::from_secs(10);
/// The latest requests that are kept, so that a flood does not fill the memory of a test.
const KEPT: usize = 10_000;

/// What of an issuer a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// The metadata, at either of its two places.
    Metadata,
    /// The key set.
    KeySet,
    /// The revocation feed.
    Revocations,
    /// The token endpoint.
    Token,
    /// A path that an issuer does not have.
    Elsewhere,
}

/// A request that an issuer has seen.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SeenRequest {
    /// What it was for.
    pub endpoint: Endpoint,
    /// The method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// Whether it named what it holds, with `If-None-Match` or `If-Modified-Since`.
    pub conditional: bool,
    /// What verifiers said of themselves: the lines of `Claviger-Verifier`.
    pub verifier: Vec<String>,
    /// The status of the answer; `None` as long as there is none, and if there never was.
    pub status: Option<u16>,
    /// When it came, by the issuer's clock.
    pub at: NumericDate,
    /// When it came, in real time since the issuer's start.
    pub since_start: Duration,
}

impl fmt::Display for SeenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, since_start, .. } = self;
        let conditional = if self.conditional { ", conditional" } else { "" };
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        write!(f, "{method} {path} after {since_start:.1?}{conditional}: {status}")
    }
}

/// Who asked for what.
#[derive(Debug)]
pub(crate) struct RequestLog {
    start: Instant,
    requests: Mutex<Requests>,
    pub(crate) fetches: watch::Sender<usize>,
    pub(crate) metadata_fetches: watch::Sender<usize>,
    pub(crate) polls: watch::Sender<usize>,
    pub(crate) token_requests: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Requests {
    /// How many came before the first that is kept.
    dropped: usize,
    kept: VecDeque<SeenRequest>,
}

impl RequestLog {
    pub(crate) fn new() -> Self {
        let counter = || watch::Sender::new(0);
        Self {
            start: Instant::now(),
            requests: Mutex::default(),
            fetches: counter(),
            metadata_fetches: counter(),
            polls: counter(),
            token_requests: counter(),
        }
    }

    /// Notes a request when it comes, answered or not; the number is for [`answered`](Self::answered).
    pub(crate) fn arrived(&self, mut request: SeenRequest) -> usize {
        request.since_start = self.start.elapsed();
        let endpoint = request.endpoint;
        let number = {
            let mut requests = self.requests();
            if requests.kept.len() == KEPT {
                requests.kept.pop_front();
                requests.dropped += 1;
            }
            requests.kept.push_back(request);
            requests.dropped + requests.kept.len() - 1
        };
        match endpoint {
            Endpoint::KeySet => self.fetches.send_modify(|count| *count += 1),
            Endpoint::Metadata => self.metadata_fetches.send_modify(|count| *count += 1),
            Endpoint::Revocations => self.polls.send_modify(|count| *count += 1),
            Endpoint::Token => self.token_requests.send_modify(|count| *count += 1),
            Endpoint::Elsewhere => {}
        }
        number
    }

    pub(crate) fn answered(&self, number: usize, status: u16) {
        let mut requests = self.requests();
        let kept = number.checked_sub(requests.dropped).and_then(|at| requests.kept.get_mut(at));
        if let Some(request) = kept {
            request.status = Some(status);
        }
    }

    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.requests().kept.iter().cloned().collect()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it has seen.
impl TestIssuer {
    /// The requests that came, in their order: the latest 10,000.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared().log.seen()
    }

    /// How often the key set was asked for, whatever the answer was.
    #[must_use]
    pub fn fetches(&self) -> usize {
        *self.shared().log.fetches.borrow()
    }

    /// How often the metadata was asked for, at either of its two places.
    #[must_use]
    pub fn metadata_fetches(&self) -> usize {
        *self.shared().log.metadata_fetches.borrow()
    }

    /// How often the revocation feed was asked for, whatever the answer was.
    #[must_use]
    pub fn polls(&self) -> usize {
        *self.shared().log.polls.borrow()
    }

    /// How often a token was asked for, whatever the answer was.
    #[must_use]
    pub fn token_requests(&self) -> usize {
        *self.shared().log.token_requests.borrow()
    }

    /// Asserts that the key set has been asked for exactly so often since the start.
    ///
    /// # Panics
    /// If not; the message lists who came when.
    #[track_caller]
    pub fn expect_fetches(&self, count: usize) {
        let seen = self.fetches();
        if seen != count {
            let requests: Vec<String> = self.requests().iter().map(SeenRequest::to_string).collect();
            panic!("{count} fetches of the key set were expected, {seen} came:\n  {}", requests.join("\n  "));
        }
    }

    /// Waits until the key set has been asked for `count` times since the start.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub async fn wait_for_fetches(&self, count: usize) {
        let in_time = reaches(&self.shared().log.fetches, count).await;
        assert!(in_time, "{count} fetches were expected, {} came in {PATIENCE:?}", self.fetches());
    }

    /// Waits until the revocation feed has been asked for `count` times since the start.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub async fn wait_for_polls(&self, count: usize) {
        let in_time = reaches(&self.shared().log.polls, count).await;
        assert!(in_time, "{count} polls were expected, {} came in {PATIENCE:?}", self.polls());
    }
}

/// Whether a count is reached within ten seconds.
async fn reaches(counter: &watch::Sender<usize>, count: usize) -> bool {
    let mut seen_so_far = counter.subscribe();
    tokio::time::timeout(PATIENCE, seen_so_far.wait_for(|seen| *seen >= count)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_the_latest_requests_and_a_true_count() {
        let log = RequestLog::new();
        let request = |n: usize| SeenRequest {
            endpoint: Endpoint::KeySet,
            method: "GET".to_owned(),
            path: n.to_string(),
            conditional: false,
            verifier: Vec::new(),
            status: None,
            at: NumericDate::from_secs(0),
            since_start: Duration::ZERO,
        };
        let numbers: Vec<usize> = (0..KEPT + 2).map(|n| log.arrived(request(n))).collect();
        log.answered(numbers[0], 200);
        log.answered(numbers[2], 200);
        let seen = log.seen();
        assert_eq!((seen.len(), seen[0].path.as_str(), *log.fetches.borrow()), (KEPT, "2", KEPT + 2));
        assert_eq!((seen[0].status, seen[1].status), (Some(200), None));
    }
}
