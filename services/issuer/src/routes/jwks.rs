use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER},
};

use super::answer::JSON;
use crate::server::Issuance;

/// The published keys (RFC 7517 section 5), from memory, with a strong validator.
pub(super) async fn key_set(State(issuance): State<Arc<Issuance>>, request: HeaderMap) -> Response {
    if issuance.is_out_of_date() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        return response;
    }
    let keys = issuance.keys.load();
    let set = &keys.published;
    let unchanged = request.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags, &set.etag));
    let mut response = if unchanged {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(set.body.clone()));
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response
    };
    response.headers_mut().insert(ETAG, set.etag.clone());
    response.headers_mut().insert(CACHE_CONTROL, set.cache_control.clone());
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
