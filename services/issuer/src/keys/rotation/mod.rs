//! The one way in which keys change, whoever asks.

mod asked;
mod draft;
mod error;
mod tries;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{FleetView, RotationPolicy, Secret, SigningKey, Step, StepRefused};
use claviger_store::{KeySnapshot, Outcome, Store, failpoint};
use tokio::time::{sleep, timeout};

use self::{asked::Asked, draft::Draft, tries::Tries};
use super::{NewKeyError, Opened, Vault};
use crate::{
    actor::Actor,
    clock::{is_off, wall_clock},
    witnesses::Witnesses,
};

pub use error::{Refusal, RotationError};

/// How often a revocation that others got in the way of is tried.
const ATTEMPTS: u32 = 20;
/// For how long a revocation is tried anew while the database is away for a moment.
const PERSISTENCE: Duration = Duration::from_secs(8);
/// The wait before it is tried anew.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one waits for a new key. RSA takes a good part of a second, seconds on a busy machine, and a module that
/// hangs takes for ever: a revocation and the other steps do not wait for it.
const MAKING: Duration = Duration::from_secs(20);

/// Takes the steps of the pure plan, with an act in the audit log for each of them, and notes what it refuses.
#[derive(Debug, Clone)]
pub struct Rotation {
    store: Store,
    vault: Arc<Vault>,
    policy: RotationPolicy,
    actor: Actor,
    clock: fn() -> NumericDate,
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
        Self { store, vault, policy, actor, clock: wall_clock }
    }

    /// The same by another clock: it is compared with the database's.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> NumericDate) -> Self {
        Self { clock, ..self }
    }

    /// Takes the steps that are due. Those for which no new key can be made are left for later.
    ///
    /// # Errors
    /// [`RotationError`]; [`RotationError::NewKey`] if nothing else was due.
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
    /// prepared. Whoever else changes the keys at the same time, the key is dead when this answers. Where no new key can be
    /// made it dies all the same, and the next due steps make one. A row that is damaged beyond reading dies too.
    ///
    /// # Errors
    /// [`RotationError::Refused`] for an unknown key and one that is revoked already;
    /// [`RotationError::Busy`] if others were faster again and again.
    pub async fn revoke(&self, kid: Kid) -> Result<Taken, RotationError> {
        self.insist(&Asked::Revocation(kid)).await
    }

    /// Revokes every key that there is or ever was, and lets a new one of each algorithm sign at once, in one
    /// transaction. Verifiers refuse good tokens until they have learned the new keys. Where none can be made the old ones
    /// die all the same, and the next due steps make new ones.
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
                tracing::warn!(refused = %error, "one refusal of very many: not noted in the audit log");
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
        let mut tries = Tries::default();
        let (mut lost, end) = (0, Instant::now() + PERSISTENCE);
        loop {
            match self.take(asked, None, &mut tries).await {
                Ok(Taken::AlreadyRotated) if lost < ATTEMPTS => lost += 1,
                Ok(Taken::AlreadyRotated) => {
                    self.vault.discard(tries.made).await;
                    return self.noting(asked, Err(RotationError::Busy)).await;
                }
                Err(RotationError::Store(error)) if error.is_transient() && Instant::now() < end => {
                    tracing::warn!(%error, "a revocation is tried again");
                    sleep(PAUSE).await;
                }
                taken => return self.noting(asked, taken).await,
            }
        }
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
        let mut tries = Tries::default();
        let taken = self.take(asked, expected, &mut tries).await;
        if matches!(taken, Ok(Taken::AlreadyRotated)) {
            self.vault.discard(tries.made).await;
        }
        taken
    }

    /// Tries once more.
    async fn take(
        &self,
        asked: &Asked<'_>,
        expected: Option<u64>,
        tries: &mut Tries,
    ) -> Result<Taken, RotationError> {
        let snapshot = self.store.load_keys().await?;
        let revision = snapshot.revision;
        if let Some(expected) = expected.filter(|expected| *expected != revision) {
            return Err(RotationError::Changed { expected, found: revision });
        }
        if let Some(steps) = tries.outcome(&snapshot) {
            return Ok(Taken::Steps(steps)); // the last attempt was committed, and its answer was lost
        }
        let opened = self.vault.read(&snapshot);
        if let Some(why) = opened.verify_only {
            return Err(RotationError::VerifyOnly(why));
        }
        let now = self.now(asked, &snapshot).await?;
        // An emergency does not ask who has learned what.
        let fleet = if asked.waits_for_the_fleet() {
            Witnesses::load(&self.store, &self.policy).await?.view(&self.policy, now)
        } else {
            FleetView::default()
        };
        let keyring = asked.keyring(&opened);
        let refuse = |reason| Refusal::new(reason, asked.kid(), &keyring, &fleet, &self.policy);
        let buried = asked.buried(&opened);
        let steps = match asked.plan(&keyring, &self.policy, &fleet, now) {
            // It is in no keyring, but it is there, and dies.
            Err(StepRefused::UnknownKey(_)) if !buried.is_empty() => Vec::new(),
            planned => planned.map_err(refuse)?,
        };
        let steps: Vec<Step> = steps.into_iter().filter(|step| !asked.is_blocked(&opened, step)).collect();
        if steps.is_empty() && buried.is_empty() {
            return Ok(Taken::Nothing);
        }
        // Keys are made before the transaction: it must not wait for them.
        let failure = self.make_keys(&steps, &mut tries.made).await;
        let steps = tries.possible(steps);
        if let (Some(error), true) = (failure, steps.is_empty() && buried.is_empty()) {
            return Err(error.into());
        }
        let now = self.store.now().await?;
        let draft = Draft::new(&self.vault, &self.actor, &self.policy, &snapshot, keyring.clone());
        let draft = draft.burying(&buried, now).written(&steps, &tries.made, now).map_err(refuse)?;
        failpoint("keys.after_seal");
        let dead = buried.iter().filter_map(|row| Some(Step::Revoke { kid: row.kid.parse().ok()? }));
        tries.steps = dead.chain(steps).collect();
        match self.store.change_keys(revision, &draft.ops, &draft.acts).await? {
            Outcome::Applied => {
                self.vault.tidy(&snapshot, &draft.ops).await;
                Ok(Taken::Steps(std::mem::take(&mut tries.steps)))
            }
            Outcome::AlreadyRotated => {
                tries.steps.clear();
                Ok(Taken::AlreadyRotated)
            }
        }
    }

    /// The time of the database. What goes by the clock waits until the clock here agrees; the first keys of all, which
    /// nobody could have learned, do not.
    async fn now(&self, asked: &Asked<'_>, snapshot: &KeySnapshot) -> Result<NumericDate, RotationError> {
        let before = (self.clock)();
        let database = self.store.now().await?;
        let here = (self.clock)();
        let is_first = snapshot.keys.is_empty() && snapshot.unreadable.is_empty();
        if asked.waits_for_the_fleet()
            && !is_first
            && is_off(before, database, here, self.policy.lifetimes().skew)
        {
            return Err(RotationError::ClockOff { here, database });
        }
        Ok(database)
    }

    /// Makes the keys that these steps need and that were not made before; where one cannot be made, the others are.
    async fn make_keys(&self, steps: &[Step], made: &mut Vec<Made>) -> Option<NewKeyError> {
        let mut failure = None;
        for alg in Algorithm::ALL {
            let needed =
                steps.iter().filter(|step| matches!(step, Step::Create { alg: of, .. } if *of == alg));
            let there = made.iter().filter(|(_, key)| key.alg() == alg).count();
            for _ in there..needed.count() {
                let new = timeout(MAKING, self.vault.new_key(alg)).await;
                match new.unwrap_or(Err(NewKeyError::Late(MAKING))) {
                    Ok(key) => made.push(key),
                    Err(error) => {
                        tracing::warn!(%error, %alg, "no new key can be made; whatever needs none is done without it");
                        failure = Some(error);
                        break;
                    }
                }
                failpoint("keys.after_generate");
            }
        }
        failure
    }
}
