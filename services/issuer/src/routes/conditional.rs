use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER},
};

/// A document in memory that is polled.
pub(super) struct Document<'d> {
    pub(super) body: &'d Bytes,
    pub(super) content_type: HeaderValue,
    /// A strong validator.
    pub(super) etag: &'d HeaderValue,
    pub(super) cache_control: HeaderValue,
}

/// The document, or that it is still the one that the client holds (RFC 9110 section 13.1.2).
pub(super) fn answer(request: &HeaderMap, document: Document<'_>) -> Response {
    let Document { body, content_type, etag, cache_control } = document;
    let unchanged = request.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags, etag));
    let mut response = if unchanged {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(body.clone()));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    };
    response.headers_mut().insert(ETAG, etag.clone());
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
    response
}

/// How long ago the issuer knew this to be true: a replica is a cache of the database (RFC 9111 section 5.1).
pub(super) fn aged(mut response: Response, age: Duration) -> Response {
    response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    response
}

/// There is nothing to be served that could be relied on.
pub(super) fn unavailable(retry_after: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

/// Whether `If-None-Match` names this tag. The comparison is the weak one, for a proxy that
/// compresses weakens the tag (RFC 9110 section 13.1.2).
fn names(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(etag)) = (tags.to_str(), etag.to_str()) else {
        return false;
    };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_and_however_weak() {
        let named =
            |tags: &str| names(&HeaderValue::from_str(tags).unwrap(), &HeaderValue::from_static("\"abc\""));
        for tags in ["\"abc\"", "W/\"abc\"", "*", "\"x\", \"abc\"", "\"x\",W/\"abc\""] {
            assert!(named(tags), "{tags}");
        }
        for tags in ["abc", "\"abcd\"", "", "\"x\", \"y\"", "w/\"abc\""] {
            assert!(!named(tags), "{tags}");
        }
    }
}
