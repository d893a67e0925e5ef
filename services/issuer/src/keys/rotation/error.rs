use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use claviger_jose::{Kid, NumericDate};
use claviger_keyring::{FleetView, KeyState, Keyring, ManagedKey, RotationPolicy, Serving, StepRefused};
use claviger_store::StoreError;
use serde_json::{Value, json};

use super::draft::tell;
use crate::keys::NewKeyError;

/// Why the keys could not be changed. They are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The policy or the life of a key forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The wrong key-encryption key: nothing may be made.
    #[error("verify-only: {0}")]
    VerifyOnly(String),
    /// The clock here and the database's differ: by one of them a key would be due that nobody has learned.
    #[error("the clock here says {here} and the database's {database}: put them right first")]
    ClockOff {
        /// The time here.
        here: NumericDate,
        /// The time of the database.
        database: NumericDate,
    },
    /// The keys are no longer those that the request was made for.
    #[error("the keys are at revision {found}, not at {expected}: look at them again, and ask again")]
    Changed {
        /// The revision that the request named.
        expected: u64,
        /// The revision that there is.
        found: u64,
    },
    /// Others changed the keys at the same time, again and again.
    #[error("somebody else changes the keys at the same time; nothing was changed: try again")]
    Busy,
    /// No new key.
    #[error(transparent)]
    NewKey(#[from] NewKeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A step that cannot be taken: why, in which state the key is, and when it will be possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: StepRefused,
    /// The key that it is about, if there is one, and its state.
    pub key: Option<(Kid, KeyState)>,
    /// The earliest time at which the same request is allowed, if time alone will allow it.
    pub earliest: Option<NumericDate>,
    /// Since when the key is served, if there was a break after it was published.
    pub served_since: Option<NumericDate>,
}

impl RotationError {
    /// Whether somebody was refused something, rather than that something failed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::VerifyOnly(_)
            | Self::ClockOff { .. }
            | Self::Changed { .. }
            | Self::Busy => true,
            Self::NewKey(_) | Self::Store(_) => false,
        }
    }

    /// What the audit log says that the refusal is about.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Refused(
                Refusal { key: Some((kid, _)), .. } | Refusal { reason: StepRefused::UnknownKey(kid), .. },
            ) => kid.to_string(),
            Self::Refused(Refusal { reason: StepRefused::NothingPrepared(alg), .. }) => alg.to_string(),
            _ => "keys".to_owned(),
        }
    }

    pub(super) fn detail(&self, asked: &str) -> Value {
        let mut detail = json!({ "asked": asked, "reason": self.to_string() });
        if let Self::Refused(refusal) = self {
            detail["state"] = json!(refusal.key.map(|(_, state)| tell(state)));
            detail["earliest"] = json!(refusal.earliest);
        }
        detail
    }
}

impl Refusal {
    pub(super) fn new(
        reason: StepRefused,
        asked: Option<Kid>,
        keyring: &Keyring,
        fleet: &FleetView,
        policy: &RotationPolicy,
    ) -> Self {
        let of = |kid: &Kid| keyring.keys().iter().find(|key| key.jwk.kid() == kid);
        let (key, earliest) = match &reason {
            StepRefused::TooEarly { alg, earliest } => (keyring.prepared(*alg), Some(*earliest)),
            StepRefused::NobodyServes(alg) => (keyring.prepared(*alg), None),
            StepRefused::ReplicaBehind { kid, replica } => {
                let behind = fleet.replicas.iter().find(|witness| &witness.name == replica);
                let silent = |seen: NumericDate| seen + policy.replica_silence() + Duration::from_secs(1);
                (of(kid), behind.map(|witness| silent(witness.seen)))
            }
            StepRefused::SetFull(alg) => {
                let ends = keyring.keys().iter().filter(|key| key.jwk.alg() == *alg);
                (keyring.prepared(*alg), ends.filter_map(|key| key.state.until()).min())
            }
            _ => (asked.as_ref().and_then(of), None),
        };
        let key = key.map(|key: &ManagedKey| (*key.jwk.kid(), key.state));
        let served_since = match (fleet.serving, key) {
            (Serving::Since(since), Some((_, state))) if state.since() < since => Some(since),
            _ => None,
        };
        Self { reason, key, earliest, served_since }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, self.key, self.earliest) {
            (StepRefused::TooEarly { alg, .. }, Some((kid, state)), Some(earliest)) => {
                let (since, earliest) = (time(state.since()), time(earliest));
                write!(f, "the next {alg} key {kid} is {} since {since} ", state.name())?;
                if let Some(served) = self.served_since {
                    write!(f, "but served without a break only since {} ", time(served))?;
                }
                write!(f, "and may sign from {earliest} on: verifiers must have learned it first")
            }
            (reason @ StepRefused::Transition(_), Some((kid, state)), None) => {
                write!(f, "{reason}: {kid} is {} since {}", state.name(), time(state.since()))
            }
            (reason, _, Some(earliest)) => write!(f, "{reason}; at the latest at {}", time(earliest)),
            (reason, ..) => write!(f, "{reason}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A time as people read it (RFC 3339).
fn time(at: NumericDate) -> impl fmt::Display {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.as_secs()))
}
