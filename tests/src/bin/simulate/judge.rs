//! The invariants, checked at every event that could break them.

use std::collections::VecDeque;

use claviger_jwks_client::{KeyError, simulation::Want};

use crate::{
    acceptance::{Judged, leeway},
    agenda::Event,
    contact::number,
    database::{KeyNo, Version},
    replica::{ROUND_TRIP, Replica},
    statement::OLD,
    time::{DAY, MINUTE, Millis, SECOND, date_off, millis},
    verifier::{Class, Verifier},
    world::World,
};

/// What a verifier that is reached may need beyond its poll: a lost draw of the jitter, an answer that takes its time.
pub(crate) const SLACK: Millis = 10 * SECOND;
/// The longest time for which a replica may sign with a key that it does not know to be retired.
const LONGEST_LEASE: Millis = 2 * MINUTE;
/// The largest difference of clocks that is allowed for.
const LONGEST_SKEW: u64 = 60;
/// By how much a scheduled rotation may be late: somebody may be cut off, or wait.
const LATE: Millis = DAY;
/// How many lines of the journal are kept.
const LINES: usize = 40;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) invariant: &'static str,
    pub(crate) at: Millis,
    pub(crate) words: String,
}

/// What happened last, and whether it broke an invariant.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) lines: VecDeque<(Millis, String)>,
    pub(crate) breach: Option<Breach>,
}

impl Journal {
    pub(crate) fn note(&mut self, at: Millis, words: impl FnOnce() -> String) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((at, words()));
    }

    fn breach(&mut self, invariant: &'static str, at: Millis, words: impl FnOnce() -> String) {
        if self.breach.is_none() {
            self.breach = Some(Breach { invariant, at, words: words() });
        }
    }
}

impl World {
    pub(crate) fn breach(&mut self, invariant: &'static str, words: impl FnOnce() -> String) {
        self.journal.breach(invariant, self.now, words);
    }

    /// V1: every key whose tokens are alive is presented. `waited`: these requests have waited for an attempt.
    pub(crate) fn judge(&mut self, verifier: usize, waited: bool) {
        let mut lacks = false;
        for place in 0..self.living.len() {
            let key = self.living[place];
            if self.database.keys[key].revoked_at.is_some() || !self.is_alive(key) {
                continue;
            }
            self.figures.judged += 1;
            if self.knows(verifier, key) {
                self.judge_times(verifier, key);
                self.judge_bystander(verifier, self.date());
            } else {
                lacks = true;
                self.judge_unknown(verifier, key, waited);
            }
        }
        let one = &self.verifiers[verifier];
        if lacks && one.class.is_ours() && !one.is_cut && !self.is_out && one.meets_at <= self.now {
            let again = self.now + self.chance.between(SECOND, 5 * SECOND);
            self.verifiers[verifier].meets_at = again;
            self.agenda.put(again, Event::Meet(number(verifier)));
        }
    }

    /// Tokens of keys that it lacked go on coming.
    pub(crate) fn meet(&mut self, verifier: usize) {
        if self.verifiers[verifier].held.is_some() {
            self.judge(verifier, false);
        }
    }

    fn judge_unknown(&mut self, verifier: usize, key: KeyNo, waited: bool) {
        let now = self.now;
        let one = &mut self.verifiers[verifier];
        if one.held.is_none() {
            return; // it has only just started: 503, or not there at all
        }
        if !waited && one.want(now) != Want::Refused {
            one.is_waited_for = true;
            if one.in_flight.is_none() && one.next_poll != now {
                one.is_quiet = false;
                self.schedule_poll(verifier, now);
            }
            return;
        }
        if one.refusal(now) == KeyError::UnknownKid {
            self.rejected(verifier, key);
        } else {
            self.figures.unavailable += 1;
        }
    }

    fn rejected(&mut self, verifier: usize, number: KeyNo) {
        let (one, key) = (&self.verifiers[verifier], &self.database.keys[number]);
        let since = self.now - key.activated_at.unwrap_or(self.now);
        if one.class == Class::AtStart {
            self.figures.rejected_by_who_never_asks += 1;
        } else if key.is_unlearned {
            self.figures.rejected_in_haste.add(since);
        } else if !one.class.is_ours() && (one.is_cut || one.is_disturbed || self.is_out) {
            self.figures.unavailable += 1;
        } else {
            let (class, held) = (one.class.name(), one.held);
            self.journal.breach("V1", self.now, || {
                format!("verifier {verifier} ({class}), holding version {held:?}, refused a token of key {number}, {since} ms after that became active")
            });
        }
    }

    /// A token that was signed this moment, one that has expired, and one that a thief of a retired key makes.
    fn judge_times(&mut self, verifier: usize, number: KeyNo) {
        let lifetimes = *self.scenario.policy.lifetimes();
        let Self { verifiers, database, acceptance, .. } = self;
        let (one, key) = (&verifiers[verifier], &database.keys[number]);
        let here = date_off(self.now, one.clock);
        let sign_until = one.held.and_then(|held| database.versions[held].key(number)?.sign_until);
        let sign_until = sign_until.filter(|_| one.class.is_ours());
        let mut judged = |iat, exp| {
            Judged { iat, exp, sign_until, here, skew: leeway(lifetimes.skew) }.is_accepted(acceptance)
        };
        for replica in &self.replicas {
            let apart = (replica.clock - one.clock).unsigned_abs();
            let signs = database.versions[replica.view].active.contains(&Some(number))
                && replica.may_sign(self.now, lifetimes.lease, lifetimes.skew);
            let iat = date_off(self.now, replica.clock);
            if signs && apart <= millis(lifetimes.skew) && !judged(iat, iat + lifetimes.token) {
                self.journal.breach("V1", self.now, || {
                    format!("verifier {verifier} ({}), at {here} for it, refused the times of a token of key {number} that was signed this moment: issued at {iat}, to be signed until {sign_until:?}", one.class.name())
                });
            }
        }
        let expired = here.minus(std::time::Duration::from_secs(LONGEST_SKEW + 1));
        if judged(expired.minus(std::time::Duration::from_secs(30)), expired) {
            self.journal.breach("V2", self.now, || {
                format!("verifier {verifier} accepted a token more than a minute after its end")
            });
        }
        let skew = std::time::Duration::from_secs(LONGEST_SKEW);
        let is_over = sign_until.is_some_and(|until| here > until + skew);
        if is_over && key.stopped_at.is_some() && judged(here, here + std::time::Duration::from_mins(1)) {
            self.journal.breach("V2", self.now, || {
                format!("verifier {verifier} accepted what a thief of the retired key {number} signs")
            });
        }
    }

    fn knows(&self, verifier: usize, number: KeyNo) -> bool {
        let (one, key) = (&self.verifiers[verifier], &self.database.keys[number]);
        one.held.is_some_and(|held| self.database.versions[held].key(number).is_some())
            && one.list().is_none_or(|list| !list.has_key(&key.kid))
            && self.now < one.usable_until()
    }

    /// Whether a token of this key may be unexpired by the true clock.
    fn is_alive(&self, number: KeyNo) -> bool {
        let lifetimes = self.scenario.policy.lifetimes();
        let lives = |replica: &Replica| {
            let end = replica.signs_until(self.now, lifetimes.lease) + millis(lifetimes.token).max(SECOND);
            !replica.clock_is_off(lifetimes.skew)
                && self.database.versions[replica.view].active.contains(&Some(number))
                && self.now < end.saturating_add_signed(replica.clock)
        };
        self.now < self.database.keys[number].tokens_live_until || self.replicas.iter().any(lives)
    }

    /// V2: a set is dropped for another one, and revoked keys with it.
    pub(crate) fn forget_set(&mut self, verifier: usize, next: Version) {
        let Some(held) = self.verifiers[verifier].held else { return };
        let gone: Vec<KeyNo> = self.database.versions[held]
            .keys
            .iter()
            .map(|key| key.number)
            .filter(|number| self.database.versions[next].key(*number).is_none())
            .collect();
        for number in gone {
            let is_denied = self.verifiers[verifier]
                .list()
                .is_some_and(|list| list.has_key(&self.database.keys[number].kid));
            if !is_denied {
                self.expose(verifier, number);
            }
        }
        self.note_learned(verifier, held, next);
    }

    /// V2: a statement of the feed was taken.
    pub(crate) fn note_denials(&mut self, verifier: usize) {
        let Some(held) = self.verifiers[verifier].held else { return };
        let list = self.verifiers[verifier].list();
        let dead: Vec<KeyNo> = self.database.versions[held]
            .keys
            .iter()
            .map(|key| key.number)
            .filter(|number| list.is_some_and(|list| list.has_key(&self.database.keys[*number].kid)))
            .collect();
        for number in dead {
            if self.verifiers[verifier].denied.insert(number) {
                self.expose(verifier, number);
            }
        }
    }

    /// A key that was accepted until now is so no more.
    fn expose(&mut self, verifier: usize, number: KeyNo) {
        let Some(revoked) = self.database.keys[number].revoked_at else { return };
        let one = &self.verifiers[verifier];
        let until = self.now.min(one.usable_until());
        let exposure = until.saturating_sub(revoked);
        let Some(due) = self.heard_by(verifier, revoked, true) else { return };
        let is_reached = due <= revoked + self.heard_in(one);
        self.figures.note_exposure(one.class, !is_reached, exposure);
        if until > due {
            let (late, fate) = (until - due, one.fate());
            let words = format!(
                "verifier {verifier} accepted the revoked key {number} for {exposure} ms, {late} ms too long: {fate}"
            );
            self.breach("V2", || words);
        }
    }

    /// How long it takes to hear of a revocation: of anything by the feed, of a key by the set.
    fn heard_in(&self, one: &Verifier) -> Millis {
        let freshness = millis(self.scenario.policy.lifetimes().freshness);
        // Who has a clock that is wrong takes statements for old ones, or from the future, and has the key set.
        let is_off = one.clock.unsigned_abs() > millis(self.scenario.policy.lifetimes().skew) / 2;
        match one.class {
            Class::Feed if one.robbed_by.is_some() => 2 * self.poll_interval() + SLACK,
            Class::Feed if !is_off => self.poll_interval() * 11 / 10 + SLACK,
            _ => freshness + SLACK,
        }
    }

    /// By when a verifier must have heard of a revocation.
    pub(crate) fn heard_by(&self, verifier: usize, revoked: Millis, is_key: bool) -> Option<Millis> {
        let lifetimes = self.scenario.policy.lifetimes();
        let one = &self.verifiers[verifier];
        if !one.class.is_ours() {
            return None;
        }
        let lease = millis(lifetimes.lease);
        let stale =
            self.last_replica_cut.filter(|at| at + lease + 2 * SECOND >= revoked).map_or(0, |_| lease);
        // Until the stolen key is revoked, its thief may keep the feed silent.
        let told = match one.robbed_by {
            Some(stolen) => revoked.max(self.database.keys[stolen].revoked_at.unwrap_or(Millis::MAX / 2)),
            None => revoked,
        };
        // A set that is fetched anew lacks what is revoked; a list of revocations that is lost must be heard again.
        let told = if is_key { told } else { told.max(one.began_at) };
        let bound = self.heard_in(one) + stale;
        let by_feed = one.disturbances.due(told, bound);
        let frozen = one.frozen.filter(|freeze| freeze.from <= by_feed && freeze.until >= revoked);
        let by_feed = frozen.map_or(by_feed, |freeze| by_feed.max(one.disturbances.due(freeze.until, bound)));
        let by_set = millis(lifetimes.freshness).max(OLD + millis(lifetimes.skew)) + stale + SLACK;
        let by_set = one.disturbances.due(revoked, by_set);
        let latest = revoked + millis(self.scenario.staleness) + lease + SLACK;
        Some(if is_key { by_feed.min(by_set).min(latest) } else { by_feed })
    }

    /// V4: exactly one key of each algorithm is active, and none for longer than its period.
    pub(crate) fn check_actives(&mut self) {
        let now = self.now;
        for place in 0..2 {
            let alg = Self::algorithm(place);
            let active = |key: &&claviger_keyring::ManagedKey| {
                key.jwk.alg() == alg && matches!(key.state, claviger_keyring::KeyState::Active { .. })
            };
            let count = self.database.keyring.keys().iter().filter(active).count();
            if count != 1 {
                self.journal.breach("V4", now, || format!("{count} active {alg} keys"));
            }
        }
        let period = millis(self.scenario.policy.lifetimes().period);
        let keys = self.database.keys.iter().enumerate().rev().take(8);
        for (number, key) in keys {
            if let (Some(from), Some(until)) = (key.activated_at, key.stopped_at)
                && until - from > period + LATE
            {
                self.journal.breach("V4", now, || format!("key {number} signed for longer than its period"));
            }
        }
    }

    /// V4: each replica within its lease publishes every key that any of them signs with; and somebody signs.
    pub(crate) fn check_replicas(&mut self) {
        let lifetimes = *self.scenario.policy.lifetimes();
        let (now, haste) = (self.now, millis(lifetimes.lease) + 2 * SECOND);
        let signs = |replica: &&Replica| replica.may_sign(now, lifetimes.lease, lifetimes.skew);
        for signer in self.replicas.iter().filter(signs) {
            for number in self.database.versions[signer.view].active.into_iter().flatten() {
                let key = &self.database.keys[number];
                // Where nothing was ready to follow a stolen key, its successor is published as it begins to sign.
                let is_hasty = key.is_unlearned && key.activated_at.is_some_and(|at| now <= at + haste);
                // And a revoked key is taken out of the set at once, by who has heard of it.
                let all = self
                    .replicas
                    .iter()
                    .filter(signs)
                    .all(|replica| self.database.versions[replica.view].key(number).is_some());
                if !all && !is_hasty && key.revoked_at.is_none() {
                    self.journal.breach("V4", now, || {
                        format!("a replica signs with key {number}, which another one does not publish")
                    });
                }
            }
        }
        let is_able = |replica: &Replica| {
            let looked = now.saturating_sub(replica.last_look(now)) <= SECOND + ROUND_TRIP;
            replica.is_connected() && looked && !replica.clock_is_off(lifetimes.skew)
        };
        let able = self.replicas.iter().any(is_able);
        let signing = self.replicas.iter().any(|replica| signs(&replica));
        if able && !signing {
            self.journal
                .breach("V4", now, || "the database is reached, and yet no replica may sign".to_owned());
        }
    }

    /// V4: a key that is active no more is signed with for a lease at most.
    pub(crate) fn check_signed(&mut self, number: KeyNo, replica: usize, stopped: Millis, signed: Millis) {
        let late = signed.saturating_sub(stopped);
        if late > 0 {
            self.figures.signed_late.add(late);
        }
        if late > LONGEST_LEASE {
            self.journal.breach("V4", self.now, || {
                format!("replica {replica} signed with key {number} until {late} ms after that had ceased to be active")
            });
        }
    }

    fn note_learned(&mut self, verifier: usize, held: Version, next: Version) {
        let one = &self.verifiers[verifier];
        for key in &self.database.versions[next].keys {
            let is_new =
                self.database.versions[held].key(key.number).is_none() && key.number > one.knows_up_to;
            if is_new {
                let published = self.database.keys[key.number].published_at;
                let disturbed = one.disturbances.due(published, 0) > published;
                self.figures.note_learned(one.class, disturbed, self.now - published);
            }
        }
        let newest = self.database.versions[next].keys.iter().map(|key| key.number).max().unwrap_or(0);
        let one = &mut self.verifiers[verifier];
        one.knows_up_to = one.knows_up_to.max(newest);
    }

    /// At the end, what is still accepted counts as well.
    pub(crate) fn close(&mut self) {
        self.now = self.scenario.length;
        for verifier in 0..self.verifiers.len() {
            let Some(held) = self.verifiers[verifier].held else { continue };
            let keys: Vec<KeyNo> = self.database.versions[held].keys.iter().map(|key| key.number).collect();
            for number in keys {
                if !self.verifiers[verifier].denied.contains(&number) {
                    self.expose(verifier, number);
                }
            }
        }
    }
}
