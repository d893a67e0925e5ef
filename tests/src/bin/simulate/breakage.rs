//! Each inequality of the rotation policy, broken by itself: the simulation and the model must notice.

use std::time::Duration;

use claviger_keyring::{Lifetimes, RotationPolicy};

use crate::scenario::tightened;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// An inequality of [`RotationPolicy::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Inequality {
    /// T <= 1 h.
    LongestToken,
    /// T >= 1 s.
    ShortestToken,
    /// S <= 1 min.
    Skew,
    /// L <= 2 min.
    LongestLease,
    /// L >= 1 s.
    ShortestLease,
    /// The period is at least the lead.
    Period,
    /// P >= C + L + S.
    Lead,
    /// P >= 1 h + L + S, with foreign verifiers.
    ForeignLead,
    /// D >= T + S + L.
    Tail,
}

impl Inequality {
    pub(crate) const ALL: [Self; 9] = [
        Self::LongestToken,
        Self::ShortestToken,
        Self::Skew,
        Self::LongestLease,
        Self::ShortestLease,
        Self::Period,
        Self::Lead,
        Self::ForeignLead,
        Self::Tail,
    ];

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::LongestToken => "token lifetime <= 1 h",
            Self::ShortestToken => "token lifetime >= 1 s",
            Self::Skew => "skew <= 1 min",
            Self::LongestLease => "lease <= 2 min",
            Self::ShortestLease => "lease >= 1 s",
            Self::Period => "period >= lead",
            Self::Lead => "lead >= C + L + S",
            Self::ForeignLead => "lead >= 1 h + L + S (foreign)",
            Self::Tail => "tail >= T + S + L",
        }
    }

    /// The invariant of the simulation that must not hold then, and words of its breach.
    pub(crate) const fn breaks(self) -> (&'static str, &'static str) {
        match self {
            Self::LongestToken | Self::ShortestToken | Self::Skew => ("V1", "refused the times"),
            // Whichever of the two is noticed first: a token that is signed late, or a set that is served late.
            Self::LongestLease => ("V4", "after that had ceased to be active"),
            Self::ShortestLease => ("V4", "no replica may sign"),
            Self::Period => ("V4", "longer than its period"),
            Self::Lead | Self::Tail => ("V1", "refused a token of key"),
            Self::ForeignLead => ("V1", "(foreign, cached 1 h)"),
        }
    }

    /// The property of the model that must not hold then.
    pub(crate) const fn refutes(self) -> &'static str {
        match self {
            Self::LongestToken | Self::ShortestToken | Self::Skew => "V1, V2: the times of tokens",
            Self::LongestLease => "V4: nobody signs for long with a key that is active no more",
            Self::ShortestLease => "V4: somebody signs",
            Self::Period => "V4: no key signs for longer than its period",
            Self::Lead | Self::ForeignLead | Self::Tail => {
                "V1: a token that lives has its key at every verifier"
            }
        }
    }

    /// Durations that keep every inequality but this one.
    pub(crate) fn broken(self) -> RotationPolicy {
        let house = Lifetimes { foreign_verifiers: false, period: 2 * DAY, ..Lifetimes::default() };
        let lifetimes = match self {
            Self::LongestToken => tightened(Lifetimes { token: 2 * HOUR, ..house }),
            Self::ShortestToken => tightened(Lifetimes { token: Duration::ZERO, ..house }),
            Self::Skew => tightened(Lifetimes { skew: HOUR / 12, ..house }),
            Self::LongestLease => tightened(Lifetimes { lease: HOUR / 3, ..house }),
            Self::ShortestLease => tightened(Lifetimes { lease: Duration::ZERO, ..house }),
            Self::Period => Lifetimes { period: 2 * DAY, lead: 10 * DAY, ..house },
            Self::Lead => Lifetimes { lead: Duration::from_secs(1), ..tightened(house) },
            Self::ForeignLead => {
                Lifetimes { lead: HOUR / 6, ..tightened(Lifetimes { foreign_verifiers: true, ..house }) }
            }
            Self::Tail => Lifetimes { tail: HOUR / 60, ..tightened(house) },
        };
        debug_assert!(RotationPolicy::new(lifetimes).is_err_and(|broken| broken.len() == 1), "{self:?}");
        RotationPolicy::unchecked(lifetimes)
    }
}
