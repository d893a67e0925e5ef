//! What changes the state that handles and task share: the end of an attempt, a denial, a disk copy.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use claviger_jose::Kid;
use reqwest::header::HeaderValue;

use crate::{
    FetchError, KeysEvent,
    assemble::{Kept, Restored},
    disk::{DiskCopy, Record, SetCopy},
    event::Change,
    fetch::Failed,
    held::{Held, PreparedKeys},
    policy::Turn,
    shared::{Shared, State},
    source::{Fetched, Received},
    wall::Step,
};

/// How often a mere confirmation is written to the disk.
const SAVE_PAUSE: Duration = Duration::from_mins(1);
/// How long after a writing that failed the next one is tried.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

impl Shared {
    pub(crate) fn turn(&self) -> Turn {
        self.state().policy.turn(self.clock.monotonic())
    }

    /// Takes in how an attempt ended, and tells those who wait. All of it is one change under one lock, so that
    /// nobody is told "unknown" by the new state and the old set.
    pub(crate) fn conclude(&self, began: Duration, result: Result<Fetched, Failed>) {
        let (now, jitter) = (self.clock.monotonic(), fastrand::f64());
        let mut state = self.state();
        let outcome = match result {
            Ok(fetched) => {
                let confirmed = fetched.keys.is_none();
                if state.policy.succeeded(now, confirmed, fetched.says, jitter) {
                    tracing::info!(issuer = %self.issuer, "the issuer is reached again");
                    self.tell(KeysEvent::Recovered);
                }
                self.take_in(&mut state, fetched, now);
                if confirmed { "not_modified" } else { "replaced" }
            }
            Err(failed) => {
                let is_stale = state.policy.failed(now, failed.retry_after, jitter);
                state.last_error = Some(failed.error);
                state.fetches.failed += 1;
                self.report(failed.error, state.policy.age(now));
                if is_stale {
                    self.tell(KeysEvent::Stale);
                }
                failed.error.name()
            }
        };
        self.ended.send_modify(|count| *count += 1);
        drop(state);
        self.metrics.fetched(outcome, now.saturating_sub(began));
    }

    fn take_in(&self, state: &mut State, fetched: Fetched, now: Duration) {
        let Fetched { keys, place, received, feed, .. } = fetched;
        let is_new = keys.is_some();
        self.learn_feed(state, feed);
        *if is_new { &mut state.fetches.replaced } else { &mut state.fetches.not_modified } += 1;
        (state.last_error, state.from_disk, state.place) = (None, false, Some(place));
        state.last_contact = state.policy.age(now).map(|age| self.clock.now().minus(whole_seconds(age)));
        if is_new {
            let tag = received.as_ref().and_then(|received| received.provenance.validators.tag());
            let tag = tag.map(str::to_owned);
            if state.tag != tag {
                state.feed.policy.report(now, fastrand::f64());
                self.poll_wanted.notify_one();
            }
            state.tag = tag;
            // A fixed set needs no copy, and must not lend its age to that of another.
            state.holds_copy = received.is_some();
        }
        if let (Some(received), true) = (received, self.disk.is_some()) {
            let name = self.places.get(place).map_or("", |name| &**name);
            state.copy = Some(copy_of(received, name));
        }
        let held = self.held.load().as_ref().map(|held| held.keys.clone());
        let Some(keys) = keys.or(held) else {
            return; // a confirmation is only accepted for a set that is held
        };
        self.swap(state, &keys);
        let saved_lately = state.saved_at.is_some_and(|at| now < at + SAVE_PAUSE);
        if is_new || !saved_lately {
            self.save(state, true);
        }
    }

    /// The runtime has ended, and the task with it, although there are handles.
    pub(crate) fn task_is_lost(&self) {
        tracing::error!(
            issuer = %self.issuer,
            "the runtime in which the client was built has ended: its key set is not refreshed any more"
        );
        self.state().lost = true;
        self.conclude(self.clock.monotonic(), Err(FetchError::Interrupted.into()));
    }

    /// Holds these keys from now on, without those that are denied.
    pub(crate) fn swap(&self, state: &mut State, keys: &PreparedKeys) {
        let (Some(usable_until), Some(fresh_until)) =
            (state.policy.usable_until(), state.policy.fresh_until())
        else {
            return;
        };
        let keys = keys.without(|kid| state.is_dead(kid));
        let before = self.held.load_full();
        let change = Change::between(before.as_ref().map(|held| &held.keys), &keys);
        let count = keys.iter().len();
        self.held.store(Some(Arc::new(Held { keys, usable_until, fresh_until })));
        if change.is_none() {
            return;
        }
        // After the keys: who reads the generation first and the keys then never has keys that are older than it.
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        self.metrics.keys(count, generation);
        let Change { added, removed, without_overlap, ends: _ } = change;
        tracing::info!(issuer = %self.issuer, ?added, ?removed, generation, "the key set has changed");
        self.tell(KeysEvent::Changed { added, removed, generation });
        for kid in without_overlap {
            tracing::warn!(issuer = %self.issuer, %kid, "a key was replaced without overlap: good tokens were refused");
            self.tell(KeysEvent::KeyWithoutOverlap { kid });
        }
    }

    /// Begins with what an earlier process kept.
    pub(crate) fn restore(self: &Arc<Self>, restored: Restored) {
        let denied = self.denials.join(self, restored.denied);
        let mut state = self.state();
        state.denied.add(&denied);
        self.remember(&mut state, restored.revocations);
        if let Some(Kept { place, copy, keys, .. }) = restored.kept {
            state.tag =
                copy.etag.as_deref().map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
            (state.place, state.from_disk, state.last_contact) = (Some(place), true, Some(copy.contact));
            (state.copy, state.holds_copy) = (Some(copy), true);
            self.swap(&mut state, &keys);
        }
    }

    /// Holds a set that is never fetched.
    pub(crate) fn hold(&self, place: usize, keys: &PreparedKeys) {
        let mut state = self.state();
        state.place = Some(place);
        self.swap(&mut state, keys);
    }

    /// A kid is denied, here or by another client of the issuer.
    pub(crate) fn strike(&self, kid: Kid) {
        let mut state = self.state();
        if !state.denied.insert(kid) {
            return;
        }
        tracing::warn!(issuer = %self.issuer, %kid, "a key is denied");
        self.swap_held(&mut state);
        self.save(&mut state, false);
    }

    /// These kids are in the deny file. It is where they are kept: no copy has them.
    pub(crate) fn strike_listed(&self, kids: Vec<Kid>) {
        let mut state = self.state();
        for kid in kids {
            if state.listed.insert(kid) {
                tracing::warn!(issuer = %self.issuer, %kid, "a key is denied by the deny file");
            }
        }
        self.swap_held(&mut state);
    }

    /// Holds the same keys by what is known now: when they become too old, and which of them are dead.
    pub(crate) fn swap_held(&self, state: &mut State) {
        let held = self.held.load().as_ref().map(|held| held.keys.clone());
        if let Some(keys) = held {
            self.swap(state, &keys);
        }
    }

    /// The issuer confirmed the held set at the beginning of an attempt or a poll.
    pub(crate) fn confirm(&self, state: &mut State, now: Duration) {
        state.from_disk = false;
        state.last_contact = state.policy.age(now).map(|age| self.clock.now().minus(whole_seconds(age)));
        self.swap_held(state);
        if state.saved_at.is_none_or(|at| at + SAVE_PAUSE <= now) {
            self.save(state, true);
        }
    }

    /// Looks at the clocks, and tells what is only counted in passing.
    pub(crate) fn look_around(&self) {
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let mut state = self.state();
        let step = state.wall.look(wall, now);
        if matches!(step, Some(Step::Back(_))) && state.copy.is_some() {
            // The copy's age counts by the wall clock: set it to what the other clock says.
            self.save(&mut state, false);
        }
        if let Some(Step::Forward(_)) = step {
            // This machine may have slept, and the monotonic clock with it: the set is older than it seems.
            state.policy.slept(now);
        }
        let wait_is_over = state.saved_at.is_none_or(|at| at + RETRY_PAUSE <= now);
        if wait_is_over && self.disk.as_ref().is_some_and(DiskCopy::has_failed) {
            self.save(&mut state, false);
        }
        let age = state.policy.age(now);
        let feed_age = state.feed.age(now);
        let served = self.stale_served.load(Ordering::Relaxed);
        let uncounted = served - std::mem::replace(&mut state.stale_counted, served);
        drop(state);
        if let Some(Step::Back(by)) = step {
            let seconds = by.as_secs();
            tracing::warn!(issuer = %self.issuer, seconds, "the wall clock was set back; the age of the key set was not");
            self.metrics.clock_set_back();
        }
        if let Some(Step::Forward(by)) = step {
            let seconds = by.as_secs();
            tracing::warn!(issuer = %self.issuer, seconds, "the wall clock was set forward, or this machine slept");
        }
        if let Some(age) = age {
            self.metrics.age(age);
        }
        if let Some(age) = feed_age {
            self.metrics.revocations_age(age);
        }
        if uncounted > 0 {
            self.metrics.stale_served(uncounted);
        }
    }

    /// Has what must survive a restart written to the disk, with the time of a contact that has just been.
    ///
    /// Without one the copy can only grow older: a machine that slept has a monotonic clock that stood still, and by
    /// the two clocks together the contact of yesterday would be one of today.
    pub(crate) fn save(&self, state: &mut State, contacted: bool) {
        let Some(disk) = &self.disk else { return };
        let now = self.clock.monotonic();
        state.saved_at = Some(now);
        if let (Some(copy), Some(age), true) = (&mut state.copy, state.policy.age(now), state.holds_copy) {
            let contact = self.clock.now().minus(whole_seconds(age));
            copy.contact = if contacted { contact } else { contact.min(copy.contact) };
            copy.staleness = state.policy.staleness().as_secs();
        }
        let (issuer, denied) = (self.issuer.to_string(), state.denied.kids());
        let revocations = Arc::clone(&state.feed.list);
        disk.save(Record { issuer, denied, revocations, set: state.copy.clone() });
    }

    pub(crate) fn tell(&self, event: KeysEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    fn report(&self, reason: FetchError, age: Option<Duration>) {
        let (issuer, age) = (&self.issuer, age.map(|age| age.as_secs()));
        if reason.is_alarming() {
            tracing::error!(%issuer, %reason, age, "the issuer publishes a private key; the held set is kept");
        } else {
            let remedy = reason.remedy();
            tracing::warn!(%issuer, %reason, age, remedy, "the key set could not be fetched");
        }
    }
}

/// Rounded up: an age is never understated.
fn whole_seconds(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs() + u64::from(age.subsec_nanos() > 0))
}

fn copy_of(received: Received, place: &str) -> SetCopy {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let Received { document, provenance } = received;
    SetCopy {
        place: place.to_owned(),
        url: provenance.url,
        etag: provenance.validators.etag.as_ref().and_then(text),
        last_modified: provenance.validators.last_modified.as_ref().and_then(text),
        contact: claviger_jose::NumericDate::from_secs(0),
        staleness: 0,
        document,
    }
}
