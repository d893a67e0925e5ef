use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use claviger_oauth::TokenError;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// JSON that no cache may keep (RFC 6749 section 5.1).
pub(super) fn private_json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("answers are plain structures of strings and numbers");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The refusal of a token request: the code for the client, the reason for the log.
pub(super) struct Refused(pub(super) TokenError);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error) = self;
        tracing::info!(%error, "token request refused");
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = private_json(status, &error.body());
        if let TokenError::TemporarilyUnavailable { retry_after } = error {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if let Some(challenge) = error.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
