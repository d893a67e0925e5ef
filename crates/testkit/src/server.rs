use std::{io, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, Response, StatusCode, header},
    response::IntoResponse,
    routing,
};
use claviger_jose::{VerifierReport, base64url};
use claviger_oauth::{JWKS_PATH, OAUTH_DISCOVERY_PATH, OIDC_DISCOVERY_PATH, REVOCATIONS_PATH, TOKEN_PATH};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt;

use crate::{
    Endpoint, Fault, SeenRequest,
    fault::CloseConnection,
    shared::{Shared, State},
    token_endpoint,
};

/// The endpoints, under the issuer's path where it has one.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let prefix = path_of(&shared.base);
    let places = [
        (format!("{prefix}{OIDC_DISCOVERY_PATH}"), Endpoint::Metadata),
        (format!("{OAUTH_DISCOVERY_PATH}{prefix}"), Endpoint::Metadata),
        (format!("{prefix}{JWKS_PATH}"), Endpoint::KeySet),
        (format!("{prefix}{REVOCATIONS_PATH}"), Endpoint::Revocations),
        (format!("{prefix}{TOKEN_PATH}"), Endpoint::Token),
    ];
    places.into_iter().fold(Router::new(), |router, (path, endpoint)| {
        let shared = Arc::clone(shared);
        router.route(
            &path,
            routing::any(async move |request: Request| answer(&shared, endpoint, request).await),
        )
    })
}

/// The same, and a note of what was asked for in vain.
pub(crate) fn whole_router(shared: &Arc<Shared>) -> Router {
    let owned = Arc::clone(shared);
    router(shared).fallback(async move |request: Request| answer(&owned, Endpoint::Elsewhere, request).await)
}

/// Serves until it is dropped; then every open connection is closed as well, as by a crash.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let router = router.clone();
                    let service = service_fn(move |request| whole_answer(router.clone(), request));
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    connections.spawn(connection);
                } else {
                    // Out of file descriptors: there will be some when connections end.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Some(_closed) = connections.join_next() => {}
        }
    }
}

async fn whole_answer(
    router: Router,
    request: hyper::Request<hyper::body::Incoming>,
) -> io::Result<Response<Body>> {
    let response = router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {});
    match response.extensions().get::<CloseConnection>() {
        Some(CloseConnection) => Err(io::ErrorKind::ConnectionAborted.into()),
        None => Ok(response),
    }
}

/// Every request is noted when it comes, and goes through the fault of its endpoint.
async fn answer(shared: &Arc<Shared>, endpoint: Endpoint, request: Request) -> Response<Body> {
    let conditional = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];
    let reports = request.headers().get_all(VerifierReport::HEADER).iter();
    let verifier = reports.filter_map(|line| line.to_str().ok()).map(str::to_owned).collect();
    let number = shared.log.arrived(SeenRequest {
        endpoint,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        conditional: conditional.iter().any(|name| request.headers().contains_key(name)),
        verifier,
        status: None,
        at: shared.clock.now(),
        since_start: Duration::ZERO,
    });
    let fault = shared.state().fault(endpoint).cloned();
    let right = async |request| right_answer(shared, endpoint, request).await;
    let response = match fault {
        Some(fault) => fault.answer(request, right).await,
        None => right(request).await,
    };
    if response.extensions().get::<CloseConnection>().is_none() {
        shared.log.answered(number, response.status().as_u16());
    }
    response
}

async fn right_answer(shared: &Arc<Shared>, endpoint: Endpoint, request: Request) -> Response<Body> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match endpoint {
        Endpoint::Metadata if reads => metadata(shared),
        Endpoint::KeySet if reads => key_set(&shared.state(), request.headers()),
        Endpoint::Revocations if reads => revocations(shared, request.headers()),
        Endpoint::Token if request.method() == Method::POST => token_endpoint::token(shared, request).await,
        Endpoint::Elsewhere => StatusCode::NOT_FOUND.into_response(),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// RFC 8414 section 2, and what OpenID Connect Discovery section 3 requires in addition.
fn metadata(shared: &Shared) -> Response<Body> {
    let issuer = match shared.state().fault(Endpoint::Metadata) {
        Some(Fault::ContradictingIssuer) => "https://another-issuer.test",
        _ => &shared.url,
    };
    let base = &shared.base;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{base}{JWKS_PATH}"),
        "revocations_uri": format!("{base}{REVOCATIONS_PATH}"),
        "token_endpoint": format!("{base}{TOKEN_PATH}"),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "subject_types_supported": ["public"],
    }))
    .into_response()
}

/// RFC 7517 section 5, with a strong validator (RFC 9110 section 8.8.1).
fn key_set(state: &State, request: &HeaderMap) -> Response<Body> {
    let (set, age) = state.served_jwks();
    let mut response = document(set, "application/jwk-set+json", &state.cache_control, request);
    if let Some(age) = age {
        response.headers_mut().insert(header::AGE, age.into());
    }
    response
}

/// The statement as it is, and not again to who has it.
fn revocations(shared: &Shared, request: &HeaderMap) -> Response<Body> {
    let now = shared.clock.now();
    let mut state = shared.state();
    match state.statement(&shared.url, now) {
        Some(statement) => {
            document(statement, "application/revocations+jwt", &state.feed.cache_control, request)
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn document(
    text: String,
    media_type: &'static str,
    cache_control: &str,
    request: &HeaderMap,
) -> Response<Body> {
    let etag = format!("\"{}\"", tag_of(&text));
    let caching = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, cache_control.to_owned())];
    let held = request.get(header::IF_NONE_MATCH);
    if held.is_some_and(|held| held.as_bytes() == etag.as_bytes()) {
        (StatusCode::NOT_MODIFIED, caching).into_response()
    } else {
        (caching, [(header::CONTENT_TYPE, media_type)], text).into_response()
    }
}

/// The entity tag of a document, without quotes.
pub(crate) fn tag_of(text: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// The path of a URL, without a trailing slash; empty if it has none.
fn path_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + "://".len());
    url[authority..].find('/').map_or("", |at| url[authority + at..].trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_issuer_is_what_follows_its_host() {
        for (url, path) in [
            ("http://127.0.0.1:1", ""),
            ("https://id.fleet.test/", ""),
            ("https://id.fleet.test/a/b", "/a/b"),
            ("https://id.fleet.test/a/", "/a"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
