use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};

use crate::Verifier;

/// The health endpoints of a service: `/livez` answers 200 while the process serves; `/readyz` answers
/// 200 while tokens can be verified, else 503.
///
/// A service without a key set is alive: to restart it would not bring the issuer back.
pub fn health(verifier: &Verifier) -> Router {
    Router::new()
        .route("/livez", get(async || ([(header::CACHE_CONTROL, "no-store")], "alive\n")))
        .route("/readyz", get(readyz))
        .with_state(verifier.clone())
}

async fn readyz(State(verifier): State<Verifier>) -> impl IntoResponse {
    let (status, body) = if verifier.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "there is no usable key set of the issuer\n")
    };
    (status, [(header::CACHE_CONTROL, "no-store")], body)
}
