//! What goes wrong: cuts, restarts, floods, clocks.

use crate::{
    agenda::Event,
    contact::number,
    time::{DAY, HOUR, MINUTE, Millis, SECOND, millis},
    world::{World, index},
};

/// Once in so long each verifier is restarted, and cut off.
const BETWEEN_RESTARTS: Millis = 14 * DAY;
const BETWEEN_CUTS: Millis = 200 * DAY;
/// Once in so long each replica loses the database.
const BETWEEN_REPLICA_CUTS: Millis = 4 * DAY;
const BETWEEN_OUTAGES: Millis = 150 * DAY;

impl World {
    pub(crate) fn plan_faults(&mut self, from: Millis) {
        let act = self.chance.exponential(self.scenario.between_acts);
        self.agenda.put(from + act, Event::Operate);
        let logout = self.chance.exponential(self.scenario.between_acts);
        self.agenda.put(from + logout, Event::RevokeTokens);
        for replica in 0..self.replicas.len() {
            let cut = self.chance.exponential(BETWEEN_REPLICA_CUTS);
            self.agenda.put(from + cut, Event::ReplicaCut(index(replica)));
        }
        let outage = self.chance.exponential(BETWEEN_OUTAGES);
        self.agenda.put(from + outage, Event::Outage(true));
        self.plan_mishap();
        let (windows, length) = self.scenario.windows;
        for _ in 0..windows {
            let at = self.chance.between(from, self.scenario.length.saturating_sub(length));
            self.agenda.put(at, Event::Window(true));
        }
    }

    fn plan_mishap(&mut self) {
        let all = self.verifiers.len().max(1) as u64;
        let rate = 1.0 / millis_f64(BETWEEN_RESTARTS) + 1.0 / millis_f64(BETWEEN_CUTS);
        let mean = std::time::Duration::from_secs_f64(1.0 / rate).as_millis() / u128::from(all);
        let pause = self.chance.exponential(Millis::try_from(mean).unwrap_or(DAY)).max(1);
        self.agenda.put(self.now + pause, Event::Mishap);
    }

    /// Some verifier is restarted, or cut off, or flooded.
    pub(crate) fn mishap(&mut self) {
        self.plan_mishap();
        let verifier = self.chance.below(self.verifiers.len());
        if self.chance.below(214) < 200 {
            self.restart(verifier);
        } else if self.chance.once_in(10) {
            let length = self.chance.between(5 * MINUTE, HOUR);
            self.verifiers[verifier].flooded_until = self.now + length;
            self.flood(verifier);
        } else {
            // A cut of a single one, or of a whole site; some last for longer than a set may be used.
            let many = if self.chance.once_in(500) { self.verifiers.len() / 50 } else { 1 };
            let length = if self.chance.once_in(20) {
                self.chance.between(20 * HOUR, 40 * HOUR)
            } else {
                self.chance.exponential(HOUR)
            };
            for neighbour in verifier..(verifier + many.max(1)).min(self.verifiers.len()) {
                self.cut_verifier(neighbour, length.max(SECOND));
            }
        }
    }

    fn restart(&mut self, verifier: usize) {
        self.wake(verifier);
        let with_copy = self.chance.once_in(2);
        let (scenario, now) = (&self.scenario, self.now);
        self.verifiers[verifier].restart(scenario, now, with_copy);
        let at = self.now + self.chance.between(1, 2 * SECOND);
        self.schedule_poll(verifier, at);
    }

    fn cut_verifier(&mut self, verifier: usize, length: Millis) {
        self.wake(verifier);
        let one = &mut self.verifiers[verifier];
        if !std::mem::replace(&mut one.is_cut, true) {
            self.agenda.put(self.now + length, Event::VerifierBack(number(verifier)));
        }
    }

    pub(crate) fn reconnect_verifier(&mut self, verifier: usize) {
        self.verifiers[verifier].is_cut = false;
        self.judge(verifier, false);
    }

    /// Somebody sends kids that nobody knows: whatever the bucket grants is spent on them.
    pub(crate) fn flood(&mut self, verifier: usize) {
        let now = self.now;
        if !self.verifiers[verifier].class.is_ours() || !self.verifiers[verifier].is_flooded(now) {
            return;
        }
        self.wake(verifier);
        let granted = self.verifiers[verifier].want(now) == claviger_jwks_client::simulation::Want::Granted;
        let one = &self.verifiers[verifier];
        if granted && one.in_flight.is_none() && one.next_poll != now {
            self.schedule_poll(verifier, now);
        }
        self.agenda.put(now + 10 * SECOND, Event::Flood(number(verifier)));
    }

    pub(crate) fn cut_replica(&mut self, replica: usize) {
        let next = self.chance.exponential(BETWEEN_REPLICA_CUTS);
        self.agenda.put(self.now + next, Event::ReplicaCut(index(replica)));
        if !self.replicas[replica].is_connected() {
            return;
        }
        // One in ten is of all replicas: the database itself.
        let all = self.chance.once_in(10);
        let length = self.chance.exponential(6 * MINUTE).max(SECOND);
        for place in 0..self.replicas.len() {
            if (all || place == replica) && self.replicas[place].is_connected() {
                self.replicas[place].cut(self.now);
                self.agenda.put(self.now + length, Event::ReplicaBack(index(place)));
            }
        }
        self.last_replica_cut = Some(self.now);
        self.journal
            .note(self.now, || format!("replica {replica} (all: {all}) loses the database for {length} ms"));
        // Once their leases are over, others may be asked than before.
        let lease = millis(self.scenario.policy.lifetimes().lease);
        let apart = self.replicas.iter().any(|one| one.view != self.database.latest());
        if apart && self.replicas.iter().all(|one| !one.is_connected()) {
            self.agenda.put(self.now + lease + SECOND, Event::Stir);
        }
    }

    pub(crate) fn reconnect_replica(&mut self, replica: usize) {
        let skew = millis(self.scenario.policy.lifetimes().skew) / 2;
        self.leave_view(replica);
        self.note_ready();
        let clock = if self.chance.once_in(20) { 300_000 } else { self.chance.within(skew) };
        let process = &mut self.replicas[replica];
        process.clock = clock;
        process.reconnect(self.now);
        let next = process.next_look(self.now);
        self.agenda.put(next, Event::Look(index(replica)));
        self.journal.note(self.now, || format!("replica {replica} is back, its clock off by {clock} ms"));
    }

    /// The whole issuer is out of reach for a while.
    pub(crate) fn outage(&mut self, begins: bool) {
        self.stir();
        self.is_out = begins;
        self.journal
            .note(self.now, || format!("the issuer is {}", if begins { "out of reach" } else { "back" }));
        let (pause, next) = if begins {
            (self.chance.exponential(15 * MINUTE), Event::Outage(false))
        } else {
            (self.chance.exponential(BETWEEN_OUTAGES), Event::Outage(true))
        };
        self.agenda.put(self.now + pause.max(SECOND), next);
    }

    /// For some minutes every poll is counted.
    pub(crate) fn window(&mut self, begins: bool) {
        if begins {
            self.stir();
            self.agenda.put(self.now + self.scenario.windows.1, Event::Window(false));
            self.figures.load.window(self.scenario.windows.1);
        }
        self.is_window = begins;
    }
}

fn millis_f64(time: Millis) -> f64 {
    std::time::Duration::from_millis(time).as_secs_f64()
}
