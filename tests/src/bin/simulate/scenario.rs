//! What a run is about: the durations, the fleet, and how much goes wrong.

use std::time::Duration;

use claviger_keyring::{Lifetimes, RotationPolicy};

use crate::{
    chance::Chance,
    time::{DAY, Millis},
};

const HOUR: Duration = Duration::from_hours(1);
const DAYS: Duration = Duration::from_hours(24);

/// Everything that a run depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) name: &'static str,
    pub(crate) verifiers: usize,
    pub(crate) length: Millis,
    pub(crate) policy: RotationPolicy,
    /// M: how stale a set may get.
    pub(crate) staleness: Duration,
    /// F: the poll of the feed.
    pub(crate) poll: Duration,
    /// How many times, and for how long, every poll is simulated and counted.
    pub(crate) windows: (u32, Millis),
    /// The mean time between two acts of operators.
    pub(crate) between_acts: Millis,
}

impl Scenario {
    /// The scenario of a seed: the defaults; durations as tight as they are allowed to be, with foreign verifiers and
    /// without; and some that are drawn.
    pub(crate) fn of(seed: u64, verifiers: usize, days: u64) -> Self {
        let mut chance = Chance::seeded(seed ^ 0x5eed);
        let tight = Lifetimes { period: 10 * DAYS, ..Lifetimes::default() };
        let (name, lifetimes) = match seed % 4 {
            1 => ("the defaults", Lifetimes::default()),
            2 => ("tight", tightened(tight)),
            3 => ("tight, no foreign verifiers", tightened(Lifetimes { foreign_verifiers: false, ..tight })),
            _ => ("drawn", drawn(&mut chance)),
        };
        let policy = RotationPolicy::new(lifetimes).expect("what is drawn keeps the inequalities");
        Self::with_policy(name, policy, seed, verifiers, days)
    }

    pub(crate) fn with_policy(
        name: &'static str,
        policy: RotationPolicy,
        seed: u64,
        verifiers: usize,
        days: u64,
    ) -> Self {
        Self {
            seed,
            name,
            verifiers,
            length: days * DAY,
            policy,
            staleness: 24 * HOUR,
            poll: Duration::from_secs(15),
            windows: (2, 5 * 60_000),
            between_acts: 9 * DAY,
        }
    }
}

/// The shortest lead and tail that go with the other durations.
pub(crate) fn tightened(lifetimes: Lifetimes) -> Lifetimes {
    let Lifetimes { token, skew, freshness, lease, foreign_verifiers, .. } = lifetimes;
    let learned = if foreign_verifiers { freshness.max(HOUR) } else { freshness };
    Lifetimes { lead: learned + lease + skew, tail: token + skew + lease, ..lifetimes }
}

fn drawn(chance: &mut Chance) -> Lifetimes {
    let mut seconds = |least, most| Duration::from_secs(chance.between(least, most));
    let lifetimes = Lifetimes {
        token: seconds(60, 3600),
        skew: seconds(0, 60),
        freshness: seconds(60, 3600),
        lease: seconds(4, 120),
        lead: Duration::ZERO,
        tail: Duration::ZERO,
        period: seconds(10 * 86_400, 40 * 86_400),
        foreign_verifiers: seconds(0, 1).is_zero(),
    };
    let Lifetimes { lead, tail, .. } = tightened(lifetimes);
    Lifetimes { lead: lead + seconds(0, 7200), tail: tail + seconds(0, 3600), ..lifetimes }
}
