use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};

use crate::Verifier;

/// The health endpoints of a service: `/livez` answers 200 while the process serves; `/readyz` answers
/// 200 while the tokens of the first issuer can be verified, else 503.
///
/// A service without a key set is alive: to restart it would not bring the issuer back. One that lacks the key set
/// of a further issuer is ready: it would be taken from the callers of all others. Either way the body of
/// `/readyz` has a line for each issuer whose keys are missing, named as in the configuration.
pub fn health(verifier: &Verifier) -> Router {
    Router::new()
        .route("/livez", get(async || ([(header::CACHE_CONTROL, "no-store")], "alive\n")))
        .route("/readyz", get(readyz))
        .with_state(verifier.clone())
}

async fn readyz(State(verifier): State<Verifier>) -> impl IntoResponse {
    let (status, word) = if verifier.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let missing = verifier.key_sets().filter(|keys| !keys.is_ready());
    let lines: Vec<_> =
        missing.map(|keys| format!("there is no usable key set of {}\n", keys.issuer())).collect();
    let body = format!("{word}\n{}", lines.concat());
    (status, [(header::CACHE_CONTROL, "no-store")], body)
}
