//! Who holds which keys: replicas and verifiers as the database remembers them.

use std::{collections::HashMap, sync::Arc};

use claviger_jose::{Kid, NumericDate};
use claviger_keyring::{FleetView, RotationPolicy, Serving, Witness};
use claviger_store::{Replica, SeenVerifier, SeenVerifiers, ServingTime, Store, StoreError};

/// What is remembered of the fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Witnesses {
    /// The replicas of the issuer.
    pub replicas: Vec<Replica>,
    /// The verifiers that name themselves.
    pub verifiers: Vec<SeenVerifier>,
    /// When a verifier was last turned away because there were too many.
    pub overflowed: Option<NumericDate>,
    /// The keys of the sets that were published lately, by entity tag.
    pub key_sets: HashMap<String, Arc<[Kid]>>,
    /// Since when some replica is ready; `None` if none ever was.
    pub serving: Option<ServingTime>,
}

impl Witnesses {
    /// Reads them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn load(store: &Store, policy: &RotationPolicy) -> Result<Self, StoreError> {
        let replicas = store.replicas(policy.replica_silence()).await?;
        let SeenVerifiers { verifiers, overflowed } = store.verifiers(policy.verifier_silence()).await?;
        let (key_sets, serving) = (store.key_sets().await?, store.serving().await?);
        Ok(Self { replicas, verifiers, overflowed, key_sets, serving })
    }

    /// What a plan needs to know of them.
    #[must_use]
    pub fn view(&self, policy: &RotationPolicy, now: NumericDate) -> FleetView {
        let replica = |replica: &Replica| Witness {
            name: replica.said.place.clone(),
            seen: replica.seen,
            kids: self.keys_of(&replica.said.keys),
            sequence: Some(replica.said.sequence),
        };
        let verifier = |verifier: &SeenVerifier| Witness {
            name: format!("{} {}", verifier.said.audience, verifier.said.instance),
            seen: verifier.seen,
            kids: self.keys_of(&verifier.said.keys),
            sequence: verifier.said.sequence,
        };
        FleetView {
            replicas: self.replicas.iter().map(replica).collect(),
            verifiers: self.verifiers.iter().map(verifier).collect(),
            incomplete: self.is_incomplete(policy, now),
            serving: serving(self.serving, policy, now),
        }
    }

    /// Whether a verifier was turned away so lately that it may be alive.
    #[must_use]
    pub fn is_incomplete(&self, policy: &RotationPolicy, now: NumericDate) -> bool {
        self.overflowed.is_some_and(|at| now.since(at) <= policy.verifier_silence())
    }

    /// The keys of the set with this entity tag; none if it is no set of ours.
    #[must_use]
    pub fn keys_of(&self, etag: &str) -> Arc<[Kid]> {
        self.key_sets.get(etag).cloned().unwrap_or_default()
    }
}

/// Since when the keys are, or were last, served: for who shows what would be due.
pub(crate) fn last_served(time: Option<ServingTime>) -> Serving {
    time.map_or(Serving::Always, |time| Serving::Since(time.since))
}

/// Whether some replica is ready at this moment, and since when.
pub(crate) fn serving(time: Option<ServingTime>, policy: &RotationPolicy, now: NumericDate) -> Serving {
    let lasting = time.filter(|time| now.since(time.seen) <= policy.lifetimes().lease);
    lasting.map_or(Serving::Nobody, |time| Serving::Since(time.since))
}
