use claviger_jose::NumericDate;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::OnConflict};
use serde_json::Value;

use crate::{
    Store, StoreError,
    audit_chain::Chain,
    audit_log,
    entity::{audit, audit_checkpoint, revision},
    store::date,
};

/// Something that somebody did, or was refused. It is written in the transaction of the change itself: what is not in
/// the log has not happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// Who: `operator:NAME(uid UID)`, `client:ID`, `replica:ID`.
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

/// The most refusals of one actor that are noted within a minute.
pub const MAX_REFUSALS: u64 = 20;
/// Records per page of a verification.
const PAGE: u64 = 1000;

impl Store {
    /// Notes acts that changed nothing: refusals above all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note(&self, acts: &[Act]) -> Result<(), StoreError> {
        let transaction = self.begin_write().await?;
        audit_log::append(&transaction, acts).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that somebody was refused something, and answers whether it did: [so many](MAX_REFUSALS) of one actor within a
    /// minute are noted, and the last of them says so. Who asks again and again must not fill the database.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn note_refusal(&self, mut act: Act) -> Result<bool, StoreError> {
        let transaction = self.begin_write().await?;
        let noted = audit_log::count_lately(&transaction, &act).await?;
        if noted >= MAX_REFUSALS {
            transaction.rollback().await?;
            return Ok(false);
        }
        if noted + 1 == MAX_REFUSALS
            && let Value::Object(detail) = &mut act.detail
        {
            detail.insert("more".to_owned(), "not noted within a minute".into());
        }
        audit_log::append(&transaction, &[act]).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Records after this place, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn audit_after(&self, sequence: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = self.audit_page(i64::try_from(sequence).unwrap_or(i64::MAX), u64::from(limit)).await?;
        rows.into_iter().map(record).collect()
    }

    /// The last records, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn audit_tail(&self, count: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = audit::Entity::find().order_by_desc(audit::Column::Sequence).limit(u64::from(count));
        rows.all(&self.db).await?.into_iter().rev().map(record).collect()
    }

    /// Reads the whole log and answers whether it is whole; `progress` is told the place of each record that was read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all. A log that is not whole is no error.
    pub async fn verify_audit(&self, progress: impl Fn(u64) + Send) -> Result<AuditVerdict, StoreError> {
        let mut chain = Chain::new();
        loop {
            // What was put in before the first record is found as well.
            let after = if chain.records == 0 { i64::MIN } else { chain.records };
            let page = self.audit_page(after, PAGE).await?;
            for row in &page {
                if let Err(broken) = chain.follow(row) {
                    return Ok(broken);
                }
                progress(u64::try_from(row.sequence).unwrap_or(0));
            }
            if page.is_empty() {
                // Records come with their number: what was written since is read before the verdict.
                let written = self.audit_written().await?;
                if written <= chain.records || self.audit_page(chain.records, 1).await?.is_empty() {
                    return Ok(chain.end(written));
                }
            }
        }
    }

    /// The place and the hash of the last record; `None` of an empty log.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn audit_head(&self) -> Result<Option<(u64, [u8; 32])>, StoreError> {
        let last = self.audit_tail(1).await?.pop();
        Ok(last.map(|record| (record.sequence, record.hash)))
    }

    /// Keeps a checkpoint. Of two of one place the first is kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let row = audit_checkpoint::ActiveModel {
            sequence: Set(i64::try_from(checkpoint.sequence).unwrap_or(i64::MAX)),
            jws: Set(checkpoint.jws.clone()),
        };
        let keep_first = OnConflict::column(audit_checkpoint::Column::Sequence).do_nothing().to_owned();
        let insert = audit_checkpoint::Entity::insert(row).on_conflict(keep_first);
        insert.exec_without_returning(&self.db).await?;
        Ok(())
    }

    /// All checkpoints, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all.
    pub async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let rows = audit_checkpoint::Entity::find().order_by_asc(audit_checkpoint::Column::Sequence);
        let checkpoint =
            |row: audit_checkpoint::Model| Ok(Checkpoint { sequence: number(row.sequence)?, jws: row.jws });
        rows.all(&self.db).await?.into_iter().map(checkpoint).collect()
    }

    async fn audit_page(&self, after: i64, limit: u64) -> Result<Vec<audit::Model>, StoreError> {
        let rows = audit::Entity::find().filter(audit::Column::Sequence.gt(after));
        Ok(rows.order_by_asc(audit::Column::Sequence).limit(limit).all(&self.db).await?)
    }

    async fn audit_written(&self) -> Result<i64, StoreError> {
        let row = revision::Entity::find_by_id(1_i16).one(&self.db).await?;
        Ok(row.ok_or_else(|| StoreError::Corrupt("no revision".to_owned()))?.audit)
    }
}

fn record(row: audit::Model) -> Result<AuditRecord, StoreError> {
    let hash = row.hash.try_into().map_err(|_| StoreError::Corrupt("a hash in audit".to_owned()))?;
    // A damaged text is for the verification to name, and for people to see.
    let detail = serde_json::from_str(&row.detail).unwrap_or(Value::String(row.detail));
    let act = Act {
        actor: row.actor,
        origin: row.origin,
        act: row.act,
        subject: row.subject,
        detail,
        request_id: row.request_id,
    };
    let at = date(row.at).ok_or_else(|| StoreError::Corrupt("a time in audit".to_owned()))?;
    Ok(AuditRecord { sequence: number(row.sequence)?, at, act, hash })
}

fn number(stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(|_| StoreError::Corrupt("a number in audit".to_owned()))
}
