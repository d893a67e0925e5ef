use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{FleetView, Keyring, RotationPolicy, Step, StepRefused};

use claviger_store::UnreadableKey;

use super::Opened;

/// What may be asked of the keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    DueSteps,
    Rotation { algs: &'a [Algorithm], force: bool },
    Revocation(Kid),
    RevocationOfAll,
}

impl Asked<'_> {
    /// As the audit log calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::DueSteps => "due steps",
            Self::Rotation { force: false, .. } => "rotate",
            Self::Rotation { force: true, .. } => "rotate by force",
            Self::Revocation(_) => "revoke",
            Self::RevocationOfAll => "revoke all",
        }
    }

    /// The key that it is about, if it names one.
    pub(super) fn kid(&self) -> Option<Kid> {
        match self {
            Self::Revocation(kid) => Some(*kid),
            Self::DueSteps | Self::Rotation { .. } | Self::RevocationOfAll => None,
        }
    }

    /// Whether it goes by the clock, and by who has learned what. An emergency does not.
    pub(super) fn waits_for_the_fleet(&self) -> bool {
        matches!(self, Self::DueSteps | Self::Rotation { .. })
    }

    /// The keys to plan with: those that are vouched for. A damaged key can die too, or it would stand in the way of its
    /// successor for ever.
    pub(super) fn keyring(&self, opened: &Opened) -> Keyring {
        let mut keys = opened.keyring.keys().to_vec();
        let dies = |kid: &Kid| match self {
            Self::DueSteps | Self::Rotation { .. } => false,
            Self::Revocation(revoked) => kid == revoked,
            Self::RevocationOfAll => true,
        };
        keys.extend(opened.unvouched.iter().filter(|key| dies(key.jwk.kid())).cloned());
        Keyring::new(keys)
    }

    pub(super) fn plan(
        &self,
        keyring: &Keyring,
        policy: &RotationPolicy,
        fleet: &FleetView,
        now: NumericDate,
    ) -> Result<Vec<Step>, StepRefused> {
        match self {
            Self::DueSteps => Ok(keyring.plan(policy, fleet, now)),
            Self::Rotation { algs, force } => {
                let mut steps = Vec::new();
                for alg in *algs {
                    steps.extend(if *force {
                        keyring.plan_forced_rotation(*alg, policy, fleet, now)?
                    } else {
                        keyring.plan_rotation(*alg, policy, fleet, now)?
                    });
                }
                Ok(steps)
            }
            Self::Revocation(kid) => keyring.plan_revocation(*kid, policy, fleet, now),
            Self::RevocationOfAll => Ok(keyring.plan_revocation_of_all()),
        }
    }

    /// The rows that are no keys and die with it.
    pub(super) fn buried<'o>(&self, opened: &'o Opened) -> Vec<&'o UnreadableKey> {
        let dies = |row: &&UnreadableKey| match self {
            Self::DueSteps | Self::Rotation { .. } => false,
            Self::Revocation(kid) => row.kid == kid.as_str(),
            Self::RevocationOfAll => true,
        };
        opened.unreadable.iter().filter(|row| !row.is_revoked()).filter(dies).collect()
    }

    /// Whether a step must be left out, for a damaged key stands in its way. One that dies in the same breath does not. A
    /// revocation is not held up by a successor that cannot be.
    pub(super) fn is_blocked(&self, opened: &Opened, step: &Step) -> bool {
        match self {
            Self::DueSteps => opened.blocks(step),
            Self::Revocation(dying) => opened.in_the_way_of(step).any(|kid| kid != dying.as_str()),
            Self::Rotation { .. } | Self::RevocationOfAll => false,
        }
    }
}
