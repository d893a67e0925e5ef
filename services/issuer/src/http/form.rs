use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{HeaderMap, header::CONTENT_TYPE};

use super::{BodyError, read_body};

const LIMIT: usize = 64 * 1024;
const TIME: Duration = Duration::from_secs(10);

/// Reads the body of a form, of a browser or of a client of the protocol.
///
/// # Errors
/// What is wrong with it, in words for its sender.
pub(crate) async fn read_form(headers: &HeaderMap, body: Body) -> Result<Bytes, &'static str> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err("the body must be application/x-www-form-urlencoded");
    }
    read_body(body, LIMIT, TIME).await.map_err(|error| match error {
        BodyError::TooLarge => "the body is larger than 64 KiB",
        BodyError::TooSlow => "the body took longer than 10 s",
        BodyError::Broken(_) => "the body broke off",
    })
}
