use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::HeaderMap;

use super::{
    answer::JSON,
    conditional::{Document, aged, answer, unavailable},
};
use crate::server::Issuance;

/// The published keys (RFC 7517 section 5), from memory, with a strong validator. Their `Age` is the time since the database
/// has last confirmed them: by it a verifier tells the copy of a replica that is cut off from a later one, which it keeps.
pub(super) async fn key_set(State(issuance): State<Arc<Issuance>>, request: HeaderMap) -> Response {
    issuance.reports.note(&request, &issuance.registry.load());
    let response = if issuance.is_out_of_date() {
        unavailable(60)
    } else {
        let keys = issuance.keys.load();
        let set = &keys.published;
        let cache_control = set.cache_control.clone();
        let document = Document { body: &set.body, content_type: JSON, etag: &set.etag, cache_control };
        aged(answer(&request, document), issuance.lease.age().unwrap_or_default())
    };
    issuance.counters.key_set.add(response.status().as_str());
    response
}
