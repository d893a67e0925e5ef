//! The models that are explored: one without foreign verifiers, one with, and one for each broken inequality.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use claviger_keyring::{Lifetimes, RotationPolicy};
use stateright::{Checker, HasDiscoveries, Model};

use super::{SmallFleet, state::Units};
use crate::breakage::Inequality;

const UNIT: u64 = 30;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What came of exploring a model.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) name: &'static str,
    pub(crate) states: usize,
    pub(crate) steps: usize,
    pub(crate) took: Duration,
    /// The property that does not hold, and the way to where it does not.
    pub(crate) broken: Option<(&'static str, String)>,
}

/// Durations as tight as they are allowed to be, and a unit that fits them all.
fn house() -> Lifetimes {
    Lifetimes {
        token: MINUTE,
        skew: MINUTE / 2,
        freshness: MINUTE,
        lease: MINUTE / 2,
        lead: 2 * MINUTE,
        tail: 2 * MINUTE,
        period: 4 * MINUTE,
        foreign_verifiers: false,
    }
}

fn foreign() -> Lifetimes {
    Lifetimes {
        token: MINUTE,
        skew: MINUTE,
        freshness: MINUTE,
        lease: MINUTE,
        lead: HOUR + 2 * MINUTE,
        tail: 3 * MINUTE,
        period: 2 * HOUR,
        foreign_verifiers: true,
    }
}

/// Explores every reachable state: rotations, an emergency, and verifiers that ask once an hour; `deep`: for longer, and
/// with more that goes wrong.
pub(crate) fn is_sound(deep: bool) -> Vec<Explored> {
    let sound = |lifetimes| RotationPolicy::new(lifetimes).expect("the inequalities hold, if only just");
    let ours = |horizon| SmallFleet::new(sound(house()), UNIT, 2, horizon);
    let models = [
        ("two rotations", SmallFleet { revocations: 0, ..ours(if deep { 10 } else { 9 }) }),
        ("a rotation and an emergency", SmallFleet { rotations: 1, ..ours(if deep { 8 } else { 7 }) }),
        ("two cuts", SmallFleet { rotations: 1, revocations: 0, cuts: 2, ..ours(if deep { 9 } else { 8 }) }),
        ("foreign verifiers, which ask once an hour", others(sound(foreign()))),
    ];
    models.into_iter().map(|(name, model)| explore(name, model)).collect()
}

/// The hour is long in units: in this model nobody is cut off.
fn others(policy: RotationPolicy) -> SmallFleet {
    SmallFleet { rotations: 2, revocations: 0, cuts: 0, ..SmallFleet::new(policy, 2 * UNIT, 60, 70) }
}

/// With one inequality broken, as narrowly as the units allow.
pub(crate) fn find(inequality: Inequality) -> Explored {
    let lifetimes = match inequality {
        Inequality::LongestToken => Lifetimes { token: 2 * HOUR, tail: 3 * HOUR, ..house() },
        Inequality::ShortestToken => Lifetimes { token: Duration::ZERO, ..house() },
        Inequality::Skew => {
            Lifetimes { skew: 2 * MINUTE, lead: HOUR / 4, tail: HOUR / 4, period: HOUR, ..house() }
        }
        Inequality::LongestLease => {
            Lifetimes { lease: 5 * MINUTE / 2, lead: 4 * MINUTE, tail: 4 * MINUTE, ..house() }
        }
        Inequality::ShortestLease => Lifetimes { lease: Duration::ZERO, ..house() },
        Inequality::Period => Lifetimes { period: 3 * MINUTE / 2, ..house() },
        Inequality::Lead => Lifetimes { lead: 3 * MINUTE / 2, ..house() },
        Inequality::ForeignLead => Lifetimes { lead: HOUR, ..foreign() },
        Inequality::Tail => Lifetimes { tail: 3 * MINUTE / 2, ..house() },
    };
    assert!(
        RotationPolicy::new(lifetimes).is_err_and(|broken| broken.len() == 1),
        "exactly one inequality is broken"
    );
    let policy = RotationPolicy::unchecked(lifetimes);
    if inequality == Inequality::ForeignLead {
        return explore(inequality.words(), others(policy));
    }
    explore(inequality.words(), SmallFleet::new(policy, UNIT, 2, horizon(&lifetimes)))
}

fn horizon(lifetimes: &Lifetimes) -> Units {
    let units = (lifetimes.lead.min(HOUR) + 2 * MINUTE).as_secs() / UNIT;
    Units::try_from(units).unwrap_or(11).clamp(11, 16)
}

/// Explores until every state is known, or one that must not be.
pub(crate) fn explore(name: &'static str, model: SmallFleet) -> Explored {
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let checker =
        model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let broken = checker.discoveries().into_iter().next().map(|(property, path)| {
        let actions = path.into_actions().iter().map(|action| format!("{action:?}")).collect::<Vec<_>>();
        (property, actions.join(", "))
    });
    Explored {
        name,
        states: checker.unique_state_count(),
        steps: checker.max_depth(),
        took: start.elapsed(),
        broken,
    }
}

/// A line for each.
pub(crate) fn table(explored: &[Explored]) -> String {
    let line = |one: &Explored| {
        let Explored { name, states, steps, took, broken } = one;
        let seconds = took.as_secs_f64();
        let outcome = broken.as_ref().map_or_else(
            || "every property holds".to_owned(),
            |(property, way)| format!("{property}\n    {way}"),
        );
        format!("{name}: {states} states, up to {steps} steps, {seconds:.1} s: {outcome}")
    };
    explored.iter().map(line).collect::<Vec<_>>().join("\n")
}
