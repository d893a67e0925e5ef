use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_jose::NumericDate;
use claviger_store::{Revisions, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    clock::wall_clock,
    keys::{KeyView, Rotation, RotationError, Taken, Vault},
    registry_view::RegistryView,
    server::Issuance,
};

/// How often the database is asked whether keys or registry have changed, or a quarter
/// of the lease if that is less.
const PERIOD: Duration = Duration::from_secs(1);

/// Keeps what requests are answered from up to date, and the keys on their way.
///
/// Whoever changes something (this process, a replica, a command line) raises a number in the
/// database; every replica sees it within a second. Each look also renews the lease to sign.
#[derive(Debug)]
pub(crate) struct Ticker {
    issuance: Arc<Issuance>,
    store: Store,
    vault: Arc<Vault>,
    rotation: Rotation,
}

impl Ticker {
    pub(crate) fn new(issuance: Arc<Issuance>, store: Store, vault: Arc<Vault>, rotation: Rotation) -> Self {
        Self { issuance, store, vault, rotation }
    }

    /// Loads everything and makes the keys of a first start.
    pub(crate) async fn first(&self) -> Result<(), RotationError> {
        match self.rotation.take_due_steps().await {
            Ok(_) | Err(RotationError::VerifyOnly(_)) => {}
            Err(error) => return Err(error),
        }
        let asked = Instant::now();
        self.load_keys().await?;
        self.load_registry().await?;
        self.issuance.lease.confirm(asked);
        Ok(())
    }

    /// Goes on until it is dropped. Two loops: making an RSA key takes a good part of a second, and the lease must
    /// not run out over it.
    pub(crate) async fn run(self) {
        let period = PERIOD.min(self.issuance.config.policy.lifetimes().lease / 4);
        let watching = every(period, "keys and registry cannot be refreshed", || self.watch());
        let rotating = every(period, "due steps cannot be taken", || self.rotate());
        tokio::join!(watching, rotating);
    }

    /// Looks whether anything has changed, and renews the lease.
    async fn watch(&self) -> Result<(), RotationError> {
        let asked = Instant::now();
        let Revisions { keyring, registry } = self.store.revisions().await?;
        self.note_clock(self.store.now().await?);
        if keyring != self.issuance.keys.load().revision {
            self.load_keys().await?;
        }
        if registry != self.issuance.registry.load().revision {
            self.load_registry().await?;
        }
        self.issuance.lease.confirm(asked);
        Ok(())
    }

    /// Takes the steps that are due by the keys in memory; `watch` then sees what came of it.
    async fn rotate(&self) -> Result<(), RotationError> {
        if self.is_due(self.store.now().await?)
            && let Taken::Steps(steps) = self.rotation.take_due_steps().await?
        {
            tracing::info!(?steps, "keys changed");
        }
        Ok(())
    }

    /// Whether the plan has something to do by the keys in memory.
    fn is_due(&self, now: NumericDate) -> bool {
        let keys = self.issuance.keys.load();
        keys.verify_only.is_none() && !keys.keyring.plan(&self.issuance.config.policy, now).is_empty()
    }

    async fn load_keys(&self) -> Result<(), StoreError> {
        let snapshot = self.store.load_keys().await?;
        let (vault, held) = (Arc::clone(&self.vault), self.issuance.keys.load_full());
        // Opening a key for the first time includes a signature: not on an async worker.
        let opened = tokio::task::spawn_blocking(move || vault.open(&snapshot, held.signers())).await;
        let Ok(opened) = opened else {
            tracing::error!("opening the keys panicked; the keys in use stay as they were");
            return Ok(());
        };
        let (freshness, staleness) = self.issuance.horizons();
        self.issuance.keys.store(Arc::new(KeyView::new(opened, freshness, staleness)));
        Ok(())
    }

    async fn load_registry(&self) -> Result<(), StoreError> {
        let snapshot = self.store.load_registry().await?;
        let longest = self.issuance.config.policy.lifetimes().token;
        self.issuance.registry.store(Arc::new(RegistryView::new(snapshot, longest)));
        Ok(())
    }

    fn note_clock(&self, database: NumericDate) {
        let here = wall_clock();
        let difference = here.since(database).max(database.since(here));
        // Both are whole seconds: a difference of one is none.
        let off = difference > self.issuance.config.policy.lifetimes().skew + Duration::from_secs(1);
        if off {
            tracing::error!(%here, %database, "the clock differs from the database's by more than the skew allowed");
        }
        self.issuance.lease.note_clock(off);
    }
}

/// Does something once in each period; the first failure of a row is a warning.
async fn every<F: Future<Output = Result<(), RotationError>>>(
    period: Duration,
    fault: &str,
    work: impl Fn() -> F,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match work().await {
            Ok(()) if failing => {
                failing = false;
                tracing::info!("the database answers again");
            }
            Ok(()) => {}
            Err(error) if failing => tracing::debug!(%error, "{fault}"),
            Err(error) => {
                failing = true;
                tracing::warn!(%error, "{fault}");
            }
        }
    }
}
