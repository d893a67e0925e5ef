use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue};

use super::conditional::{Document, answer, unavailable};
use crate::server::Issuance;

const STATEMENT: HeaderValue = HeaderValue::from_static("application/revocations+jwt");

/// The revocation feed: what is revoked, signed, from memory. A process that may not sign serves the last statement
/// until that has expired.
pub(super) async fn feed(State(issuance): State<Arc<Issuance>>, request: HeaderMap) -> Response {
    issuance.reports.note(&request, &issuance.registry.load());
    let response = match issuance.statement() {
        None => unavailable(5),
        Some(statement) => {
            let document = Document {
                body: &statement.body,
                content_type: STATEMENT,
                etag: &statement.etag,
                cache_control: cache_control(issuance.config.poll),
            };
            answer(&request, document)
        }
    };
    issuance.counters.feed.add(response.status().as_str());
    response
}

/// A verifier learns when to ask again. A cache that several share asks each time: behind it, what is revoked would
/// be learned twice as late.
fn cache_control(poll: Duration) -> HeaderValue {
    let value = format!("public, max-age={}, s-maxage=0, no-transform", poll.as_secs());
    HeaderValue::from_str(&value).expect("a number is a header value")
}
