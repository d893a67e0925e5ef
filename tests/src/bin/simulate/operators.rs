//! Operators: they rotate and revoke when they like, and some of it in bad moments.

use claviger_jose::Algorithm;
use claviger_keyring::{KeyState, StepRefused};

use crate::{
    agenda::Event,
    time::{MINUTE, Millis, SECOND, millis, moment},
    world::{World, index},
};

/// Who waits for the fleet looks so often whether it has learned.
const LOOKS: Millis = 10 * SECOND;

impl World {
    /// Something that an operator wants; every third time, a replica is cut off around then.
    pub(crate) fn operate(&mut self) {
        let pause = self.chance.exponential(self.scenario.between_acts);
        self.agenda.put(self.now + pause, Event::Operate);
        let lease = millis(self.scenario.policy.lifetimes().lease);
        if self.chance.once_in(3) {
            let replica = index(self.chance.below(self.replicas.len()));
            let at = self.now + self.chance.between(0, 2 * lease);
            self.agenda.put(at, Event::ReplicaCut(replica));
        }
        let at = self.now + self.chance.between(0, 2 * lease);
        let alg = index(self.chance.below(Algorithm::ALL.len()));
        let again = index(self.chance.below(3));
        match self.chance.below(20) {
            0..10 => self.agenda.put(at, Event::Rotate { alg, wait: false, again }),
            10..15 => self.agenda.put(at, Event::Rotate { alg, wait: true, again }),
            15..17 => {
                // Until somebody notices, and is up, some minutes pass.
                let at = self.now + self.chance.between(MINUTE, 10 * MINUTE);
                self.steal_some(at);
                if self.chance.once_in(4) {
                    self.revoke_some(at, |state| matches!(state, KeyState::Active { .. }));
                }
            }
            17 => self.revoke_some(at, |state| matches!(state, KeyState::Prepared { .. })),
            18 => self.revoke_some(at, |state| matches!(state, KeyState::Retiring { .. })),
            _ => self.revoke_some(at, KeyState::is_published),
        }
    }

    /// An active key is stolen, and revoked then.
    fn steal_some(&mut self, revoked: Millis) {
        let actives = self.database.versions[self.database.latest()].active;
        if let Some(key) = actives[self.chance.below(actives.len())] {
            self.agenda.put(self.now + self.chance.between(0, MINUTE), Event::Steal(key));
            self.agenda.put(revoked, Event::Revoke(key));
        }
    }

    /// A key of that kind; all of them, if they are all that is published.
    fn revoke_some(&mut self, at: Millis, which: impl Fn(KeyState) -> bool) {
        let keys = self.database.keyring.keys().iter().filter(|key| which(key.state));
        let kids: Vec<usize> = keys.map(|key| self.database.number(key.jwk.kid())).collect();
        let everything = self.chance.once_in(4);
        let one = self.chance.below(kids.len());
        for (place, number) in kids.into_iter().enumerate() {
            if everything || place == one {
                self.agenda.put(at, Event::Revoke(number));
            }
        }
    }

    /// The command that rotates ahead of the period, and comes again when it is told to.
    pub(crate) fn rotate(&mut self, place: usize, wait: bool, again: u8) {
        let policy = self.scenario.policy;
        let retry = Event::Rotate { alg: index(place), wait, again };
        if !self.is_reachable() {
            return self.agenda.put(self.now + LOOKS, retry);
        }
        let fleet = self.fleet(wait);
        match self.database.keyring.plan_rotation(Self::algorithm(place), &policy, &fleet, self.date()) {
            Ok(steps) => {
                if self.database.take(&steps, self.now, false).is_ok() {
                    self.figures.rotations += 1;
                    self.changed(if wait {
                        "an operator has waited for the fleet"
                    } else {
                        "an operator rotates"
                    });
                }
                if again > 0 {
                    // One who cannot wait asks for the next one at once, and for as long as it takes.
                    self.agenda
                        .put(self.now + SECOND, Event::Rotate { alg: index(place), wait, again: again - 1 });
                }
            }
            Err(StepRefused::TooEarly { .. }) if wait => self.agenda.put(self.now + LOOKS, retry),
            Err(StepRefused::TooEarly { earliest, .. }) => {
                let at = moment(earliest).max(self.now + SECOND);
                self.agenda.put(at, retry);
            }
            Err(StepRefused::SetFull(_)) => self.agenda.put(self.now + 10 * MINUTE, retry),
            Err(_) => self.agenda.put(self.now + SECOND, retry),
        }
    }

    /// The command that declares a key dead.
    pub(crate) fn revoke(&mut self, number: usize) {
        if !self.is_reachable() {
            return self.agenda.put(self.now + LOOKS, Event::Revoke(number));
        }
        let kid = self.database.keys[number].kid;
        let policy = self.scenario.policy;
        let plan = self.database.keyring.plan_revocation(kid, &policy, &self.fleet(false), self.date());
        if let Ok(steps) = plan
            && self.database.take(&steps, self.now, true).is_ok()
        {
            self.freeze_some();
            self.figures.revocations += 1;
            self.changed("an operator revokes");
        }
    }

    pub(crate) fn is_reachable(&self) -> bool {
        self.replicas.iter().any(crate::replica::Replica::is_connected)
    }
}
