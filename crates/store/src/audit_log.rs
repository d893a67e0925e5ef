//! Acts are written in the transaction of what they tell of.

use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    sea_query::Expr,
};

use crate::{
    Act, StoreError, audit_chain,
    entity::{audit, revision},
    store::read_clock,
    timed::Transaction,
};

/// Rows per statement: both databases bound the number of parameters.
const CHUNK: usize = 1000;
/// The records and the seconds that count as the last ones.
const LATELY: i64 = 2000;
const MINUTE: i64 = 60;

/// Adds records to the log. Whoever writes one stands in line for the one row of `revision` until the transaction ends, so
/// that each finds the record before its own.
pub(crate) async fn append(transaction: &Transaction, acts: &[Act]) -> Result<(), StoreError> {
    if acts.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(acts.len()).unwrap_or(i64::MAX);
    let written = revision::Entity::update_many()
        .col_expr(revision::Column::Audit, Expr::col(revision::Column::Audit).add(count))
        .filter(revision::Column::Id.eq(1));
    written.exec(transaction).await?;
    let row = revision::Entity::find_by_id(1_i16).one(transaction).await?;
    let written = row.ok_or_else(|| StoreError::Corrupt("no revision".to_owned()))?.audit;
    let last = audit::Entity::find().order_by_desc(audit::Column::Sequence).one(transaction).await?;
    // A log that somebody has cut goes on behind its end: the gap stays to be seen, and nobody can prevent a revocation
    // by damage to the log.
    let (mut sequence, mut hash) = match last {
        Some(last) => {
            (Ord::max(last.sequence, written - count), last.hash.try_into().unwrap_or(audit_chain::START))
        }
        None => (written - count, audit_chain::START),
    };
    let at = read_clock(transaction).await?;
    let mut rows = Vec::with_capacity(acts.len());
    for act in acts {
        sequence += 1;
        let mut row = row_of(act, sequence, at);
        hash = audit_chain::hash(&hash, &row);
        row.hash = hash.to_vec();
        rows.push(row.into_active_model());
    }
    for chunk in rows.chunks(CHUNK) {
        audit::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// How often this actor has done this within a minute, among the last records: without an index on the time, a long log is
/// not searched.
pub(crate) async fn count_lately(transaction: &Transaction, act: &Act) -> Result<u64, StoreError> {
    let last = audit::Entity::find().order_by_desc(audit::Column::Sequence).one(transaction).await?;
    let oldest = last.map_or(0, |last| last.sequence.saturating_sub(LATELY));
    let since = read_clock(transaction).await? - MINUTE;
    let found = audit::Entity::find()
        .filter(audit::Column::Sequence.gt(oldest))
        .filter(audit::Column::At.gt(since))
        .filter(audit::Column::Actor.eq(text(&act.actor)))
        .filter(audit::Column::Act.eq(text(&act.act)));
    Ok(found.count(transaction).await?)
}

fn row_of(act: &Act, sequence: i64, at: i64) -> audit::Model {
    audit::Model {
        sequence,
        at,
        actor: text(&act.actor),
        origin: text(&act.origin),
        act: text(&act.act),
        subject: text(&act.subject),
        detail: act.detail.to_string(),
        request_id: act.request_id.as_deref().map(text),
        hash: Vec::new(),
    }
}

/// PostgreSQL's texts hold no NUL; one in the name of something that was refused must not keep the refusal out of the log.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
