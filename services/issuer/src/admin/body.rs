//! The bodies of requests: JSON objects of known members.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::http::{BodyError, read_body};

const LIMIT: usize = 256 * 1024;
const TIME: Duration = Duration::from_secs(10);

/// Reads a body; none is an empty object. The media type is asked for because a browser sends others' JSON only with
/// the consent of the other side.
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let bytes = read_body(body, LIMIT, TIME).await.map_err(|error| match error {
        BodyError::TooLarge => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is larger than 256 KiB")
        }
        BodyError::TooSlow => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body took longer than 10 s")
        }
        BodyError::Broken(_) => Problem::bad_request("the body broke off"),
    })?;
    if bytes.is_empty() {
        return parse(b"{}");
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "the body must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", detail));
    }
    parse(&bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::bad_request(format!("the body: {error}")))
}
