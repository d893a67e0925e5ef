use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_jose::NumericDate;
use claviger_keyring::FleetView;
use claviger_store::{Revisions, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{
    clock::wall_clock,
    keys::{KeyView, Rotation, RotationError, Taken, Vault},
    registry_view::RegistryView,
    server::Issuance,
};

/// How often the database is asked whether keys or registry have changed, or a quarter
/// of the lease if that is less.
const PERIOD: Duration = Duration::from_secs(1);
/// After this a look is given up: a host that is gone without a word would hold it for a quarter of an hour.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// The same for taking steps, which may include making keys on a busy machine.
const LONGEST_STEP: Duration = Duration::from_mins(1);

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
    pub(crate) async fn first(&self) -> Result<(), TickError> {
        match self.rotation.take_due_steps().await {
            Ok(_) | Err(RotationError::VerifyOnly(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let asked = Instant::now();
        self.note_clock().await?;
        self.load_keys().await?;
        self.load_registry().await?;
        self.issuance.lease.confirm(asked);
        Ok(())
    }

    /// Goes on until it is dropped. Two loops: making an RSA key takes a good part of a second, and the lease must
    /// not run out over it.
    pub(crate) async fn run(self) {
        let period = PERIOD.min(self.issuance.config.policy.lifetimes().lease / 4);
        let watching = every(period, LONGEST_LOOK, "keys and registry cannot be refreshed", || self.watch());
        let rotating = every(period, LONGEST_STEP, "due steps cannot be taken", || self.rotate());
        tokio::join!(watching, rotating);
    }

    /// Looks whether anything has changed, and renews the lease.
    async fn watch(&self) -> Result<(), TickError> {
        let asked = Instant::now();
        let Revisions { keyring, registry, .. } = self.store.revisions().await?;
        self.note_clock().await?;
        if keyring != self.issuance.keys.load().revision {
            self.load_keys().await?;
        }
        self.issuance.lease.confirm(asked);
        // After the lease: one damaged row of the registry must not end issuing for all others.
        if registry != self.issuance.registry.load().revision {
            self.load_registry().await?;
        }
        Ok(())
    }

    /// Takes the steps that are due by the keys in memory; `watch` then sees what came of it.
    async fn rotate(&self) -> Result<(), TickError> {
        // By a clock that stepped ahead a key would be due that nobody has learned.
        if !self.issuance.lease.clock_is_off()
            && self.is_due(self.store.now().await?)
            && let Taken::Steps(steps) = self.rotation.take_due_steps().await?
        {
            tracing::info!(?steps, "keys changed");
        }
        Ok(())
    }

    /// Whether the plan has something to do by the keys in memory.
    fn is_due(&self, now: NumericDate) -> bool {
        let keys = self.issuance.keys.load();
        keys.verify_only.is_none()
            && !keys.keyring.plan(&self.issuance.config.policy, &FleetView::default(), now).is_empty()
    }

    async fn load_keys(&self) -> Result<(), TickError> {
        let snapshot = self.store.load_keys().await?;
        let (vault, held) = (Arc::clone(&self.vault), self.issuance.keys.load_full());
        // Opening a key for the first time includes a signature: not on an async worker.
        let opened = tokio::task::spawn_blocking(move || vault.open(&snapshot, held.signers())).await;
        let opened = opened.map_err(|_| TickError::Panicked)?;
        let (freshness, staleness) = self.issuance.horizons();
        let next = KeyView::new(opened, freshness, staleness);
        self.issuance.keys.store(Arc::new(self.issuance.keys.load().followed_by(next)));
        Ok(())
    }

    async fn load_registry(&self) -> Result<(), StoreError> {
        let snapshot = self.store.load_registry().await?;
        let longest = self.issuance.config.policy.lifetimes().token;
        self.issuance.registry.store(Arc::new(RegistryView::new(snapshot, longest)));
        Ok(())
    }

    async fn note_clock(&self) -> Result<(), StoreError> {
        let before = wall_clock();
        let database = self.store.now().await?;
        let after = wall_clock();
        // The database's answer lies between the two; a slow answer is no wrong clock.
        let difference = before.since(database).max(database.since(after));
        // All are whole seconds: a difference of one is none.
        let off = difference > self.issuance.config.policy.lifetimes().skew + Duration::from_secs(1);
        if off {
            tracing::error!(here = %after, %database, "the clock differs from the database's by more than the skew allowed");
        }
        self.issuance.lease.note_clock(off);
        Ok(())
    }
}

/// Why a look into the database came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The steps that are due.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// A key that makes the program panic; the keys in use stay as they were.
    #[error("opening the keys panicked")]
    Panicked,
    /// No answer, not even an error: a connection that was cut without a word.
    #[error("the database has not answered within {0:?}")]
    Silent(Duration),
}

/// Does something once in each period; the first failure of a row is a warning.
async fn every<F: Future<Output = Result<(), TickError>>>(
    period: Duration,
    longest: Duration,
    fault: &str,
    work: impl Fn() -> F,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let outcome = timeout(longest, work()).await.unwrap_or(Err(TickError::Silent(longest)));
        match outcome {
            Ok(()) if failing => {
                failing = false;
                tracing::info!("no longer: {fault}");
            }
            Ok(()) => {}
            Err(error) if failing => tracing::debug!(error = causes(&error), "{fault}"),
            Err(error) => {
                failing = true;
                tracing::warn!(error = causes(&error), "{fault}");
            }
        }
    }
}

/// An error with what it came from.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
