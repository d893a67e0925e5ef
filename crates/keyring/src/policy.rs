use std::time::Duration;

use claviger_jose::NumericDate;

use crate::Serving;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The durations that a safe rotation follows from, each as it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// T: the longest lifetime of an access token.
    pub token: Duration,
    /// S: the clock skew that verifiers allow for.
    pub skew: Duration,
    /// C: how long a verifier holds a key set before it asks again.
    pub freshness: Duration,
    /// L: how old a replica's view of the key states may be while it signs.
    pub lease: Duration,
    /// P: how long a key is published before it may sign.
    pub lead: Duration,
    /// D: how long a key that signs no more stays published.
    pub tail: Duration,
    /// How long a key signs.
    pub period: Duration,
    /// Whether verifiers other than ours read the key set. Many of them look for new keys
    /// once an hour, whatever `Cache-Control` says.
    pub foreign_verifiers: bool,
}

impl Lifetimes {
    /// When a change of the keys has surely reached whoever holds something for so long: a replica signs by an older view for
    /// a lease, and clocks differ by the skew.
    fn seen_after(&self, held: Duration) -> Duration {
        held.saturating_add(self.lease).saturating_add(self.skew)
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            token: 5 * MINUTE,
            skew: MINUTE / 2,
            freshness: 5 * MINUTE,
            lease: MINUTE,
            lead: DAY,
            tail: HOUR,
            period: 30 * DAY,
            foreign_verifiers: true,
        }
    }
}

/// Two durations that do not go together, with the numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {found:?} but must be {relation} {bound:?} ({why})")]
pub struct BrokenInequality {
    /// The setting that is out of its bound.
    pub name: &'static str,
    relation: &'static str,
    found: Duration,
    bound: Duration,
    why: &'static str,
}

/// When keys change. Proven to be safe: it exists only if its inequalities hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy(Lifetimes);

impl RotationPolicy {
    /// Checks the durations against each other.
    ///
    /// # Errors
    /// Every [`BrokenInequality`], not only the first.
    pub fn new(lifetimes: Lifetimes) -> Result<Self, Vec<BrokenInequality>> {
        let Lifetimes { token, skew, freshness, lease, lead, tail, period, foreign_verifiers } = lifetimes;
        let mut broken = Vec::new();
        let mut require = |name, found, relation, bound, why| {
            let holds = if relation == "at least" { found >= bound } else { found <= bound };
            if !holds {
                broken.push(BrokenInequality { name, relation, found, bound, why });
            }
        };
        require("token lifetime", token, "at most", HOUR, "verifiers refuse longer tokens");
        require("token lifetime", token, "at least", Duration::from_secs(1), "times are whole seconds");
        require("skew", skew, "at most", MINUTE, "an expired token would live on");
        require("lease", lease, "at most", 2 * MINUTE, "a retired key would sign on");
        require("lease", lease, "at least", Duration::from_secs(1), "times are whole seconds");
        require("period", period, "at least", lead, "a key is published for the lead before it signs");
        // The sums saturate: a mistake of the configuration is reported, not a panic.
        require(
            "lead",
            lead,
            "at least",
            lifetimes.seen_after(freshness),
            "freshness + lease + skew, or a verifier would not know the key",
        );
        if foreign_verifiers {
            require(
                "lead",
                lead,
                "at least",
                lifetimes.seen_after(HOUR),
                "1 h + lease + skew while foreign_verifiers are allowed for",
            );
        }
        require(
            "tail",
            tail,
            "at least",
            lifetimes.seen_after(token),
            "token lifetime + skew + lease, or a valid token would lose its key",
        );
        if broken.is_empty() { Ok(Self(lifetimes)) } else { Err(broken) }
    }

    /// A policy whose inequalities nobody has checked: a simulation shows what each of them is for.
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    #[must_use]
    pub const fn unchecked(lifetimes: Lifetimes) -> Self {
        Self(lifetimes)
    }

    /// When a key that was published then may sign by the clock; `None` while nobody serves it.
    ///
    /// It is published for the lead. What of that fell into a break, in which no replica was ready, has taught nobody: after
    /// a break it is served for as long as the lead has to be at least.
    #[must_use]
    pub fn end_of_lead(&self, published: NumericDate, serving: Serving) -> Option<NumericDate> {
        let end = published + self.0.lead;
        match serving {
            Serving::Always => Some(end),
            Serving::Since(since) => Some(end.max(since + self.least_lead().min(self.0.lead))),
            Serving::Nobody => None,
        }
    }

    /// How long a verifier takes at most to learn a key that every replica serves: what [`new`](Self::new) asks of the lead.
    fn least_lead(&self) -> Duration {
        let Lifetimes { freshness, foreign_verifiers, .. } = self.0;
        self.0.seen_after(if foreign_verifiers { freshness.max(HOUR) } else { freshness })
    }

    /// How long a replica may be silent before nobody waits for it: it has long stopped to sign.
    #[must_use]
    pub fn replica_silence(&self) -> Duration {
        3 * self.0.lease
    }

    /// How long a verifier may be silent before a rotation does not wait for it. One that is alive asks once in each C.
    #[must_use]
    pub fn verifier_silence(&self) -> Duration {
        (2 * self.0.freshness).max(MINUTE)
    }

    /// The durations.
    #[must_use]
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.0
    }
}

impl Default for RotationPolicy {
    /// The defaults of [`Lifetimes`], which keep the inequalities.
    fn default() -> Self {
        Self(Lifetimes::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(change: impl FnOnce(&mut Lifetimes)) -> String {
        let mut lifetimes = Lifetimes::default();
        change(&mut lifetimes);
        let names =
            |broken: Vec<BrokenInequality>| broken.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
        RotationPolicy::new(lifetimes).map_or_else(names, |_| String::new())
    }

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    // S-33 S-34
    #[test]
    fn a_policy_that_would_break_a_verifier_does_not_exist() {
        assert_eq!(broken(|_| ()), "");
        assert_eq!(broken(|l| l.lead = secs(3600 + 60 + 30)), "");
        assert_eq!(broken(|l| l.lead = secs(3600 + 60 + 29)), "lead");
        assert_eq!(broken(|l| (l.lead, l.foreign_verifiers) = (secs(390), false)), "");
        assert_eq!(broken(|l| (l.lead, l.foreign_verifiers) = (secs(389), false)), "lead");
        assert_eq!(broken(|l| l.tail = secs(390)), "");
        assert_eq!(broken(|l| l.tail = secs(389)), "tail");
        assert_eq!(broken(|l| l.token = secs(3601)), "token lifetime, tail");
        assert_eq!(broken(|l| l.token = secs(0)), "token lifetime");
        assert_eq!(broken(|l| l.skew = secs(61)), "skew");
        assert_eq!(broken(|l| l.lease = secs(121)), "lease");
        assert_eq!(broken(|l| l.period = secs(86_399)), "period");
    }

    // S-33
    #[test]
    fn durations_beyond_all_measure_are_mistakes_like_others() {
        let max = Duration::MAX;
        assert_eq!(broken(|l| l.freshness = max), "lead");
        assert_eq!(broken(|l| l.lease = max), "lease, lead, lead, tail");
        assert_eq!(broken(|l| (l.token, l.skew) = (max, max)), "token lifetime, skew, lead, lead, tail");
        assert_eq!(broken(|l| l.lead = max), "period");
    }

    #[test]
    fn the_message_names_the_inequality_and_the_numbers() {
        let lifetimes = Lifetimes { tail: secs(10), ..Lifetimes::default() };
        assert_eq!(
            RotationPolicy::new(lifetimes).unwrap_err()[0].to_string(),
            "tail is 10s but must be at least 390s (token lifetime + skew + lease, or a valid token would lose its key)"
        );
    }
}
