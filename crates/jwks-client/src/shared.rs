//! What the handles and the refresh task share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use claviger_jose::{Clock, Kid, VerifyingKey};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    FetchError, Fetches, KeyError, Status,
    fetch::Failed,
    held::{Held, PreparedKeys},
    policy::{Policy, Turn},
    source::{Fetched, is_alarming},
    timing::MAX_WAIT,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) issuer: String,
    clock: Arc<dyn Clock>,
    /// Readers of known kids touch this and the clock, nothing else.
    held: ArcSwapOption<Held>,
    state: Mutex<State>,
    /// Tells the task that an attempt is wanted.
    wanted: Notify,
    /// Counts the attempts that have ended, for those who wait for one.
    ended: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    policy: Policy,
    last_error: Option<FetchError>,
    generation: u64,
    fetches: Fetches,
}

impl Shared {
    pub(crate) fn new(issuer: String, clock: Arc<dyn Clock>, policy: Policy) -> Self {
        let state = State { policy, last_error: None, generation: 0, fetches: Fetches::default() };
        Self {
            issuer,
            clock,
            held: ArcSwapOption::empty(),
            state: Mutex::new(state),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// A key of the held set, while that may be used.
    pub(crate) fn known(&self, kid: &Kid) -> Option<Arc<VerifyingKey>> {
        self.held.load().as_ref()?.key(kid, self.clock.monotonic())
    }

    /// Waits for an attempt, if one is under way or allowed, and looks again.
    pub(crate) async fn seek(&self, kid: &Kid) -> Result<Arc<VerifyingKey>, KeyError> {
        let (worth_waiting, mut ended) = {
            // Attempts conclude under this lock: none can end unseen between the look and the wait.
            let mut state = self.state();
            if let Some(key) = self.known(kid) {
                return Ok(key);
            }
            (state.policy.want(self.clock.monotonic()), self.ended.subscribe())
        };
        let in_time = if worth_waiting {
            self.wanted.notify_one();
            timeout(MAX_WAIT, ended.changed()).await.is_ok()
        } else {
            true
        };
        // Judged before the second look: a set that arrives in between makes the kid known, never unknown.
        let now = self.clock.monotonic();
        let refusal = {
            let policy = &self.state().policy;
            if in_time { policy.refusal(now) } else { policy.unavailable(now) }
        };
        self.known(kid).ok_or(refusal)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.held.load().as_ref().is_some_and(|held| held.is_usable(self.clock.monotonic()))
    }

    pub(crate) async fn ready_within(&self, patience: Duration) -> bool {
        let mut ended = self.ended.subscribe();
        let ready = async {
            while !self.is_ready() {
                ended.changed().await.expect("the sender lives as long as self");
            }
        };
        timeout(patience, ready).await.is_ok()
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        Status {
            age: state.policy.age(self.clock.monotonic()),
            keys: self.held.load().as_ref().map_or(0, |held| held.keys.kids().len()),
            generation: state.generation,
            last_error: state.last_error,
            fetches: state.fetches,
        }
    }

    pub(crate) fn turn(&self) -> Turn {
        self.state().policy.turn(self.clock.monotonic())
    }

    /// Sleeps, but not when somebody wants an attempt.
    pub(crate) async fn rest(&self, pause: Duration) {
        let _ = timeout(pause, self.wanted.notified()).await;
    }

    /// Takes in how an attempt ended, and tells those who wait. All of it is one change under one lock, so that
    /// nobody is told "unknown" by the new state and the old set.
    pub(crate) fn conclude(&self, result: Result<Fetched, Failed>) {
        let (now, jitter) = (self.clock.monotonic(), fastrand::f64());
        let mut state = self.state();
        match result {
            Ok(fetched) => {
                state.policy.succeeded(now, fetched.keys.is_none(), fetched.says, jitter);
                self.swap(&mut state, fetched.keys);
            }
            Err(failed) => {
                state.policy.failed(now, failed.retry_after, jitter);
                state.last_error = Some(failed.error);
                state.fetches.failed += 1;
                self.report(failed.error, state.policy.age(now));
            }
        }
        self.ended.send_modify(|count| *count += 1);
    }

    fn swap(&self, state: &mut State, fetched: Option<PreparedKeys>) {
        let before = self.held.load_full();
        let counter =
            if fetched.is_some() { &mut state.fetches.replaced } else { &mut state.fetches.not_modified };
        *counter += 1;
        state.last_error = None;
        let keys = fetched.or_else(|| before.as_ref().map(|held| held.keys.clone()));
        let (Some(keys), Some(usable_until)) = (keys, state.policy.usable_until()) else {
            return; // a confirmation is only accepted for a set that is held
        };
        if !before.is_some_and(|held| held.keys.same_as(&keys)) {
            state.generation += 1;
            let kids: Vec<&str> = keys.kids().map(Kid::as_str).collect();
            tracing::info!(issuer = %self.issuer, ?kids, generation = state.generation, "the key set has changed");
        }
        self.held.store(Some(Arc::new(Held { keys, usable_until })));
    }

    fn report(&self, reason: FetchError, age: Option<Duration>) {
        let (issuer, age) = (&self.issuer, age.map(|age| age.as_secs()));
        if is_alarming(reason) {
            tracing::error!(%issuer, %reason, age, "the issuer publishes a private key; the held set is kept");
        } else {
            tracing::warn!(%issuer, %reason, age, "the key set could not be fetched");
        }
    }

    /// The state is consistent whenever the lock is free, so a panic elsewhere is no reason to stop verifying.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
