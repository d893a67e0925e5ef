//! The one way in which keys change, whoever asks.

mod asked;
mod draft;
mod error;

use std::sync::Arc;

use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{FleetView, RotationPolicy, Secret, SigningKey, Step};
use claviger_store::{Outcome, Store, failpoint};

use self::{asked::Asked, draft::Draft};
use super::{NewKeyError, Opened, Vault};
use crate::{actor::Actor, witnesses::Witnesses};

pub use error::{Refusal, RotationError};

/// How often a revocation that others got in the way of is tried.
const ATTEMPTS: u32 = 20;

/// Takes the steps of the pure plan, with an act in the audit log for each of them, and notes what it refuses.
#[derive(Debug, Clone)]
pub struct Rotation {
    store: Store,
    vault: Arc<Vault>,
    policy: RotationPolicy,
    actor: Actor,
}

/// What came of an attempt to change the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Nothing was due.
    Nothing,
    /// These steps were taken.
    Steps(Vec<Step>),
    /// Somebody else was faster. For steps that are due by the clock that is no error: theirs was the same plan.
    AlreadyRotated,
}

/// A key that was just made, before anybody has heard of it.
type Made = (Secret, SigningKey);

impl Rotation {
    /// A rotation of the keys in `store`, as `actor`.
    #[must_use]
    pub fn new(store: Store, vault: Arc<Vault>, policy: RotationPolicy, actor: Actor) -> Self {
        Self { store, vault, policy, actor }
    }

    /// Takes the steps that are due.
    ///
    /// # Errors
    /// [`RotationError`].
    pub async fn take_due_steps(&self) -> Result<Taken, RotationError> {
        self.take_once(&Asked::DueSteps, None).await
    }

    /// Rotates these algorithms ahead of their period; the lead holds all the same, unless every verifier is known to
    /// hold the next key. The keys after those are made by the next due steps. With `expected_revision`, only if the
    /// keys are still those of that revision.
    ///
    /// # Errors
    /// [`RotationError::Refused`] with the earliest time at which it is allowed; [`RotationError::Changed`] and
    /// [`RotationError::Busy`] if others were faster. Each of them is noted in the audit log.
    pub async fn rotate_now(
        &self,
        algs: &[Algorithm],
        expected_revision: Option<u64>,
    ) -> Result<Taken, RotationError> {
        self.once(&Asked::Rotation { algs, force: false }, expected_revision).await
    }

    /// Rotates these algorithms although verifiers may not have learned the next key: those refuse good tokens until
    /// they have. Every replica must publish it all the same.
    ///
    /// # Errors
    /// As [`rotate_now`](Self::rotate_now), but never for the lead's sake.
    pub async fn force(
        &self,
        algs: &[Algorithm],
        expected_revision: Option<u64>,
    ) -> Result<Taken, RotationError> {
        self.once(&Asked::Rotation { algs, force: true }, expected_revision).await
    }

    /// Revokes a key; the prepared one takes over in the same transaction if it was active, or a new one if none is
    /// prepared. Whoever else changes the keys at the same time, the key is dead when this answers.
    ///
    /// # Errors
    /// [`RotationError::Refused`] for an unknown key and one that is revoked already;
    /// [`RotationError::Busy`] if others were faster again and again.
    pub async fn revoke(&self, kid: Kid) -> Result<Taken, RotationError> {
        self.insist(&Asked::Revocation(kid)).await
    }

    /// Revokes every key that there is or ever was, and lets a new one of each algorithm sign at once, in one
    /// transaction. Verifiers refuse good tokens until they have learned the new keys.
    ///
    /// # Errors
    /// [`RotationError::Busy`] if others were faster again and again.
    pub async fn revoke_all(&self) -> Result<Taken, RotationError> {
        self.insist(&Asked::RevocationOfAll).await
    }

    /// Notes in the audit log that an operator did not get what he asked for.
    pub async fn note_refusal(&self, asked: &str, error: &RotationError) {
        let act = self.actor.act("keys.refused", error.subject(), error.detail(asked));
        // The refusal stands, whether or not it could be written down: nothing was changed.
        match self.store.note_refusal(act).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(refused = %error, "one refusal of very many: not noted in the audit log")
            }
            Err(failure) => {
                tracing::error!(%failure, refused = %error, "a refusal could not be noted in the audit log");
            }
        }
    }

    async fn once(&self, asked: &Asked<'_>, expected: Option<u64>) -> Result<Taken, RotationError> {
        let taken = match self.take_once(asked, expected).await {
            Ok(Taken::AlreadyRotated) => Err(RotationError::Busy),
            taken => taken,
        };
        self.noting(asked, taken).await
    }

    async fn insist(&self, asked: &Asked<'_>) -> Result<Taken, RotationError> {
        let mut made = Vec::new();
        let mut taken = Ok(Taken::AlreadyRotated);
        for _ in 0..ATTEMPTS {
            taken = self.take(asked, None, &mut made).await;
            if !matches!(taken, Ok(Taken::AlreadyRotated)) {
                return self.noting(asked, taken).await;
            }
        }
        self.vault.discard(made).await;
        let taken = taken.and(Err(RotationError::Busy));
        self.noting(asked, taken).await
    }

    async fn noting(
        &self,
        asked: &Asked<'_>,
        taken: Result<Taken, RotationError>,
    ) -> Result<Taken, RotationError> {
        if let Err(error) = &taken
            && error.is_refusal()
        {
            self.note_refusal(asked.name(), error).await;
        }
        taken
    }

    async fn take_once(&self, asked: &Asked<'_>, expected: Option<u64>) -> Result<Taken, RotationError> {
        let mut made = Vec::new();
        let taken = self.take(asked, expected, &mut made).await;
        if matches!(taken, Ok(Taken::AlreadyRotated)) {
            self.vault.discard(made).await;
        }
        taken
    }

    /// Tries once. `made` are keys that were made for an attempt that came too late.
    async fn take(
        &self,
        asked: &Asked<'_>,
        expected: Option<u64>,
        made: &mut Vec<Made>,
    ) -> Result<Taken, RotationError> {
        let snapshot = self.store.load_keys().await?;
        let revision = snapshot.revision;
        if let Some(expected) = expected.filter(|expected| *expected != revision) {
            return Err(RotationError::Changed { expected, found: revision });
        }
        let opened = self.vault.open(&snapshot, &[]);
        if let Some(why) = opened.verify_only {
            return Err(RotationError::VerifyOnly(why));
        }
        let now = self.store.now().await?;
        // An emergency does not ask who has learned what.
        let fleet = if asked.waits_for_the_fleet() {
            Witnesses::load(&self.store, &self.policy).await?.view(&self.policy, now)
        } else {
            FleetView::default()
        };
        let keyring = asked.keyring(&opened);
        let refuse = |reason| Refusal::new(reason, asked.kid(), &keyring, &fleet, &self.policy);
        let steps = asked.plan(&keyring, &self.policy, &fleet, now).map_err(refuse)?;
        let steps: Vec<Step> = steps.into_iter().filter(|step| !asked.is_blocked(&opened, step)).collect();
        if steps.is_empty() {
            return Ok(Taken::Nothing);
        }
        // Keys are made before the transaction: RSA takes a good part of a second.
        self.make_keys(&steps, made).await?;
        let now = self.store.now().await?;
        let draft = Draft::new(&self.vault, &self.actor, &self.policy, &snapshot, keyring.clone());
        let draft = draft.written(&steps, made, now).map_err(refuse)?;
        failpoint("keys.after_seal");
        match self.store.change_keys(revision, &draft.ops, &draft.acts).await? {
            Outcome::Applied => {
                self.vault.tidy(&snapshot, &draft.ops).await;
                Ok(Taken::Steps(steps))
            }
            Outcome::AlreadyRotated => Ok(Taken::AlreadyRotated),
        }
    }

    /// Makes the keys that these steps need and that were not made before.
    async fn make_keys(&self, steps: &[Step], made: &mut Vec<Made>) -> Result<(), NewKeyError> {
        for alg in Algorithm::ALL {
            let needed =
                steps.iter().filter(|step| matches!(step, Step::Create { alg: of, .. } if *of == alg));
            let there = made.iter().filter(|(_, key)| key.alg() == alg).count();
            for _ in there..needed.count() {
                made.push(self.vault.new_key(alg).await?);
                failpoint("keys.after_generate");
            }
        }
        Ok(())
    }
}
