//! Who stands between issuer and verifiers: caches that replay, and thieves of a key.

use crate::{
    agenda::Event,
    contact::number,
    database::KeyNo,
    statement::{Author, Statement},
    time::{MINUTE, Millis, SECOND, date_off},
    verifier::{Class, Client},
    world::World,
};

/// For how long a feed may be frozen.
const LONGEST_FREEZE: Millis = 15 * MINUTE;
/// The most kids that a statement of the largest size names, nearly.
const VERY_MANY: u32 = 65_536;

/// A cache that answers every poll of the feed with the same statement, or that it has not changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freeze {
    pub(crate) statement: Statement,
    pub(crate) from: Millis,
    pub(crate) until: Millis,
}

impl World {
    /// A row of verifiers polls through a cache that is stuck, from this moment on.
    pub(crate) fn freeze_some(&mut self) {
        if !self.chance.once_in(2) {
            return;
        }
        let (from, count) = (self.chance.below(self.verifiers.len()), self.verifiers.len().div_ceil(20));
        let until = self.now + self.chance.between(MINUTE, LONGEST_FREEZE);
        for verifier in from..(from + count).min(self.verifiers.len()) {
            self.wake(verifier);
            let now = self.now;
            let one = &mut self.verifiers[verifier];
            let is_stuck = one.frozen.is_some_and(|freeze| now < freeze.until);
            if let (Some(latest), false) = (one.latest(), is_stuck) {
                one.frozen = Some(Freeze { statement: latest.statement, from: now, until });
                self.agenda.put(until, Event::Thaw(number(verifier)));
                self.figures.freezes += 1;
            }
        }
    }

    /// The cache is gone.
    pub(crate) fn thaw(&mut self, verifier: usize) {
        self.judge(verifier, false);
    }

    /// A thief of a key tells some verifiers that everything is later than it is, and names kids by the thousand.
    pub(crate) fn steal(&mut self, key: KeyNo) {
        let is_huge = self.chance.once_in(10);
        let (count, kids) = if is_huge { (1, VERY_MANY) } else { (20, 100) };
        let from = self.chance.below(self.verifiers.len());
        let victims =
            (from..self.verifiers.len()).filter(|place| self.verifiers[*place].class == Class::Feed);
        let victims: Vec<usize> = victims.take(count).collect();
        self.figures.thefts += 1;
        self.journal.note(self.now, || format!("key {key} is stolen, {kids} kids are told to {victims:?}"));
        for verifier in victims {
            self.wake(verifier);
            for again in 0..=u32::from(is_huge) {
                self.rob(verifier, key, Author::Thief { key, kids, again });
            }
            self.go_on(verifier);
        }
    }

    fn rob(&mut self, verifier: usize, key: KeyNo, signer: Author) {
        let one = &self.verifiers[verifier];
        let (Some(version), Client::Ours { .. }) = (one.held, &one.client) else { return };
        // A little ahead of all others, and still believed.
        let iat = date_off(self.now + 30 * SECOND, one.clock);
        let taken = self.offer(verifier, Statement { signer, version, iat });
        if taken.is_ok() {
            self.verifiers[verifier].robbed_by = Some(key);
        }
        self.hear(verifier, self.now, taken);
    }
}
