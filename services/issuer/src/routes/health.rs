use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde_json::json;

use crate::server::Issuance;

/// The process runs.
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// Whether tokens can be issued, and if not, why.
pub(crate) async fn readyz(State(issuance): State<Arc<Issuance>>) -> impl IntoResponse {
    match issuance.why_not_ready() {
        None => (StatusCode::OK, Json(json!({ "ready": true }))),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": reason }))),
    }
}
