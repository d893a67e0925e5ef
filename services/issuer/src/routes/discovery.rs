use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use claviger_oauth::ServerMetadata;
use http::header::CACHE_CONTROL;

use crate::server::Issuance;

/// OpenID Connect Discovery section 4.
pub(super) async fn openid_configuration(State(issuance): State<Arc<Issuance>>) -> impl IntoResponse {
    metadata(&issuance)
}

/// RFC 8414 section 3.
pub(super) async fn authorization_server(State(issuance): State<Arc<Issuance>>) -> impl IntoResponse {
    metadata(&issuance)
}

/// Everything in it comes from the configuration, nothing from the request's `Host`.
fn metadata(issuance: &Issuance) -> impl IntoResponse + use<> {
    let metadata = ServerMetadata::of(&issuance.config.issuer, issuance.registry.load().scopes());
    ([(CACHE_CONTROL, "public, max-age=300")], Json(metadata))
}
