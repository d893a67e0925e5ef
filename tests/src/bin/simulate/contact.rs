//! How verifiers and issuer meet: attempts, answers, and which of them need no event of their own.
//!
//! A verifier that holds what every replica publishes, and reaches them, will only be told that nothing has changed.
//! Such polls change nothing but the phase of the next one, so they are not simulated: when something happens that
//! could make a difference (another set, a cut, a restart, a flood, a window of counting), the phase is drawn from
//! where a row of polls stands at a moment that does not depend on it, and polls are events again.

use std::time::Duration;

use claviger_jose::{NumericDate, Revocations};
use claviger_jwks_client::simulation::{Horizons, Reader, RevocationList, Signer, StatementFault};

use crate::{
    agenda::Event,
    time::{Millis, SECOND, date_off, millis, monotonic},
    verifier::{Class, Client, Errand, InFlight, NEVER},
    world::World,
};

/// An attempt takes no longer.
const ATTEMPT: Millis = 3 * SECOND;
/// How long a request waits for an attempt.
const WAIT: Millis = 2 * SECOND;
/// Answers that come sooner need no event of their own.
const AT_ONCE: Millis = 200;
/// For how long a statement of the feed is news; a new one is signed in time.
const STATEMENT: Millis = 600 * SECOND;
const ISSUER: &str = "https://id.fleet.test";

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
        let flight = InFlight { errand, began: self.now, replica, version: self.replicas[replica].view };
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
        let says = self.says();
        let before = self.verifiers[verifier].held;
        if before != Some(flight.version) {
            self.forget_set(verifier, flight.version);
        }
        self.verifiers[verifier].fetched(flight.version, self.now, says, &mut self.chance);
        before == Some(flight.version)
    }

    /// A statement of the feed: what is revoked, and which set is published with it. Answers whether it is the one
    /// that was held.
    fn receive_statement(&mut self, verifier: usize, flight: InFlight) -> bool {
        let lifetimes = *self.scenario.policy.lifetimes();
        let (version, replica) = (&self.database.versions[flight.version], &self.replicas[flight.replica]);
        // A replica signs statements as it signs tokens: within its lease.
        let signed = replica.signs_until(flight.began, lifetimes.lease);
        let statement = (version.statement as u64 + 1, date_off(signed, replica.clock));
        let is_known =
            self.verifiers[verifier].list().and_then(RevocationList::sequence) == Some(statement.0);
        let news = if is_known {
            Ok(self.now < signed + STATEMENT)
        } else {
            self.offer(verifier, flight, statement)
        };
        let jitter = self.chance.unit();
        let one = &mut self.verifiers[verifier];
        let Client::Ours { policy, feed: Some(feed) } = &mut one.client else { return true };
        let Ok(is_fresh) = news else {
            // A key that it does not hold, or an older statement: the set may say more.
            feed.policy.failed(monotonic(self.now), None, jitter);
            policy.outdated(monotonic(self.now), jitter);
            return true;
        };
        let began = monotonic(flight.began);
        feed.policy.succeeded(began, monotonic(self.now), Some(self.scenario.poll), jitter);
        if one.held == Some(flight.version) && is_fresh {
            policy.vouched(began, Duration::from_millis(flight.began - signed.min(flight.began)), jitter);
            one.is_disturbed = false;
        } else if one.held != Some(flight.version) {
            policy.outdated(monotonic(self.now), jitter);
        }
        if !is_known {
            self.note_denials(verifier);
        }
        is_known
    }

    /// A statement with this number, signed then, by the active key of the replica that answers: the real rules take it
    /// or refuse it. Answers whether it is still news.
    fn offer(
        &mut self,
        verifier: usize,
        flight: InFlight,
        (seq, iat): (u64, NumericDate),
    ) -> Result<bool, StatementFault> {
        let version = &self.database.versions[flight.version];
        let name = |number: &usize| self.database.keys[*number].kid;
        let one = &mut self.verifiers[verifier];
        let now = date_off(self.now, one.clock);
        let held = one.held.map(|held| &self.database.versions[held]);
        let Client::Ours { feed: Some(feed), .. } = &mut one.client else { return Ok(true) };
        let number = version.active[1].ok_or(StatementFault::UnknownSigner)?;
        let signer = Signer {
            kid: name(&number),
            sign_until: held.and_then(|held| held.key(number)).and_then(|key| key.sign_until),
        };
        let statement = Revocations {
            iss: ISSUER.to_owned(),
            seq,
            iat,
            exp: iat + Duration::from_millis(STATEMENT),
            jwks: flight.version.to_string(),
            kid: self.database.revoked[..version.statement].iter().map(name).collect(),
            jti: Vec::new(),
            sid: Vec::new(),
            sub: Vec::new(),
            client: Vec::new(),
            all: None,
        };
        let keys = held.map(|held| held.kids.clone()).unwrap_or_default();
        let reader = Reader { issuer: ISSUER, keys: &keys, now };
        feed.list.take(&statement, &signer, &reader).map(|news| news.is_fresh)
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
            && (one.held == Some(latest) || matches!(one.class, Class::AtStart))
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
        let says = self.says();
        let one = &mut self.verifiers[verifier];
        if !one.is_quiet {
            return;
        }
        one.catch_up(self.now, says, self.scenario.poll, &mut self.chance);
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
