//! What a run has counted.

use std::collections::BTreeMap;

use crate::{
    database::Database,
    load::Load,
    time::{Millis, SECOND},
    verifier::Class,
};

/// The figures of one run, or of several.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) events: u64,
    /// Tokens that were judged.
    pub(crate) judged: u64,
    /// Requests that were told to come back: 503.
    pub(crate) unavailable: u64,
    pub(crate) rotations: u64,
    pub(crate) revocations: u64,
    pub(crate) token_revocations: u64,
    /// Revoked tokens that were presented when they had to be refused.
    pub(crate) dead_tokens: u64,
    /// Feeds that were frozen, and keys that were stolen.
    pub(crate) freezes: u64,
    pub(crate) thefts: u64,
    /// Keys that began to sign.
    pub(crate) activations: u64,
    pub(crate) load: Load,
    /// The time from a key's publication until a verifier held it: per class, undisturbed or not.
    pub(crate) learned: BTreeMap<(Class, bool), Spread>,
    /// The time from a key's revocation until a verifier refused it.
    pub(crate) exposures: BTreeMap<(Class, bool), Spread>,
    /// How long after a key had been retired or revoked a replica cut off still signed with it.
    pub(crate) signed_late: Spread,
    /// Refusals of a key that had to sign before anybody could know it, by how long that was ago.
    pub(crate) rejected_in_haste: Spread,
    /// Refusals at verifiers that never ask again, which no lead covers.
    pub(crate) rejected_by_who_never_asks: u64,
}

impl Figures {
    pub(crate) fn note_learned(&mut self, class: Class, disturbed: bool, after: Millis) {
        self.learned.entry((class, disturbed)).or_default().add(after);
    }

    pub(crate) fn note_exposure(&mut self, class: Class, disturbed: bool, length: Millis) {
        self.exposures.entry((class, disturbed)).or_default().add(length);
    }

    pub(crate) fn count_change(&mut self, database: &Database) {
        let last = database.versions.len() - 1;
        let now = &database.versions[last];
        let before = last.checked_sub(1).map(|last| database.versions[last].active).unwrap_or_default();
        self.activations +=
            now.active.iter().zip(before).filter(|(now, before)| **now != *before).count() as u64;
    }

    /// Adds those of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.judged += other.judged;
        self.unavailable += other.unavailable;
        self.rotations += other.rotations;
        self.revocations += other.revocations;
        self.token_revocations += other.token_revocations;
        self.dead_tokens += other.dead_tokens;
        self.freezes += other.freezes;
        self.thefts += other.thefts;
        self.activations += other.activations;
        self.load.add(&other.load);
        self.signed_late.merge(&other.signed_late);
        self.rejected_in_haste.merge(&other.rejected_in_haste);
        self.rejected_by_who_never_asks += other.rejected_by_who_never_asks;
        for (key, spread) in other.learned {
            self.learned.entry(key).or_default().merge(&spread);
        }
        for (key, spread) in other.exposures {
            self.exposures.entry(key).or_default().merge(&spread);
        }
    }
}

/// How some times are spread; to a hundredth of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread {
    counts: BTreeMap<Millis, u64>,
    pub(crate) count: u64,
    pub(crate) longest: Millis,
}

impl Spread {
    pub(crate) fn add(&mut self, time: Millis) {
        self.longest = self.longest.max(time);
        self.count += 1;
        *self.counts.entry(rounded(time)).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.longest = self.longest.max(other.longest);
        self.count += other.count;
        for (time, count) in &other.counts {
            *self.counts.entry(*time).or_default() += count;
        }
    }

    /// The time that so many in a thousand do not exceed.
    pub(crate) fn per_mille(&self, part: u64) -> Millis {
        let wanted = (self.count * part).div_ceil(1000);
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        found.map_or(0, |(time, _)| (*time).min(self.longest))
    }

    /// Up to each time, which share.
    pub(crate) fn cumulative(&self) -> Vec<(f64, f64)> {
        let mut seen = 0;
        let point = |(time, count): (&Millis, &u64)| {
            seen += count;
            (seconds(*time), f64_of(seen) / f64_of(self.count.max(1)))
        };
        self.counts.iter().map(point).collect()
    }
}

/// Up, to a hundredth.
fn rounded(time: Millis) -> Millis {
    let step = (time / 100).max(1).next_power_of_two().max(10);
    time.div_ceil(step) * step
}

pub(crate) fn seconds(time: Millis) -> f64 {
    f64_of(time) / f64_of(SECOND)
}

#[expect(clippy::cast_precision_loss, reason = "figures to be looked at")]
pub(crate) fn f64_of(number: u64) -> f64 {
    number as f64
}
