use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::{
    StatementFault,
    read::{Taken, read},
};
use crate::{
    FetchError,
    fetch::{Answer, Ask, Failed, Http, What},
    http_cache::{self, Horizons, Validators},
    refresh::{LOOK, guarded},
    shared::Shared,
};

/// All of one poll, the fetch of an unknown signer's key included.
pub(super) const POLL: Duration = Duration::from_secs(8);

/// Polls the feed.
#[derive(Debug)]
pub(crate) struct Poller {
    http: Http,
    /// Where the statement that was taken last came from, and what makes the next request for it conditional.
    held: Option<(Url, Validators)>,
}

/// What an answer of the feed is.
#[derive(Debug)]
pub(super) enum Polled {
    Statement { taken: Box<Taken>, says: Horizons },
    Unchanged { says: Horizons },
}

/// Why there is none.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Fetch(Failed),
    Statement(StatementFault),
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        Self::Fetch(failed)
    }
}

impl From<StatementFault> for Fault {
    fn from(fault: StatementFault) -> Self {
        Self::Statement(fault)
    }
}

impl Poller {
    pub(crate) fn new(http: Http) -> Self {
        Self { http, held: None }
    }

    /// Polls, one time after the other, until it is dropped. A panic ends one poll.
    pub(crate) async fn run(mut self, shared: &Shared) {
        loop {
            if guarded(self.step(shared)).await.is_none() {
                self.held = None;
                let broken_off = async {
                    let failed = Failed::from(FetchError::Interrupted);
                    shared.conclude_poll(shared.clock.monotonic(), Err(failed.into()));
                };
                let _ = guarded(broken_off).await;
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn step(&mut self, shared: &Shared) {
        match shared.next_poll() {
            Ok(url) => {
                let began = shared.clock.monotonic();
                let (result, validators) = match timeout(POLL, self.ask(shared, &url)).await {
                    Ok(Ok((polled, validators))) => (Ok(polled), Some(validators)),
                    Ok(Err(fault)) => (Err(fault), None),
                    Err(_) => (Err(Failed::from(FetchError::Timeout).into()), None),
                };
                let is_taken = shared.conclude_poll(began, result);
                // A statement that was refused is asked for again as a whole.
                self.held = validators.filter(|_| is_taken).map(|validators| (url, validators));
            }
            Err(pause) => {
                let _ = timeout(pause.min(LOOK), shared.poll_wanted.notified()).await;
            }
        }
    }

    async fn ask(&self, shared: &Shared, url: &Url) -> Result<(Polled, Validators), Fault> {
        let held = self.held.as_ref().filter(|(from, _)| from == url).map(|(_, validators)| validators);
        let report = shared.self_report();
        let ask = Ask { url: url.clone(), what: What::Statement, held, report: &report };
        match self.http.get(ask).await? {
            Answer::NotModified { headers } => {
                let polled = Polled::Unchanged { says: http_cache::horizons(&headers) };
                Ok((polled, held.cloned().unwrap_or_default()))
            }
            Answer::Document { body, headers } => {
                let taken = Box::new(read(shared, body).await?);
                let polled = Polled::Statement { taken, says: http_cache::horizons(&headers) };
                Ok((polled, Validators::of(&headers)))
            }
        }
    }
}
