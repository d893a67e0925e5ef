//! The shell around a slot: one task that sleeps, fetches and records, while callers look or wait.

use std::sync::{Arc, Weak};

use claviger_oauth::{Audience, ScopeSet};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    AccessToken, TokenSourceError,
    policy::Policy,
    slot::{Answer, Slot, Step},
    token_endpoint::TokenEndpoint,
};

/// One audience and scope: where its tokens come from, and what is held. Every change of the slot
/// that a waiting caller or the refresher may care about is announced by the channel.
#[derive(Debug)]
pub(crate) struct Entry {
    request: Arc<Request>,
    slot: watch::Sender<Slot>,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) endpoint: Arc<TokenEndpoint>,
    pub(crate) audience: Audience,
    pub(crate) scope: ScopeSet,
    pub(crate) policy: Policy,
}

impl Entry {
    pub(crate) fn new(request: Request) -> Self {
        Self { request: Arc::new(request), slot: watch::Sender::new(Slot::empty(Instant::now())) }
    }

    /// A token that is good for a while: the held one, or the next attempt's.
    pub(crate) async fn token(self: &Arc<Self>) -> Result<AccessToken, TokenSourceError> {
        // Subscribed before the question, or the answer could come between the two.
        let mut changes = self.slot.subscribe();
        let mut waited = false;
        loop {
            match self.ask(waited) {
                Answer::Token(token) => return Ok(token),
                Answer::Fault(error) => return Err(error),
                Answer::Wait => waited = changes.changed().await.is_ok(),
            }
        }
    }

    fn ask(self: &Arc<Self>, waited: bool) -> Answer {
        let mut answer = Answer::Wait;
        self.slot.send_if_modified(|slot| {
            let now = Instant::now();
            answer = slot.ask(now, waited);
            if slot.needs_refresher(now) {
                slot.refreshing = true;
                // A task of its own: a caller that goes away does not take the fetch with it.
                tokio::spawn(refresh(Arc::downgrade(self), self.slot.subscribe(), Arc::clone(&self.request)));
            }
            false
        });
        answer
    }
}

/// Runs until nobody needs the token, or the entry is gone.
async fn refresh(entry: Weak<Entry>, mut changes: watch::Receiver<Slot>, request: Arc<Request>) {
    let _ended = Ended(Weak::clone(&entry));
    let plan = |entry: &Weak<Entry>| {
        let mut step = Step::End;
        if let Some(entry) = entry.upgrade() {
            entry.slot.send_if_modified(|slot| {
                step = slot.plan(Instant::now());
                false
            });
        }
        step
    };
    loop {
        match plan(&entry) {
            Step::End => return,
            Step::SleepUntil(due) => tokio::select! {
                () = sleep_until(due) => {}
                news = changes.changed() => if news.is_err() { return },
            },
            Step::Fetch => {
                let outcome = request.endpoint.fetch(&request.audience, &request.scope).await;
                let Some(entry) = entry.upgrade() else { return };
                entry.slot.send_modify(|slot| {
                    slot.record(outcome, Instant::now(), &request.policy, fastrand::f64());
                });
            }
        }
    }
}

/// Tells the slot that its refresher has ended, however it ended: a caller must not wait for a
/// task that panicked or went down with its runtime.
struct Ended(Weak<Entry>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(entry) = self.0.upgrade() {
            entry.slot.send_modify(|slot| slot.refreshing = false);
        }
    }
}
