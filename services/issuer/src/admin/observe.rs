//! What whoever reaches the operators' listener may look at: the status page and the metrics. Both are made of what is
//! in memory, and so they are there when the database is not.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};

use super::{
    metrics,
    status::{self, FeedFacts, OwnFacts, Refresh, StatusView},
};
use crate::{actor::host, clock::wall_clock, server::Issuance};

const ISOLATED: [HeaderName; 2] = [
    HeaderName::from_static("cross-origin-opener-policy"),
    HeaderName::from_static("cross-origin-resource-policy"),
];

/// The status page. With `?still` it does not load itself again.
pub(super) async fn status(State(issuance): State<Arc<Issuance>>, RawQuery(query): RawQuery) -> Response {
    let refresh = if query.as_deref() == Some("still") { Refresh::Still } else { Refresh::Follow };
    let html = status::page(&view(&issuance), refresh, wall_clock()).into_string();
    let mut response = shown(html, HeaderValue::from_static("text/html; charset=utf-8"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, status::CONTENT_SECURITY_POLICY.clone());
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    for name in ISOLATED {
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    response
}

/// The metrics, for Prometheus.
pub(super) async fn metrics(State(issuance): State<Arc<Issuance>>) -> Response {
    let text = metrics::render(&view(&issuance), &issuance.counters, wall_clock());
    shown(text, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))
}

fn shown(body: String, kind: HeaderValue) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn view(issuance: &Issuance) -> StatusView {
    let (keys, witnesses) = (issuance.keys.load(), issuance.witnesses.load());
    let own = witnesses.replicas.iter().find(|replica| replica.said.replica == issuance.replica);
    let mut audiences: Vec<_> = issuance.registry.load().audiences().map(ToString::to_string).collect();
    audiences.sort_unstable();
    StatusView {
        issuer: issuance.config.issuer.to_string(),
        keyring: keys.keyring.clone(),
        created: keys.created.clone(),
        policy: issuance.config.policy,
        poll: issuance.config.poll,
        staleness: issuance.config.staleness,
        audiences,
        feed: feed(issuance),
        own: OwnFacts {
            place: own.map_or_else(host, |own| own.said.place.clone()),
            verify_only: keys.verify_only.clone(),
            refusal: issuance.why_not_ready(),
            clock_is_off: issuance.lease.clock_is_off(),
            lease_age: issuance.lease.age(),
            upkeep_age: issuance.upkeep.age(),
            unusable_keys: keys.unusable,
        },
        witnesses: witnesses.as_ref().clone(),
    }
}

fn feed(issuance: &Issuance) -> Option<FeedFacts> {
    let (statement, revoked) = (issuance.feed.load_full()?, issuance.revocations.load());
    Some(FeedFacts {
        sequence: statement.sequence,
        signed: statement.signed,
        expires: statement.expires,
        keys: revoked.kids.len(),
        others: revoked.revocations.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-96
    #[test]
    fn nothing_that_is_shown_is_kept_framed_or_guessed_at() {
        let response = shown(String::new(), HeaderValue::from_static("text/html"));
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html");
    }
}
