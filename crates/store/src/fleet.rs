//! Who holds what: the replicas of the issuer, and the verifiers that name themselves.

use std::{collections::HashMap, sync::Arc, time::Duration};

use claviger_jose::{Kid, NumericDate, VerifierReport};

use crate::{Store, StoreError};

/// The most verifiers that are remembered, of one audience and in all.
pub const MAX_INSTANCES: u32 = 2_000;
/// The most verifiers that are remembered.
pub const MAX_VERIFIERS: u32 = 10_000;

/// What a replica says of itself, once a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The process: a UUID.
    pub replica: String,
    /// Where it runs, for people: host and process id.
    pub place: String,
    /// The entity tag of the key set that it publishes, without quotes.
    pub keys: String,
    /// The `seq` of the feed that it publishes.
    pub sequence: u64,
    /// The version of its program.
    pub version: String,
    /// Why it signs nothing, if so.
    pub refusal: Option<String>,
}

/// A replica as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// What it said.
    pub said: Heartbeat,
    /// When, by the clock of the database.
    pub seen: NumericDate,
}

/// A verifier as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenVerifier {
    /// What it said.
    pub said: VerifierReport,
    /// When, by the clock of the database.
    pub seen: NumericDate,
}

/// The verifiers that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenVerifiers {
    /// By audience and instance.
    pub verifiers: Vec<SeenVerifier>,
    /// When one was last turned away because there were too many.
    pub overflowed: Option<NumericDate>,
}

impl Store {
    /// Notes that a replica is alive and what it publishes, at the time of the database.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn beat(&self, _heartbeat: &Heartbeat) -> Result<(), StoreError> {
        Ok(())
    }

    /// A replica has stopped: nobody need wait for it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn leave(&self, _replica: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// The replicas that were heard of within this time; older ones are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn replicas(&self, _within: Duration) -> Result<Vec<Replica>, StoreError> {
        Ok(Vec::new())
    }

    /// Notes what verifiers have said, at the time of the database. One that is new is turned away if there are
    /// [too many](MAX_VERIFIERS) already, and that it was is noted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note_verifiers(&self, _reports: &[VerifierReport]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The verifiers that were heard of within this time; older ones are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn verifiers(&self, _within: Duration) -> Result<SeenVerifiers, StoreError> {
        Ok(SeenVerifiers::default())
    }

    /// Keeps which keys a published set has, by its entity tag. The last 64 sets are kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn keep_key_set(&self, _etag: &str, _kids: &[Kid]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The keys of the sets that were published lately, by their entity tags.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn key_sets(&self) -> Result<HashMap<String, Arc<[Kid]>>, StoreError> {
        Ok(HashMap::new())
    }

    /// Whether this replica is the one that takes due steps, from now on for this time. It spares the others the work; that no
    /// step is taken twice is the revision's doing, which fences off whoever was held up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn take_duty(&self, _replica: &str, _length: Duration) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Waits until another process says that it has changed something, as far as the database can tell: PostgreSQL by
    /// NOTIFY, SQLite never. It may return without a change.
    pub async fn changed(&self) {
        std::future::pending().await
    }
}
