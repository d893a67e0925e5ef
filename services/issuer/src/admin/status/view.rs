use std::{collections::HashMap, time::Duration};

use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{FleetView, KeyState, Keyring, ManagedKey, RotationPolicy, Serving, Step, Witness};
use claviger_store::SeenVerifier;

use crate::witnesses::{Witnesses, last_served};

/// All that a replica knows of the keys, the fleet and itself at one moment, from memory. The page shows it, and the
/// metrics count it.
#[derive(Debug, Clone)]
pub(crate) struct StatusView {
    /// The issuer identifier.
    pub(crate) issuer: String,
    /// All keys, tombstones included.
    pub(crate) keyring: Keyring,
    /// When each key was made, as far as that is known.
    pub(crate) created: HashMap<Kid, NumericDate>,
    /// The durations that the next steps follow from.
    pub(crate) policy: RotationPolicy,
    /// F: how often verifiers ask for revocations.
    pub(crate) poll: Duration,
    /// M: for how long verifiers use a key set while the issuer is away.
    pub(crate) staleness: Duration,
    /// Who holds which keys.
    pub(crate) witnesses: Witnesses,
    /// The audiences of the registry: no other name becomes a label.
    pub(crate) audiences: Vec<String>,
    /// What this process publishes as the revocation feed; `None` before its first statement.
    pub(crate) feed: Option<FeedFacts>,
    /// The process that answers.
    pub(crate) own: OwnFacts,
}

/// The revocation feed as this process publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FeedFacts {
    /// Its `seq`.
    pub(crate) sequence: u64,
    /// When the statement was signed.
    pub(crate) signed: NumericDate,
    /// From then on it is no news.
    pub(crate) expires: NumericDate,
    /// Revoked keys.
    pub(crate) keys: usize,
    /// Revoked tokens, sessions, subjects and clients that are still of concern.
    pub(crate) others: usize,
}

/// The process that answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnFacts {
    /// Host and process id.
    pub(crate) place: String,
    /// Why the stored keys cannot be used, if so.
    pub(crate) verify_only: Option<String>,
    /// Why nothing is signed, whatever the reason, if so.
    pub(crate) refusal: Option<String>,
    /// Whether the wall clock differs from the database's.
    pub(crate) clock_is_off: bool,
    /// The time since the database last confirmed the keys.
    pub(crate) lease_age: Option<Duration>,
    /// The time since the database was last tidied, on the replica that does it.
    pub(crate) upkeep_age: Option<Duration>,
    /// Stored keys that cannot be read, are not vouched for, or do not open.
    pub(crate) unusable_keys: usize,
}

/// What a verifier is known to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    /// It has not asked for longer than a key set stays fresh.
    Silent,
    /// Its key set is none that was published lately, or it has none.
    Unknown,
    /// Its key set lacks a key that signs or will sign next.
    Learning,
    /// It holds every key that signs or will sign next.
    Ready,
}

impl Standing {
    /// All of them, worst first.
    pub(crate) const ALL: [Self; 4] = [Self::Silent, Self::Unknown, Self::Learning, Self::Ready];
}

/// What comes next to the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NextStep {
    /// The step.
    pub(crate) step: Step,
    /// When it is due by the clock; in the past if it is being waited for somebody.
    pub(crate) due: NumericDate,
    /// The replicas without which it is not taken.
    pub(crate) waits_for: Vec<String>,
    /// It is not taken before some replica is ready.
    pub(crate) is_unserved: bool,
}

impl StatusView {
    /// The next step and what it waits for.
    pub(crate) fn next_step(&self, now: NumericDate) -> Option<NextStep> {
        let (due, step) = self.keyring.next_due(&self.policy, last_served(self.witnesses.serving))?;
        let mut next = NextStep { step, due, waits_for: Vec::new(), is_unserved: false };
        if let (Step::Activate { kid, .. }, true) = (step, due <= now) {
            let fleet = self.fleet(now);
            let behind = fleet.replicas_without(kid, &self.policy, now);
            next.waits_for = behind.map(|replica: &Witness| replica.name.clone()).collect();
            next.is_unserved = fleet.serving == Serving::Nobody;
        }
        Some(next)
    }

    /// When the prepared key of an algorithm will sign, if nobody hurries it.
    pub(crate) fn rotation_due(&self, alg: Algorithm) -> Option<NumericDate> {
        self.keyring.rotation_due(alg, &self.policy, last_served(self.witnesses.serving))
    }

    /// When a key that was published then may sign by the clock.
    pub(crate) fn end_of_lead(&self, published: NumericDate) -> Option<NumericDate> {
        self.policy.end_of_lead(published, last_served(self.witnesses.serving))
    }

    /// Replicas and verifiers as a plan sees them.
    pub(crate) fn fleet(&self, now: NumericDate) -> FleetView {
        self.witnesses.view(&self.policy, now)
    }

    /// What a verifier holds.
    pub(crate) fn standing(&self, verifier: &SeenVerifier, now: NumericDate) -> Standing {
        if now.since(verifier.seen) > self.longest_pause() {
            return Standing::Silent;
        }
        let held = self.witnesses.keys_of(&verifier.said.keys);
        if held.is_empty() {
            Standing::Unknown
        } else if self.wanted().all(|key| held.contains(key.jwk.kid())) {
            Standing::Ready
        } else {
            Standing::Learning
        }
    }

    /// Whether a verifier has not taken the last statement of the feed.
    pub(crate) fn is_before_feed(&self, verifier: &SeenVerifier) -> bool {
        self.feed.is_some_and(|feed| verifier.said.sequence.is_none_or(|taken| taken < feed.sequence))
    }

    /// The longest time between two polls of a verifier that is well.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.policy.verifier_silence() / 2
    }

    fn wanted(&self) -> impl Iterator<Item = &ManagedKey> {
        let signs =
            |key: &&ManagedKey| matches!(key.state, KeyState::Prepared { .. } | KeyState::Active { .. });
        self.keyring.keys().iter().filter(signs)
    }
}
