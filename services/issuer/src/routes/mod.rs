//! The route table, in the order in which a client meets it.

mod answer;
mod conditional;
mod cors;
mod discovery;
pub(crate) mod health;
mod introspect;
mod jwks;
mod par;
mod revocations;
mod revoke;
mod token;
mod tokens;
mod userinfo;
mod welcome;

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use claviger_oauth::{
    JWKS_PATH, OAUTH_DISCOVERY_PATH, OIDC_DISCOVERY_PATH, PAR_PATH, REVOCATIONS_PATH, TOKEN_PATH,
};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    authorize, first_party, log_out,
    pages::{WELCOME_PATH, asset},
    provider::Provider,
    server::Issuance,
};

/// All routes of the public listener.
pub(crate) fn router(issuance: Arc<Issuance>, provider: Arc<Provider>) -> Router {
    Router::new()
        .route(OIDC_DISCOVERY_PATH, get(discovery::openid_configuration))
        .route(OAUTH_DISCOVERY_PATH, get(discovery::authorization_server))
        .route(JWKS_PATH, get(jwks::key_set))
        .route(REVOCATIONS_PATH, get(revocations::feed))
        // The routes before this line, and no others, are for pages of registered origins too.
        .layer(cors::registered_origins(&issuance))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .with_state(issuance)
        .merge(people(provider))
        .layer(CatchPanicLayer::custom(panicked))
}

/// The routes that sign people in, and so wait for the database.
fn people(provider: Arc<Provider>) -> Router {
    let assets = asset::router(Arc::clone(&provider.site));
    Router::new()
        .route(TOKEN_PATH, post(token::token))
        // For pages of registered origins too, as the documents above.
        .layer(cors::registered_origins(&provider.issuance))
        .route(PAR_PATH, post(par::par))
        .merge(tokens::router(&provider.issuance))
        .merge(authorize::router())
        .merge(log_out::router())
        .merge(first_party::router().layer(cors::registered_origins(&provider.issuance)))
        .route(WELCOME_PATH, get(welcome::show).post(welcome::choose))
        .with_state(provider)
        .merge(assets)
}

/// What a layer makes of a panic.
#[expect(clippy::needless_pass_by_value, reason = "the layer gives it away")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    internal_error(&*panic)
}

/// A panic is the answer to one request only, and tells nothing (S-105).
fn internal_error(panic: &(dyn Any + Send)) -> Response<Body> {
    let message =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(message = message.unwrap_or("not a text"), "a request panicked");
    let mut response = Response::new(Body::from(r#"{"error":"server_error"}"#));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, answer::JSON);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-105
    #[test]
    fn a_panic_tells_nothing() {
        let response = internal_error(&"the secret is 42");
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }
}
