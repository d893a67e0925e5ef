use std::time::Duration;

use claviger_jose::{HeaderRules, JwsError, Kid, Revocations, Typ, UnverifiedJws, VerifyingKey};
use tokio::time::timeout;
use url::Url;

use super::{Signer, StatementFault};
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
    Statement { statement: Box<Revocations>, signer: Signer, says: Horizons },
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
                let (statement, signer) = read(shared, &body).await?;
                let says = http_cache::horizons(&headers);
                let polled = Polled::Statement { statement: Box::new(statement), signer, says };
                Ok((polled, Validators::of(&headers)))
            }
        }
    }
}

/// The statement, if it is one that a key of the issuer has signed.
async fn read(shared: &Shared, body: &[u8]) -> Result<(Revocations, Signer), StatementFault> {
    let text = str::from_utf8(body).map_err(|_| StatementFault::Malformed)?;
    let jws = UnverifiedJws::parse_statement(text).map_err(fault_of)?;
    // Before the key is looked for, which may cost a fetch.
    jws.check(&HeaderRules::of(Typ::Revocations)).map_err(fault_of)?;
    let key = signing_key(shared, jws.kid()).await?;
    let statement = key.verify::<Revocations>(&jws).map_err(fault_of)?;
    Ok((statement.into_inner(), Signer { kid: *key.kid(), sign_until: key.sign_until() }))
}

/// A key of the held set, or of the next one: an unknown signer is a reason to fetch it, as an unknown kid of a token.
async fn signing_key(shared: &Shared, kid: &Kid) -> Result<std::sync::Arc<VerifyingKey>, StatementFault> {
    if shared.state().is_dead(kid) {
        return Err(StatementFault::DeadSigner);
    }
    match shared.peek(kid) {
        Some(key) => Ok(key),
        None => shared.seek(kid).await.map_err(|_| StatementFault::UnknownSigner),
    }
}

fn fault_of(error: JwsError) -> StatementFault {
    match error {
        JwsError::Typ => StatementFault::OtherKind,
        JwsError::Signature => StatementFault::Signature,
        _ => StatementFault::Malformed,
    }
}
