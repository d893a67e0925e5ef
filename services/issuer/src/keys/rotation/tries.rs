use claviger_keyring::{KeyState, Step};
use claviger_store::{KeySnapshot, StoredKey};

use super::Made;

/// What earlier attempts at the same thing have left.
#[derive(Default)]
pub(super) struct Tries {
    /// Keys that were made, and are in no database.
    pub(super) made: Vec<Made>,
    /// The steps of an attempt that nobody answered: they may have been taken.
    pub(super) steps: Vec<Step>,
}

impl Tries {
    /// The steps of the last attempt, if its answer was lost but all that was to die is dead. What it has made is then in
    /// the database, and in no case made into another key.
    pub(super) fn outcome(&mut self, snapshot: &KeySnapshot) -> Option<Vec<Step>> {
        self.made.retain(|(_, key)| !snapshot.keys.iter().any(|row| row.jwk.kid() == key.kid()));
        let steps = std::mem::take(&mut self.steps);
        let is_dead = |step: &Step| match step {
            Step::Revoke { kid } => {
                let dead = |row: &StoredKey| matches!(row.state, KeyState::Revoked { .. });
                snapshot.keys.iter().any(|row| row.jwk.kid() == kid && dead(row))
                    || snapshot.unreadable.iter().any(|row| row.kid == kid.as_str() && row.is_revoked())
            }
            _ => true,
        };
        (!steps.is_empty() && steps.iter().all(is_dead)).then_some(steps)
    }

    /// Those of the steps for which the new keys are there.
    pub(super) fn possible(&self, steps: Vec<Step>) -> Vec<Step> {
        let mut unused: Vec<_> = self.made.iter().map(|(_, key)| key.alg()).collect();
        let mut is_possible = |step: &Step| match step {
            Step::Create { alg, .. } => {
                let place = unused.iter().position(|made| made == alg);
                place.map(|place| unused.swap_remove(place)).is_some()
            }
            _ => true,
        };
        steps.into_iter().filter(|step| is_possible(step)).collect()
    }
}
