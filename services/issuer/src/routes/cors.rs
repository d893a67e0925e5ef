//! Which pages may read what (Fetch, "CORS protocol").

use std::{sync::Arc, time::Duration};

use http::{
    HeaderName, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, ETAG, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::server::Issuance;

/// Lets pages call that come from an origin which some client has registered, and no others. Credentials are not part of it:
/// what a browser adds by itself counts for nothing at these endpoints. The origin is that of the declaration, never one
/// that a token or a request brings along (S-69).
pub(super) fn registered_origins(issuance: &Arc<Issuance>) -> CorsLayer {
    let issuance = Arc::clone(issuance);
    let is_registered = move |origin: &http::HeaderValue, _: &http::request::Parts| {
        origin.to_str().is_ok_and(|origin| issuance.registry.load().has_origin(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_registered))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("dpop")])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, ETAG, HeaderName::from_static("dpop-nonce")])
        .max_age(Duration::from_mins(10))
        .vary([ORIGIN])
}
