//! What every replica does: look, tell, and note what it is told.

use std::{
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    time::Instant,
};

use claviger_jose::Typ;
use claviger_store::{Heartbeat, Revisions, StoreError};

use super::{TickError, Ticker};
use crate::{
    clock::{is_off, wall_clock},
    feed::{SignedStatement, signer, statement},
    keys::KeyView,
    registry_view::RegistryView,
    witnesses::Witnesses,
};

impl Ticker {
    /// Waits until somebody has changed something.
    pub(super) async fn changed(&self) {
        tokio::select! {
            () = self.store.changed() => {}
            () = self.issuance.changed.notified() => {}
        }
    }

    pub(super) async fn counted_look(&self) -> Result<(), TickError> {
        let outcome = self.look().await;
        self.issuance.counters.looks.add(if outcome.is_ok() { "done" } else { "failed" });
        outcome
    }

    /// Looks whether anything has changed, and renews the lease. Not before its server listens: then whoever is ready serves.
    pub(super) async fn look(&self) -> Result<(), TickError> {
        let registry = self.refresh().await?;
        self.beat().await?;
        if self.issuance.why_not_ready().is_none() {
            self.store.note_serving(self.issuance.config.policy.lifetimes().lease).await?;
        }
        self.keep_set(&self.issuance.keys.load_full()).await?;
        // Last: one damaged row of the registry must not end issuing for all others.
        if registry != self.issuance.registry.load().revision {
            self.load_registry().await?;
        }
        Ok(())
    }

    /// The part of a look that only reads. Answers the revision of the registry.
    pub(super) async fn refresh(&self) -> Result<u64, TickError> {
        let asked = Instant::now();
        let Revisions { keyring, registry, revocations } = self.store.revisions().await?;
        self.note_clock().await?;
        if keyring != self.issuance.keys.load().revision {
            self.load_keys().await?;
            self.news.notify_one();
        }
        self.issuance.lease.confirm(asked);
        if self.sequence.swap(revocations, Ordering::AcqRel) != revocations {
            self.news.notify_one();
        }
        Ok(registry)
    }

    /// Loads what is revoked, if that has changed.
    pub(super) async fn hear(&self) -> Result<(), TickError> {
        let issuance = &self.issuance;
        let sequence = self.sequence.load(Ordering::Acquire);
        if sequence != issuance.revocations.load().sequence {
            issuance.revocations.store(Arc::new(self.store.load_revocations().await?));
        }
        Ok(())
    }

    /// Loads what is revoked, if that has changed, and signs the feed anew when it is time to.
    pub(super) async fn tell(&self) -> Result<(), TickError> {
        self.hear().await?;
        let issuance = &self.issuance;
        // Who is cut off from the database does not know what is revoked by now.
        if issuance.lease.refusal().is_some() {
            return Ok(());
        }
        let (keys, snapshot, now) =
            (issuance.keys.load_full(), issuance.revocations.load_full(), wall_clock());
        let held = issuance.feed.load();
        if held.as_ref().is_some_and(|held| held.is_current(snapshot.sequence, &keys, now)) {
            return Ok(());
        }
        let Some(key) = signer(&keys, &snapshot.kids).cloned() else {
            return Ok(()); // verify-only, and `/readyz` says so
        };
        let issuer = issuance.config.issuer.clone();
        // Of very many revocations it takes milliseconds: not on an async worker.
        let said = move || Arc::new(statement(&issuer, &snapshot, &keys, now));
        let said = tokio::task::spawn_blocking(said).await.map_err(|_| TickError::Panicked)?;
        let jws = self.sign(&key, Typ::Revocations, Arc::clone(&said)).await?;
        issuance.feed.store(Some(Arc::new(SignedStatement::of(jws, &said, *key.kid())?)));
        Ok(())
    }

    /// Writes down what verifiers have said. What cannot be written is forgotten: they say it again.
    pub(super) async fn note_verifiers(&self) -> Result<(), TickError> {
        let reports = self.issuance.reports.take();
        if !reports.is_empty() {
            self.store.note_verifiers(&reports).await?;
        }
        Ok(())
    }

    /// Reads who holds which keys, if anybody is there to be shown.
    pub(super) async fn see_fleet(&self) -> Result<(), TickError> {
        if self.issuance.config.admin.is_some() {
            let witnesses = Witnesses::load(&self.store, &self.issuance.config.policy).await?;
            self.issuance.witnesses.store(Arc::new(witnesses));
        }
        Ok(())
    }

    /// Says that this replica is alive, and what it publishes.
    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        let issuance = &self.issuance;
        let heartbeat = Heartbeat {
            replica: issuance.replica.clone(),
            place: self.place.clone(),
            keys: issuance.keys.load().published.tag().to_owned(),
            sequence: issuance.statement().map_or(0, |statement| statement.sequence),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            refusal: issuance.why_not_ready(),
        };
        self.store.beat(&heartbeat).await
    }

    pub(super) async fn load_keys(&self) -> Result<(), TickError> {
        let snapshot = self.store.load_keys().await?;
        let (vault, held) = (Arc::clone(&self.vault), self.issuance.keys.load_full());
        // Opening a key for the first time includes a signature: not on an async worker.
        let (freshness, staleness) = self.issuance.horizons();
        let lease = self.issuance.config.policy.lifetimes().lease;
        let view = move || {
            let opened = vault.open(&snapshot, held.signers());
            KeyView::new(opened, freshness, staleness, lease).with_rows(&snapshot)
        };
        let next = tokio::task::spawn_blocking(view).await.map_err(|_| TickError::Panicked)?;
        let next = self.issuance.keys.load().followed_by(next);
        // Before anybody can hold the set: whoever names it later is known by what he holds. A database that takes no
        // writes delays that and nothing else: each look tries again.
        if let Err(error) = self.keep_set(&next).await {
            tracing::warn!(%error, "it cannot be written down which keys are published");
        }
        self.issuance.keys.store(Arc::new(next));
        Ok(())
    }

    /// Writes down which keys are published, once per set.
    async fn keep_set(&self, keys: &KeyView) -> Result<(), StoreError> {
        let tag = keys.published.tag();
        if *self.kept() != tag {
            self.store.keep_key_set(tag, &keys.published_kids()).await?;
            tag.clone_into(&mut self.kept());
        }
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn load_registry(&self) -> Result<(), StoreError> {
        let snapshot = self.store.load_registry().await?;
        let config = &self.issuance.config;
        let view = RegistryView::new(snapshot, config.policy.lifetimes().token, &config.issuer);
        self.issuance.registry.store(Arc::new(view));
        Ok(())
    }

    pub(super) async fn note_clock(&self) -> Result<(), StoreError> {
        let before = wall_clock();
        let database = self.store.now().await?;
        let after = wall_clock();
        let off = is_off(before, database, after, self.issuance.config.policy.lifetimes().skew);
        if off {
            tracing::error!(here = %after, %database, "the clock differs from the database's by more than the skew allowed");
        }
        self.issuance.lease.note_clock(off);
        Ok(())
    }
}
