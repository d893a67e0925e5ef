//! A name for each request, in its answer and in the audit log.

use std::fmt;

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderName, HeaderValue};

use crate::rng::random_id;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The name of a request. What a caller would call it is not asked: the log is ours.
#[derive(Debug, Clone)]
pub(super) struct RequestId(String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives each request a name.
pub(super) async fn give(mut request: Request, next: Next) -> Response {
    let id = random_id().to_string();
    let value = HeaderValue::from_str(&id).expect("a UUID is a header value");
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, value);
    response
}
