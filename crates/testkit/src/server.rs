use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing,
};
use claviger_jose::base64url;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::Fault;

pub(crate) const JWKS_PATH: &str = "/.well-known/jwks.json";

/// What the endpoints answer, and what they have seen.
pub(crate) struct Publication {
    pub(crate) issuer: String,
    pub(crate) fetches: watch::Sender<usize>,
    pub(crate) metadata_fetches: watch::Sender<usize>,
    told: Mutex<Told>,
}

pub(crate) struct Told {
    pub(crate) jwks: String,
    pub(crate) cache_control: String,
    pub(crate) fault: Option<Fault>,
}

impl Publication {
    pub(crate) fn new(issuer: String, jwks: String) -> Self {
        let told = Told { jwks, cache_control: "public, max-age=300".to_owned(), fault: None };
        let (fetches, metadata_fetches) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { issuer, fetches, metadata_fetches, told: Mutex::new(told) }
    }

    /// A test that panicked elsewhere does not silence the issuer.
    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn router(publication: Arc<Publication>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", routing::get(metadata))
        .route("/.well-known/oauth-authorization-server", routing::get(metadata))
        .route(JWKS_PATH, routing::get(jwks))
        .with_state(publication)
}

/// Serves until it is dropped; then every open connection is closed as well, as by a crash.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let service = TowerToHyperService::new(router);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                    connections.spawn(connection);
                }
            }
            Some(_closed) = connections.join_next() => {}
        }
    }
}

async fn metadata(State(publication): State<Arc<Publication>>) -> Json<Value> {
    publication.metadata_fetches.send_modify(|count| *count += 1);
    let issuer = &publication.issuer;
    let claimed = match publication.told().fault {
        Some(Fault::ContradictingIssuer) => "https://another-issuer.test",
        _ => issuer.as_str(),
    };
    Json(json!({
        "issuer": claimed,
        "jwks_uri": format!("{issuer}{JWKS_PATH}"),
        "token_endpoint": format!("{issuer}/oauth2/token"),
    }))
}

async fn jwks(State(publication): State<Arc<Publication>>, request: HeaderMap) -> Response {
    publication.fetches.send_modify(|count| *count += 1);
    let (mut set, cache_control, fault) = {
        let told = publication.told();
        (told.jwks.clone(), told.cache_control.clone(), told.fault.clone())
    };
    if let Some(fault) = fault {
        if let Some(answer) = fault.answer(&set).await {
            return answer;
        }
        set = fault.false_set(&set).unwrap_or(set);
    }
    let hash = digest::digest(&digest::SHA256, set.as_bytes());
    let etag = format!("\"{}\"", base64url::encode(hash.as_ref()));
    let caching = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, cache_control)];
    if request.get(header::IF_NONE_MATCH).is_some_and(|held| held.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, "application/jwk-set+json")], set).into_response()
}
