//! How verifiers and issuer meet: attempts, answers, and which of them need no event of their own.
//!
//! A verifier that holds what every replica publishes, and reaches them, will only be told that nothing has changed.
//! Such polls change nothing but the phase of the next one, so they are not simulated: when something happens that
//! could make a difference (another set, a cut, a restart, a flood, a window of counting), the phase is drawn from
//! where a row of polls stands at a moment that does not depend on it, and polls are events again.

use std::time::Duration;

use claviger_jwks_client::simulation::{
    Consequence, Horizons, PollEnd, PollTimes, StatementFault, poll_ended,
};

use crate::{
    agenda::Event,
    time::{Millis, SECOND, date_off, millis, monotonic},
    verifier::{Class, Client, Errand, InFlight, Latest, NEVER},
    world::World,
};

/// An attempt takes no longer.
const ATTEMPT: Millis = 3 * SECOND;
/// How long a request waits for an attempt.
const WAIT: Millis = 2 * SECOND;
/// Answers that come sooner need no event of their own.
const AT_ONCE: Millis = 200;
pub(crate) const ISSUER: &str = "https://id.fleet.test";

impl World {
    /// What the key set says of itself.
    pub(crate) fn says(&self) -> Horizons {
        let fresh = self.scenario.policy.lifetimes().freshness;
        Horizons { fresh: Some(fresh), stale: Some(self.scenario.staleness), ..Horizons::default() }
    }

    pub(crate) fn schedule_poll(&mut self, verifier: usize, at: Millis) {
        self.verifiers[verifier].next_poll = at;
        if at != NEVER {
            self.agenda.put(at, Event::Poll(number(verifier)));
        }
    }

    /// A verifier does what is due.
    pub(crate) fn poll(&mut self, verifier: usize) {
        let one = &mut self.verifiers[verifier];
        if one.next_poll != self.now || one.in_flight.is_some() || one.is_quiet {
            return;
        }
        let Some(errand) = one.begin(self.now) else {
            return self.go_on(verifier);
        };
        let is_lost = self.is_out || one.is_cut || self.chance.once_in(400);
        let latency = self.chance.latency();
        if is_lost || latency > ATTEMPT {
            self.figures.load.count_lost(self.is_window && !is_lost);
            self.verifiers[verifier].failed(errand, self.now, &mut self.chance);
            return self.conclude(verifier, true);
        }
        let replica = self.route();
        let process = &self.replicas[replica];
        let (version, looked) = (process.view, process.last_look(self.now));
        let flight = InFlight { errand, began: self.now, replica, version, looked };
        if latency > AT_ONCE {
            self.verifiers[verifier].in_flight = Some(flight);
            self.agenda.put(self.now + latency, Event::Reply(number(verifier)));
        } else {
            self.receive(verifier, flight);
        }
    }

    /// A slow answer arrives.
    pub(crate) fn reply(&mut self, verifier: usize) {
        if let Some(flight) = self.verifiers[verifier].in_flight.take() {
            self.receive(verifier, flight);
        }
    }

    /// The load balancer's choice: a replica that is ready, or any if none is.
    fn route(&mut self) -> usize {
        let lifetimes = *self.scenario.policy.lifetimes();
        let ready = |place: &usize| self.replicas[*place].may_sign(self.now, lifetimes.lease, lifetimes.skew);
        let places: Vec<usize> = (0..self.replicas.len()).filter(ready).collect();
        match places.len() {
            0 => self.chance.below(self.replicas.len()),
            count => places[self.chance.below(count)],
        }
    }

    fn receive(&mut self, verifier: usize, flight: InFlight) {
        let told = self.verifiers[verifier].held;
        self.verifiers[verifier].told = Some((self.now, told));
        let is_known = match flight.errand {
            Errand::Feed => self.receive_statement(verifier, flight),
            Errand::KeySet => self.receive_set(verifier, flight),
        };
        let bytes = if is_known { None } else { Some(self.answer_bytes(flight)) };
        self.figures.load.count(self.now, self.is_window, flight.errand, bytes);
        self.conclude(verifier, flight.errand == Errand::KeySet && self.now <= flight.began + WAIT);
    }

    fn answer_bytes(&self, flight: InFlight) -> usize {
        let version = &self.database.versions[flight.version];
        match flight.errand {
            Errand::KeySet => version.bytes,
            Errand::Feed => 500 + 60 * version.statement,
        }
    }

    /// Answers whether it was held already.
    fn receive_set(&mut self, verifier: usize, flight: InFlight) -> bool {
        let age = Duration::from_secs(flight.began.saturating_sub(flight.looked) / SECOND);
        let says =
            Horizons { age, fresh: self.says().fresh.map(|fresh| fresh.saturating_sub(age)), ..self.says() };
        let (before, set) = (self.verifiers[verifier].held, self.database.set_of(flight.version));
        if before != Some(set) && self.verifiers[verifier].holds_later(self.now, age) {
            self.verifiers[verifier].failed(flight.errand, self.now, &mut self.chance);
            return false;
        }
        if before != Some(set) {
            self.forget_set(verifier, set);
        }
        self.verifiers[verifier].fetched(set, self.now, says, &mut self.chance);
        before == Some(set)
    }

    /// A statement of the feed: what is revoked, and which set is published with it. Answers whether it is the one
    /// that was held.
    fn receive_statement(&mut self, verifier: usize, flight: InFlight) -> bool {
        let statement = match self.verifiers[verifier].freeze(self.now) {
            Some(freeze) => freeze.statement,
            None => self.signed_by(flight.replica, flight.version, flight.began),
        };
        let is_known = self.verifiers[verifier].latest().is_some_and(|latest| latest.statement == statement);
        let taken = if is_known { Ok(()) } else { self.offer(verifier, statement) };
        self.hear(verifier, flight.began, taken);
        if taken.is_ok() {
            self.verifiers[verifier].robbed_by = None;
        }
        is_known
    }

    /// What follows from a poll that was answered.
    pub(crate) fn hear(&mut self, verifier: usize, began: Millis, taken: Result<(), StatementFault>) {
        let times = PollTimes { began: monotonic(began), now: monotonic(self.now) };
        let jitters = [self.chance.unit(), self.chance.unit()];
        let one = &mut self.verifiers[verifier];
        let Client::Ours { policy, feed: Some(feed) } = &mut one.client else { return };
        let clocks = (date_off(self.now, one.clock), self.now);
        let end = match taken {
            Ok(()) => feed.end(one.held, clocks, self.scenario.poll),
            Err(fault) => PollEnd::Refused(fault),
        };
        let consequence = poll_ended(end, times, jitters, &mut feed.policy, policy);
        one.is_disturbed &= !matches!(consequence, Consequence::Confirmed { .. });
        if taken.is_ok() {
            self.note_denials(verifier);
        }
    }

    /// After an attempt: what requests are told now, and what comes next. `is_answer`: those that waited wait no more.
    fn conclude(&mut self, verifier: usize, is_answer: bool) {
        let was_waited_for = std::mem::take(&mut self.verifiers[verifier].is_waited_for);
        self.judge(verifier, was_waited_for && is_answer);
        self.go_on(verifier);
    }

    /// Plans the next attempt, or none while nothing could come of it.
    pub(crate) fn go_on(&mut self, verifier: usize) {
        let is_settled = self.is_settled(verifier);
        let one = &mut self.verifiers[verifier];
        let next = one.next_attempt(self.now, &mut self.chance).max(self.now);
        one.is_quiet = is_settled;
        if is_settled {
            one.next_poll = next;
        } else {
            self.schedule_poll(verifier, next);
        }
    }

    fn is_settled(&self, verifier: usize) -> bool {
        let lifetimes = self.scenario.policy.lifetimes();
        let (one, latest) = (&self.verifiers[verifier], self.database.latest());
        let is_ready =
            |replica: &&crate::replica::Replica| replica.may_sign(self.now, lifetimes.lease, lifetimes.skew);
        let mut ready = self.replicas.iter().filter(is_ready).peekable();
        let has_heard = one
            .list()
            .is_none_or(|list| list.sequence() == Some(self.database.versions[latest].statement as u64 + 1));
        !(self.is_window || self.is_out || one.is_cut || one.is_disturbed || one.is_flooded(self.now))
            && one.freeze(self.now).is_none()
            && (one.held == Some(self.database.set_of(latest)) || matches!(one.class, Class::AtStart))
            && has_heard
            && ready.peek().is_some()
            && ready.all(|replica| replica.view == latest)
    }

    /// Whatever is different from now on, every verifier is simulated poll by poll until it has settled again.
    pub(crate) fn stir(&mut self) {
        for verifier in 0..self.verifiers.len() {
            self.wake(verifier);
        }
    }

    pub(crate) fn wake(&mut self, verifier: usize) {
        if !self.verifiers[verifier].is_quiet {
            return;
        }
        let (says, replica) = (self.says(), self.route());
        let statement = self.signed_by(replica, self.replicas[replica].view, self.now);
        let latest = Latest::of(
            statement,
            &self.says_of_revocations(statement),
            self.database.set_of(statement.version),
        );
        let one = &mut self.verifiers[verifier];
        one.catch_up(self.now, (says, self.scenario.poll), &latest, &mut self.chance);
        (one.is_quiet, one.told) = (false, Some((self.now, one.held)));
        let next = one.next_attempt(self.now, &mut self.chance);
        self.schedule_poll(verifier, next);
    }

    /// F, and the pause after which a poll that was due is missed.
    pub(crate) fn poll_interval(&self) -> Millis {
        millis(self.scenario.poll)
    }
}

/// A number for an event.
pub(crate) fn number(verifier: usize) -> u32 {
    u32::try_from(verifier).expect("there are fewer verifiers than that")
}
