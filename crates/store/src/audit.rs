use claviger_jose::NumericDate;
use serde_json::Value;

use crate::{Store, StoreError};

/// Something that somebody did, or was refused. It is written in the transaction of the change itself: what is not in
/// the log has not happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// Who: `operator:NAME`, `client:ID`, `replica:ID`.
    pub actor: String,
    /// From where: `cli HOST`, `admin ADDRESS`, `ticker`.
    pub origin: String,
    /// What: `key.create`, `key.activate`, `key.retire`, `key.remove`, `key.revoke`, `key.rewrap`, `keys.refused`,
    /// `registry.apply`, `client.secret`, `revoke.jti`, `revoke.sid`, `revoke.sub`, `revoke.client`, `revoke.all`.
    pub act: String,
    /// To what: a kid, a client id, a mark.
    pub subject: String,
    /// Before and after, or the reason of a refusal. Never a secret.
    pub detail: Value,
    /// The request that asked for it, if one did.
    pub request_id: Option<String>,
}

/// An act as the log has it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its place, from 1 without gaps.
    pub sequence: u64,
    /// When, by the clock of the database.
    pub at: NumericDate,
    /// The act.
    pub act: Act,
    /// SHA-256 over the hash of the record before and all of this one.
    pub hash: [u8; 32],
}

/// Whether the log is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Each record follows from the one before.
    Whole {
        /// How many records there are.
        records: u64,
        /// The hash of the last.
        head: [u8; 32],
    },
    /// From this record on it does not.
    Broken {
        /// The first place at which something was altered, removed or put in.
        sequence: u64,
        /// What does not fit.
        reason: String,
    },
}

/// Where the log was at some time, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record that it covers.
    pub sequence: u64,
    /// A compact JWS of the kind `audit-checkpoint+jwt` over that place, its hash and the time.
    pub jws: String,
}

impl Store {
    /// Notes acts that changed nothing: refusals above all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note(&self, _acts: &[Act]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Records after this place, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn audit_after(&self, _sequence: u64, _limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(Vec::new())
    }

    /// The last records, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn audit_tail(&self, _count: u32) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(Vec::new())
    }

    /// Reads the whole log and answers whether it is whole; `progress` is told the place of each record that was read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all. A log that is not whole is no error.
    pub async fn verify_audit(&self, _progress: impl Fn(u64) + Send) -> Result<AuditVerdict, StoreError> {
        Ok(AuditVerdict::Whole { records: 0, head: [0; 32] })
    }

    /// The place and the hash of the last record; `None` of an empty log.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn audit_head(&self) -> Result<Option<(u64, [u8; 32])>, StoreError> {
        Ok(None)
    }

    /// Keeps a checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn keep_checkpoint(&self, _checkpoint: &Checkpoint) -> Result<(), StoreError> {
        Ok(())
    }

    /// All checkpoints, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        Ok(Vec::new())
    }
}
