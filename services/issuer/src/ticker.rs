mod duty;
mod look;
mod pulse;
mod signing;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64},
};
use std::time::{Duration, Instant};

use claviger_keyring::SignError;
use claviger_store::{Store, StoreError};
use tokio::sync::Notify;

use self::pulse::Pulse;
use crate::{
    actor::host,
    checkpoint::LastCheckpoint,
    feed::StatementError,
    keys::{Rotation, RotationError, Vault},
    log_out::Notices,
    server::Issuance,
};

/// How often the database is asked whether anything has changed, or a quarter of the lease if that is less.
const PERIOD: Duration = Duration::from_secs(1);
/// After this a look is given up: a host that is gone without a word would hold it for a quarter of an hour. With the
/// period it bounds how long after an outage tokens are issued again.
const LONGEST_LOOK: Duration = Duration::from_secs(3);
/// The same for what may be a lot: a hundred thousand revocations, making keys on a busy machine.
const LONGEST_TASK: Duration = Duration::from_mins(1);
/// How often operators are shown anew who holds which keys.
const SIGHT: Duration = Duration::from_secs(2);
/// How often it is looked for what can be forgotten, or signed off.
const UPKEEP: Duration = Duration::from_mins(1);
/// Each of its jobs is given up before: this is for all of them together.
const LONGEST_UPKEEP: Duration = Duration::from_mins(10);

/// Keeps what requests are answered from up to date, and the keys on their way.
///
/// Whoever changes something (this process, a replica, a command line) raises a number in the
/// database; every replica sees it within a second, or at once where the database can say so. Each look also renews the
/// lease to sign.
#[derive(Debug)]
pub(crate) struct Ticker {
    issuance: Arc<Issuance>,
    store: Store,
    vault: Arc<Vault>,
    rotation: Rotation,
    /// Host and process id.
    place: String,
    /// The number of the feed in the database, as the last look has seen it.
    sequence: AtomicU64,
    /// What the feed says may have changed.
    news: Notify,
    /// Whether this replica takes due steps.
    on_duty: AtomicBool,
    /// Until when it leaves them to others, for it could not take them.
    resting: Mutex<Option<Instant>>,
    /// The entity tag of the key set that was kept last.
    kept: Mutex<String>,
    checkpoint: Mutex<Option<LastCheckpoint>>,
    /// The clients that are to be told of a log-out.
    notices: Notices,
}

impl Ticker {
    pub(crate) fn new(issuance: Arc<Issuance>, store: Store, vault: Arc<Vault>, rotation: Rotation) -> Self {
        Self {
            notices: Notices::new(Arc::clone(&issuance), store.clone()),
            issuance,
            store,
            vault,
            rotation,
            place: format!("{}:{}", host(), std::process::id()),
            sequence: AtomicU64::new(0),
            news: Notify::new(),
            on_duty: AtomicBool::new(false),
            resting: Mutex::default(),
            kept: Mutex::default(),
            checkpoint: Mutex::default(),
        }
    }

    /// Loads everything and makes the keys of a first start. Where there are keys, nothing that is only due, or to be
    /// written down, keeps them from being served: a full disk or a module that is away would end every restart.
    pub(crate) async fn first(&self) -> Result<(), TickError> {
        let rotated = self.rotation.take_due_steps().await;
        let asked = Instant::now();
        self.note_clock().await?;
        self.load_keys().await?;
        match rotated {
            Ok(_) | Err(RotationError::VerifyOnly(_)) => {}
            Err(error) if self.issuance.keys.load().keyring.published().next().is_none() => {
                return Err(error.into());
            }
            Err(error) => tracing::warn!(%error, "due steps cannot be taken at the start"),
        }
        self.load_registry().await?;
        self.issuance.lease.confirm(asked);
        self.refresh().await?;
        if let Err(error) = self.beat().await {
            tracing::warn!(%error, "the other replicas do not hear of this one");
        }
        self.hear().await?;
        if let Err(error) = self.tell().await {
            tracing::warn!(%error, "there is no revocation feed at the start");
        }
        Ok(())
    }

    /// Goes on until it is dropped. Several loops: making an RSA key takes a good part of a second, and the lease must
    /// not run out over it.
    pub(crate) async fn run(self) {
        let period = self.period();
        let pulse = |longest, fault| Pulse { period, longest, fault };
        let looking = pulse(LONGEST_LOOK, "keys and registry cannot be refreshed");
        let telling = pulse(LONGEST_TASK, "the revocation feed cannot be refreshed");
        let rotating = pulse(LONGEST_TASK, "due steps cannot be taken");
        let noting = pulse(LONGEST_TASK, "what verifiers say cannot be noted");
        let seeing = Pulse { period: SIGHT, longest: LONGEST_TASK, fault: "the fleet cannot be seen" };
        let notifying = pulse(LONGEST_TASK, "clients cannot be told of log-outs");
        let tidying =
            Pulse { period: UPKEEP, longest: LONGEST_UPKEEP, fault: "the database cannot be tidied" };
        tokio::join!(
            looking.beat(|| self.changed(), || self.counted_look()),
            telling.beat(|| self.news.notified(), || self.tell()),
            rotating.beat(std::future::pending, || self.rotate()),
            noting.beat(std::future::pending, || self.note_verifiers()),
            seeing.beat(std::future::pending, || self.see_fleet()),
            notifying.beat(std::future::pending, || self.notify_clients()),
            tidying.beat(std::future::pending, || self.tidy()),
        );
    }

    fn period(&self) -> Duration {
        PERIOD.min(self.issuance.config.policy.lifetimes().lease / 4)
    }
}

/// Why a look into the database came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TickError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The steps that are due.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The revocation feed.
    #[error("revocation feed: {0}")]
    Statement(#[from] StatementError),
    /// Signing the feed or a checkpoint.
    #[error("signing: {0}")]
    Sign(#[from] SignError),
    /// The keeper of the key did not sign; the log says why.
    #[error("the keeper of the key does not sign")]
    Keeper,
    /// A key that makes the program panic; the keys in use stay as they were.
    #[error("opening or using the keys panicked")]
    Panicked,
    /// One of the jobs that keep the database tidy.
    #[error("{what}")]
    Upkeep {
        /// What is not done.
        what: &'static str,
        /// Why.
        source: Box<TickError>,
    },
    /// No answer, not even an error: a connection that was cut without a word.
    #[error("the database has not answered within {0:?}")]
    Silent(Duration),
}
