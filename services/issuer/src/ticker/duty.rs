//! What one replica does for all.

use std::{
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use claviger_jose::{NumericDate, Typ};
use claviger_keyring::FleetView;
use claviger_store::{Checkpoint, StoreError};
use tokio::time::timeout;

use super::{TickError, Ticker};
use crate::{
    checkpoint::{self, LastCheckpoint},
    clock::wall_clock,
    feed::signer,
    keys::Taken,
    witnesses::serving,
};

/// For how long the duty is taken. Whoever has it renews it with each look; when it dies, another one takes over.
const DUTY: Duration = Duration::from_secs(10);

/// After this a job of the upkeep is given up, so that the others have their turn.
const LONGEST_JOB: Duration = Duration::from_mins(1);

impl Ticker {
    /// Takes the steps that are due by the keys in memory; a look then sees what came of it.
    pub(super) async fn rotate(&self) -> Result<(), TickError> {
        if !self.is_fit() {
            self.on_duty.store(false, Ordering::Release);
            return Ok(());
        }
        let length = DUTY.max(3 * self.period());
        let taken = self.take_turn(length).await;
        if taken.is_err() {
            self.rest(length).await;
        }
        taken
    }

    /// Whether this replica could take steps: others take them while it cannot.
    fn is_fit(&self) -> bool {
        // By a clock that stepped ahead a key would be due that nobody has learned.
        let is_off = self.issuance.lease.clock_is_off();
        let rests = self.resting().is_some_and(|until| Instant::now() < until);
        !is_off && !rests && self.issuance.keys.load().verify_only.is_none()
    }

    /// Gives the duty up: what this replica cannot do, for the keeper of its keys is away, another one may.
    async fn rest(&self, length: Duration) {
        self.on_duty.store(false, Ordering::Release);
        *self.resting() = Some(Instant::now() + length);
        // If this fails too, it runs out by itself.
        if let Err(error) = self.store.take_duty(&self.issuance.replica, Duration::ZERO).await {
            tracing::debug!(%error, "the duty is not given up but runs out");
        }
    }

    async fn take_turn(&self, length: Duration) -> Result<(), TickError> {
        let on_duty = self.store.take_duty(&self.issuance.replica, length).await?;
        self.on_duty.store(on_duty, Ordering::Release);
        if on_duty
            && self.is_due().await?
            && let Taken::Steps(steps) = self.rotation.take_due_steps().await?
        {
            tracing::info!(?steps, "keys changed");
            self.issuance.changed.notify_one();
        }
        Ok(())
    }

    /// Tells clients that sessions have ended.
    pub(super) async fn notify_clients(&self) -> Result<(), TickError> {
        if self.on_duty.load(Ordering::Acquire) {
            self.notices.deliver().await?;
        }
        Ok(())
    }

    /// Signs the audit log off, and forgets what concerns no token and no session any more, and grants that have passed. Each
    /// of these fails by itself; the first that did is told.
    pub(super) async fn tidy(&self) -> Result<(), TickError> {
        let (store, upkeep) = (&self.store, &self.issuance.upkeep);
        if !self.on_duty.load(Ordering::Acquire) {
            upkeep.is_others();
            return Ok(());
        }
        let idle = self.issuance.config.sign_in.session_idle;
        let outcomes = [
            job("the audit log is not signed off", self.keep_checkpoint()).await,
            job("revocations are not forgotten", forget(store.forget_revocations())).await,
            job("grants are not forgotten", forget(store.forget_past_grants())).await,
            job("sessions are not forgotten", forget(store.forget_sessions(idle))).await,
            job("log-outs are not given up", async { Ok(self.notices.abandon().await?) }).await,
            job("attempts are not forgotten", forget(store.forget_attempts())).await,
            job("links are not forgotten", forget(store.forget_links())).await,
        ];
        let outcome: Result<(), TickError> = outcomes.into_iter().collect();
        upkeep.note(outcome.is_ok());
        outcome
    }

    /// Whether the plan has something to do by the keys in memory, if no replica is behind.
    async fn is_due(&self) -> Result<bool, TickError> {
        let (now, policy) = (self.store.now().await?, &self.issuance.config.policy);
        let serving = serving(self.store.serving().await?, policy, now);
        let fleet = FleetView { serving, ..FleetView::default() };
        let keys = self.issuance.keys.load();
        Ok(keys.verify_only.is_none() && !keys.keyring.plan(policy, &fleet, now).is_empty())
    }

    async fn keep_checkpoint(&self) -> Result<(), TickError> {
        let Some(head) = self.store.audit_head().await? else {
            return Ok(());
        };
        let (now, last) = (wall_clock(), self.last_checkpoint());
        let last = match last {
            Some(last) => last,
            None => self.stored_checkpoint(now).await?,
        };
        if last.is_outdated(head.0, now) && self.issuance.lease.refusal().is_none() {
            let keys = self.issuance.keys.load_full();
            let Some(key) = signer(&keys, &self.issuance.revocations.load().kids).cloned() else {
                return Ok(());
            };
            let claims = checkpoint::claims(&self.issuance.config.issuer, head, now);
            let jws = self.sign(&key, Typ::AuditCheckpoint, Arc::new(claims)).await?;
            let signed = Checkpoint { sequence: head.0, jws };
            self.store.keep_checkpoint(&signed).await?;
            self.remember_checkpoint(LastCheckpoint { sequence: signed.sequence, signed: now });
        } else {
            self.remember_checkpoint(last);
        }
        Ok(())
    }

    /// What an earlier process has signed. Without any, one is due.
    async fn stored_checkpoint(&self, now: NumericDate) -> Result<LastCheckpoint, TickError> {
        let stored = self.store.checkpoints().await?.pop();
        Ok(match stored {
            Some(stored) => LastCheckpoint::stored(&stored, now),
            None => LastCheckpoint { sequence: 0, signed: NumericDate::from_secs(0) },
        })
    }

    fn resting(&self) -> MutexGuard<'_, Option<Instant>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_checkpoint(&self) -> Option<LastCheckpoint> {
        *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_checkpoint(&self, last: LastCheckpoint) {
        *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

async fn job(what: &'static str, work: impl Future<Output = Result<(), TickError>>) -> Result<(), TickError> {
    let done = timeout(LONGEST_JOB, work).await.unwrap_or(Err(TickError::Silent(LONGEST_JOB)));
    done.map_err(|source| {
        tracing::debug!(error = %source, "{what}");
        TickError::Upkeep { what, source: Box::new(source) }
    })
}

async fn forget(rows: impl Future<Output = Result<u64, StoreError>>) -> Result<(), TickError> {
    Ok(rows.await.map(drop)?)
}
