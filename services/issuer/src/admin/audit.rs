//! The audit log.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use claviger_jose::base64url;
use claviger_store::{Act, AuditRecord};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    desk::Desk,
    problem::{Problem, done},
};

/// The most records of one answer.
const PAGE: u32 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The place of the last record that is known already.
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

/// Records of the log, oldest first, and where to go on.
pub(super) async fn list(
    State(desk): State<Desk>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let invalid = || Problem::bad_request("`after` and `limit` must be numbers, and nothing else is known");
    let Query(Page { after, limit }) = page.map_err(|_| invalid())?;
    let limit = limit.unwrap_or(PAGE).clamp(1, PAGE);
    let _reading = desk.reading().await?;
    let records = desk.store.audit_after(after, limit).await?;
    let next = records.last().map_or(after, |record| record.sequence);
    Ok(done(json!({ "records": records.iter().map(record).collect::<Vec<_>>(), "next": next })))
}

fn record(AuditRecord { sequence, at, act, hash }: &AuditRecord) -> Value {
    let Act { actor, origin, act, subject, detail, request_id } = act;
    json!({
        "sequence": sequence,
        "at": at,
        "actor": actor,
        "origin": origin,
        "act": act,
        "subject": subject,
        "detail": detail,
        "request_id": request_id,
        "hash": base64url::encode(hash),
    })
}
