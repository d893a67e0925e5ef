use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use claviger_oauth::ServerMetadata;
use http::header::CACHE_CONTROL;

use crate::{pages::Language, server::Issuance};

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
    let registry = issuance.registry.load();
    let languages = Language::ALL.map(Language::tag);
    let metadata = ServerMetadata::of_provider(&issuance.config.issuer, registry.scopes(), &languages);
    ([(CACHE_CONTROL, "public, max-age=300")], Json(metadata))
}
