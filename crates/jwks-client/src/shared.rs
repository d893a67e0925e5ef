//! What the handles and the refresh task share: how a key is found in it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use claviger_jose::{Clock, Kid, NumericDate, VerifyingKey};
use tokio::{
    sync::{Notify, broadcast, watch},
    time::timeout,
};

use crate::{
    FetchError, Fetches, KeyError, KeysEvent, Status, TokenFacts,
    denials::Denials,
    denied::Denied,
    disk::{DiskCopy, SetCopy},
    feed::{FeedState, RevocationList},
    held::Held,
    metrics::{Metrics, UnknownKid},
    policy::{AsOf, Asked, Policy, Want},
    report::Reporter,
    source::ATTEMPT,
    timing::MAX_WAIT,
    wall::WallWatch,
};

/// How many events may be behind for a subscriber before it misses some.
const EVENTS: usize = 64;
/// Longer than an attempt takes, by what a busy machine needs to begin it.
const ASKED_WAIT: Duration = ATTEMPT.saturating_add(Duration::from_secs(2));

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) issuer: Arc<str>,
    /// The names of the places, in their order.
    pub(crate) places: Box<[Arc<str>]>,
    /// Whether the issuer names its keys as it likes.
    pub(crate) foreign: bool,
    pub(crate) clock: Arc<dyn Clock>,
    /// Readers of known kids touch this, the clock and, while the set is stale, a counter; nothing else.
    pub(crate) held: ArcSwapOption<Held>,
    pub(crate) generation: AtomicU64,
    pub(crate) stale_served: AtomicU64,
    pub(crate) disk: Option<DiskCopy>,
    /// What is denied for this client and others.
    pub(crate) denials: Arc<Denials>,
    pub(crate) metrics: Metrics,
    pub(crate) events: broadcast::Sender<KeysEvent>,
    /// Counts the attempts that have ended, for those who wait for one.
    pub(crate) ended: watch::Sender<u64>,
    /// What is revoked besides keys; none as long as nothing is. Readers touch nothing else.
    pub(crate) revoked: ArcSwapOption<RevocationList>,
    /// Tells the task that a poll of the feed is wanted.
    pub(crate) poll_wanted: Notify,
    /// Counts the polls that have ended.
    pub(crate) polled: watch::Sender<u64>,
    pub(crate) reporter: Reporter,
    state: Mutex<State>,
    /// Tells the task that an attempt is wanted.
    pub(crate) wanted: Notify,
    /// No handle is left.
    abandoned: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) policy: Policy,
    pub(crate) denied: Denied,
    /// Those of the deny file.
    pub(crate) listed: Denied,
    pub(crate) feed: FeedState,
    /// The entity tag of the held set, without quotes.
    pub(crate) tag: Option<String>,
    pub(crate) last_error: Option<FetchError>,
    pub(crate) fetches: Fetches,
    /// Which place the held set is from.
    pub(crate) place: Option<usize>,
    pub(crate) from_disk: bool,
    pub(crate) last_contact: Option<NumericDate>,
    /// What is to be on the disk.
    pub(crate) copy: Option<SetCopy>,
    /// The copy is that of the held set, and as old.
    pub(crate) holds_copy: bool,
    /// When it was written last, by the monotonic clock.
    pub(crate) saved_at: Option<Duration>,
    pub(crate) wall: WallWatch,
    /// The task is gone, and no attempt will be made.
    pub(crate) lost: bool,
    /// How many of the stale keys served were counted as a metric.
    pub(crate) stale_counted: u64,
}

/// What a client is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) issuer: Arc<str>,
    pub(crate) places: Box<[Arc<str>]>,
    pub(crate) foreign: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Option<DiskCopy>,
    pub(crate) denials: Arc<Denials>,
    pub(crate) policy: Policy,
    pub(crate) feed: FeedState,
    pub(crate) reporter: Reporter,
}

impl State {
    /// Whether a key is dead whatever is published: denied here, in the deny file, or revoked by the feed.
    pub(crate) fn is_dead(&self, kid: &Kid) -> bool {
        self.denied.contains(kid) || self.listed.contains(kid) || self.feed.list.has_key(kid)
    }
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { issuer, places, foreign, clock, disk, denials, policy, feed, reporter } = parts;
        let state = State {
            policy,
            denied: Denied::default(),
            listed: Denied::default(),
            feed,
            tag: None,
            last_error: None,
            fetches: Fetches::default(),
            place: None,
            from_disk: false,
            last_contact: None,
            copy: None,
            holds_copy: false,
            saved_at: None,
            wall: WallWatch::default(),
            lost: false,
            stale_counted: 0,
        };
        Self {
            metrics: Metrics::of(&issuer),
            issuer,
            places,
            foreign,
            clock,
            held: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            stale_served: AtomicU64::new(0),
            disk,
            denials,
            events: broadcast::Sender::new(EVENTS),
            ended: watch::Sender::new(0),
            revoked: ArcSwapOption::empty(),
            poll_wanted: Notify::new(),
            polled: watch::Sender::new(0),
            reporter,
            state: Mutex::new(state),
            wanted: Notify::new(),
            abandoned: AtomicBool::new(false),
        }
    }

    /// A key of the held set, while that may be used.
    pub(crate) fn known(&self, kid: &Kid) -> Option<Arc<VerifyingKey>> {
        let held = self.held.load();
        let (held, now) = (held.as_ref()?, self.clock.monotonic());
        let key = held.key(kid, now)?;
        if held.is_stale(now) {
            self.stale_served.fetch_add(1, Ordering::Relaxed);
        }
        Some(key)
    }

    /// The same for nobody's token: that the set is stale is not counted.
    pub(crate) fn peek(&self, kid: &Kid) -> Option<Arc<VerifyingKey>> {
        self.held.load().as_ref()?.key(kid, self.clock.monotonic())
    }

    /// Waits for an attempt, if one is under way or allowed, and looks again.
    pub(crate) async fn seek(&self, kid: &Kid) -> Result<Arc<VerifyingKey>, KeyError> {
        if !self.foreign && !kid.is_thumbprint() {
            // No set of this issuer will ever have it: not worth a fetch, nor one less for others.
            self.metrics.unknown_kid(UnknownKid::Malformed);
            return Err(KeyError::UnknownKid);
        }
        let (want, mut ended) = {
            // Attempts conclude under this lock: none can end unseen between the look and the wait.
            let mut state = self.state();
            if let Some(key) = self.known(kid) {
                return Ok(key);
            }
            if state.is_dead(kid) {
                self.metrics.unknown_kid(UnknownKid::Denied);
                return Err(KeyError::UnknownKid);
            }
            let now = self.clock.monotonic();
            let want = if state.lost { Want::Refused } else { state.policy.want(now) };
            (want, self.ended.subscribe())
        };
        self.metrics.unknown_kid(match want {
            Want::Joined => UnknownKid::Joined,
            Want::Granted => UnknownKid::Fetched,
            Want::Refused => UnknownKid::Throttled,
        });
        let in_time = if want.is_worth_waiting() {
            self.wanted.notify_one();
            timeout(MAX_WAIT, ended.changed()).await.is_ok()
        } else {
            true
        };
        // Judged before the second look: a set that arrives in between makes the kid known, never unknown.
        let now = self.clock.monotonic();
        let refusal = {
            let state = self.state();
            // Only the first place can tell what the issuer lacks: a mirror may lag behind.
            let can_tell = in_time && state.place == Some(0);
            if can_tell { state.policy.refusal(now) } else { state.policy.unavailable(now) }
        };
        self.known(kid).ok_or(refusal)
    }

    /// Whether a token is revoked by what is known now.
    pub(crate) fn is_revoked(&self, token: &TokenFacts<'_>) -> bool {
        self.revoked.load().as_ref().is_some_and(|list| list.covers(token))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.usable_for().is_some()
    }

    /// How much longer the held set may be used if the issuer is not reached again.
    pub(crate) fn usable_for(&self) -> Option<Duration> {
        let (held, now) = (self.held.load(), self.clock.monotonic());
        held.as_ref()?.usable_until.checked_sub(now).filter(|left| !left.is_zero())
    }

    pub(crate) async fn ready_within(&self, patience: Duration) -> bool {
        self.ready_unless(patience, |_| false).await
    }

    /// Waits until a usable set is held, or `hopeless` about an attempt that has failed.
    pub(crate) async fn ready_unless(
        &self,
        patience: Duration,
        hopeless: impl Fn(FetchError) -> bool,
    ) -> bool {
        let mut ended = self.ended.subscribe();
        self.wake();
        let wait = async {
            while !self.is_ready() && !self.state().last_error.is_some_and(&hopeless) {
                ended.changed().await.expect("the sender lives as long as self");
            }
        };
        let _ = timeout(patience, wait).await;
        self.is_ready()
    }

    /// Makes sure that a client which slept until somebody needs it sleeps no longer.
    pub(crate) fn wake(&self) {
        let mut state = self.state();
        if state.policy.is_asleep() {
            state.policy.wake(self.clock.monotonic());
            self.wanted.notify_one();
        }
    }

    /// The place of the held set, if that is usable.
    pub(crate) fn holding(&self) -> Option<usize> {
        let state = self.state();
        state.place.filter(|_| state.policy.is_usable(self.clock.monotonic()))
    }

    /// When the held set was surely the issuer's, if it may be used.
    pub(crate) fn as_of(&self) -> Option<AsOf> {
        self.state().policy.as_of(self.clock.monotonic())
    }

    /// The last handle is gone: the task ends with it.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// A source has changed: an attempt is due.
    pub(crate) fn source_changed(&self) {
        self.state().policy.wake(self.clock.monotonic());
    }

    pub(crate) async fn refresh_now(&self) -> Result<(), FetchError> {
        if self.asked_attempt().await? == Asked::Joined && self.state().last_error.is_none() {
            // What that one brought may be older than the call.
            self.asked_attempt().await?;
        }
        self.state().last_error.map_or(Ok(()), Err)
    }

    async fn asked_attempt(&self) -> Result<Asked, FetchError> {
        let (asked, mut ended) = {
            let mut state = self.state();
            if state.lost {
                return Err(FetchError::Interrupted);
            }
            (state.policy.ask(self.clock.monotonic()), self.ended.subscribe())
        };
        if asked != Asked::LastResult {
            self.wanted.notify_one();
            timeout(ASKED_WAIT, ended.changed())
                .await
                .map_err(|_| FetchError::Interrupted)?
                .map_err(|_| FetchError::Interrupted)?;
        }
        Ok(asked)
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        Status {
            age: state.policy.age(self.clock.monotonic()),
            last_contact: state.last_contact,
            source: state.place.and_then(|place| self.places.get(place)).cloned(),
            from_disk: state.from_disk,
            keys: self.held.load().as_ref().map_or(0, |held| held.keys.iter().len()),
            denied: state.denied.len() + state.listed.len(),
            generation: self.generation.load(Ordering::Acquire),
            last_error: state.last_error,
            fetches: state.fetches,
            stale_served: self.stale_served.load(Ordering::Relaxed),
            feed: state.feed.status(self.clock.monotonic()),
        }
    }

    /// Sleeps, but not when somebody wants an attempt; answers whether that was so.
    pub(crate) async fn rest(&self, pause: Duration) -> bool {
        timeout(pause, self.wanted.notified()).await.is_ok()
    }

    /// The state is consistent whenever the lock is free, so a panic elsewhere is no reason to stop verifying.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
