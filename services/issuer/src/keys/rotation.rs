use std::sync::Arc;

use claviger_jose::{Algorithm, Jwk, Kid, NumericDate};
use claviger_keyring::{
    FleetView, GenerateError, KeyState, ManagedKey, Move, Pkcs8, RotationPolicy, SealedKey, SigningKey, Step,
    StepRefused, generate,
};
use claviger_store::{KeyOp, NewKey, Outcome, Store, StoreError};

use super::{Opened, Vault};
use crate::rng::SystemRng;

/// How often a revocation that others got in the way of is tried.
const ATTEMPTS: u32 = 20;

/// Takes the steps of the pure plan: the one way in which keys change, whoever asks.
#[derive(Debug, Clone)]
pub struct Rotation {
    store: Store,
    vault: Arc<Vault>,
    policy: RotationPolicy,
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

/// Why the keys could not be changed. They are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The policy or the life of a key forbids it.
    #[error(transparent)]
    Refused(#[from] StepRefused),
    /// The wrong key-encryption key: nothing may be made.
    #[error("verify-only: {0}")]
    VerifyOnly(String),
    /// Others changed the keys at the same time, again and again.
    #[error("somebody else changes the keys at the same time; nothing was changed: try again")]
    Busy,
    /// No new key.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Plan<'p> = dyn Fn(&Opened, NumericDate) -> Result<Vec<Step>, StepRefused> + Send + Sync + 'p;

impl Rotation {
    /// A rotation of the keys in `store`.
    #[must_use]
    pub fn new(store: Store, vault: Arc<Vault>, policy: RotationPolicy) -> Self {
        Self { store, vault, policy }
    }

    /// Takes the steps that are due.
    ///
    /// # Errors
    /// [`RotationError`].
    pub async fn take_due_steps(&self) -> Result<Taken, RotationError> {
        self.take(&|opened, now| {
            let steps = opened.keyring.plan(&self.policy, &FleetView::default(), now).into_iter();
            Ok(steps.filter(|step| !opened.blocks(step)).collect())
        })
        .await
    }

    /// Rotates these algorithms ahead of their period; the lead holds all the same.
    ///
    /// # Errors
    /// [`RotationError::Refused`] with the earliest time at which it is allowed.
    pub async fn rotate_now(&self, algs: &[Algorithm]) -> Result<Taken, RotationError> {
        self.take(&|opened, now| {
            let mut steps = Vec::new();
            for alg in algs {
                steps.extend(opened.keyring.plan_rotation(*alg, &self.policy, &FleetView::default(), now)?);
            }
            Ok(steps)
        })
        .await
        .and_then(|taken| if taken == Taken::AlreadyRotated { Err(RotationError::Busy) } else { Ok(taken) })
    }

    /// The same, if nobody has changed a key since this revision; else [`Taken::AlreadyRotated`].
    ///
    /// # Errors
    /// As for [`rotate_now`](Self::rotate_now).
    pub async fn rotate_from(&self, revision: u64, algs: &[Algorithm]) -> Result<Taken, RotationError> {
        let taken = self
            .take(&|opened, now| {
                let mut steps = Vec::new();
                for alg in algs.iter().filter(|_| opened.revision == revision) {
                    steps.extend(opened.keyring.plan_rotation(
                        *alg,
                        &self.policy,
                        &FleetView::default(),
                        now,
                    )?);
                }
                Ok(steps)
            })
            .await?;
        // A rotation that is allowed has steps.
        Ok(if taken == Taken::Nothing { Taken::AlreadyRotated } else { taken })
    }

    /// Revokes a key; the prepared one takes over in the same transaction if it was active. Whoever else changes
    /// the keys at the same time, the key is dead when this answers.
    ///
    /// # Errors
    /// [`RotationError::Refused`] for an unknown key and one that is revoked already;
    /// [`RotationError::Busy`] if others were faster again and again.
    pub async fn revoke(&self, kid: Kid) -> Result<Taken, RotationError> {
        for _ in 0..ATTEMPTS {
            let taken = match self.unvouched(kid).await? {
                Some((revision, key)) => self.revoke_unvouched(revision, &key).await?,
                None => {
                    self.take(&|opened, now| {
                        opened.keyring.plan_revocation(kid, &self.policy, &FleetView::default(), now)
                    })
                    .await?
                }
            };
            if taken != Taken::AlreadyRotated {
                return Ok(taken);
            }
        }
        Err(RotationError::Busy)
    }

    /// The key, if it is one that nobody vouches for although the others are.
    async fn unvouched(&self, kid: Kid) -> Result<Option<(u64, ManagedKey)>, RotationError> {
        let opened = self.vault.open(&self.store.load_keys().await?, &[]);
        let found =
            opened.unvouched.into_iter().find(|key| key.jwk.kid() == &kid && opened.verify_only.is_none());
        Ok(found.map(|key| (opened.revision, key)))
    }

    /// A damaged key can die too, or it would stand in the way of its successor for ever.
    async fn revoke_unvouched(&self, revision: u64, key: &ManagedKey) -> Result<Taken, RotationError> {
        let kid = *key.jwk.kid();
        let to = key.state.revoke(self.store.now().await?).map_err(StepRefused::from)?;
        let state_seal = self.vault.kek.seal_state(self.vault.context(&kid, key.jwk.alg()), to);
        let change = Move { kid, from: key.state, to };
        match self.store.change_keys(revision, &[KeyOp::Move { change, state_seal }], &[]).await? {
            Outcome::Applied => Ok(Taken::Steps(vec![Step::Revoke { kid }])),
            Outcome::AlreadyRotated => Ok(Taken::AlreadyRotated),
        }
    }

    async fn take(&self, plan: &Plan<'_>) -> Result<Taken, RotationError> {
        let snapshot = self.store.load_keys().await?;
        let opened = self.vault.open(&snapshot, &[]);
        if let Some(why) = opened.verify_only {
            return Err(RotationError::VerifyOnly(why));
        }
        let steps = plan(&opened, self.store.now().await?)?;
        if steps.is_empty() {
            return Ok(Taken::Nothing);
        }
        // Keys are made before the transaction: RSA takes a good part of a second.
        let mut created = Vec::new();
        for step in &steps {
            created.push(match step {
                Step::Create { alg, .. } => Some(new_key(*alg).await?),
                _ => None,
            });
        }
        let now = self.store.now().await?;
        let mut keyring = opened.keyring;
        let mut ops = Vec::new();
        for (step, new) in steps.iter().zip(created) {
            let jwk = new.as_ref().map(|(_, key)| key.jwk().clone());
            for change in keyring.apply(step, jwk, &self.policy, now)? {
                let alg =
                    keyring.keys().iter().find(|key| key.jwk.kid() == &change.kid).map(|key| key.jwk.alg());
                let alg = alg.ok_or(StepRefused::UnknownKey(change.kid))?;
                let state_seal = self.vault.kek.seal_state(self.vault.context(&change.kid, alg), change.to);
                ops.push(KeyOp::Move { change, state_seal });
            }
            if let (Step::Create { active, .. }, Some((pkcs8, key))) = (step, new) {
                let state =
                    if *active { KeyState::Active { since: now } } else { KeyState::Prepared { since: now } };
                ops.push(KeyOp::Insert(self.seal(key.jwk(), state, &pkcs8, now)));
            }
        }
        match self.store.change_keys(snapshot.revision, &ops, &[]).await? {
            Outcome::Applied => Ok(Taken::Steps(steps)),
            Outcome::AlreadyRotated => Ok(Taken::AlreadyRotated),
        }
    }

    fn seal(&self, jwk: &Jwk, state: KeyState, pkcs8: &Pkcs8, now: NumericDate) -> NewKey {
        let context = self.vault.context(jwk.kid(), jwk.alg());
        NewKey {
            jwk: jwk.clone(),
            state,
            created_at: now,
            sealed: SealedKey::seal(pkcs8, context, &self.vault.kek, &mut SystemRng),
            state_seal: self.vault.kek.seal_state(context, state),
        }
    }
}

async fn new_key(alg: Algorithm) -> Result<(Pkcs8, SigningKey), GenerateError> {
    let made = tokio::task::spawn_blocking(move || generate(alg, &mut SystemRng)).await;
    made.unwrap_or(Err(GenerateError(alg)))
}
