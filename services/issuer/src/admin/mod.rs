//! What operators are listened to for, on an address of its own.
//!
//! The admin API is a resource server like others: its audience is the issuer with `/admin`, and what a token may do
//! stands in its scopes. In reading order: `scopes` names it, `ENDPOINTS` is its table, `guard` lets a request in,
//! `problem` refuses one, and each endpoint has a file. `observe` is what can be looked at without a token: the `status`
//! page and the `metrics`.

mod audit;
mod body;
mod desk;
mod fleet;
mod guard;
mod keys;
mod metrics;
mod observe;
mod problem;
mod request_id;
mod revocations;
mod scopes;
mod status;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodFilter, MethodRouter, get, on},
};
use claviger_verifier::StaticScope;
use http::Method;
use tower_http::catch_panic::CatchPanicLayer;

pub use self::scopes::{SCOPES, audience, resource_server};
use self::{
    desk::Desk,
    scopes::{
        AUDIT_READ, FLEET_READ, KEYS_READ, KEYS_REVOKE, KEYS_ROTATE, REVOCATIONS_WRITE, USERS_READ,
        USERS_WRITE,
    },
};
use crate::{
    keys::Vault,
    provider::Provider,
    routes::{health, panicked},
    server::Issuance,
};

pub(crate) use self::scopes::PATH;

/// One endpoint of the admin API. There is none without a scope.
struct Endpoint {
    method: Method,
    path: &'static str,
    scope: StaticScope,
    handler: fn(MethodFilter) -> MethodRouter<Desk>,
}

/// All endpoints of the admin API.
static ENDPOINTS: [Endpoint; 10] = [
    Endpoint {
        method: Method::GET,
        path: "/admin/v1/keys",
        scope: KEYS_READ,
        handler: |method| on(method, keys::list),
    },
    Endpoint {
        method: Method::POST,
        path: "/admin/v1/keys/rotate",
        scope: KEYS_ROTATE,
        handler: |method| on(method, keys::rotate),
    },
    Endpoint {
        method: Method::POST,
        path: "/admin/v1/keys/{kid}/revoke",
        scope: KEYS_REVOKE,
        handler: |method| on(method, keys::revoke),
    },
    Endpoint {
        method: Method::POST,
        path: "/admin/v1/revocations",
        scope: REVOCATIONS_WRITE,
        handler: |method| on(method, revocations::revoke),
    },
    Endpoint {
        method: Method::GET,
        path: "/admin/v1/fleet",
        scope: FLEET_READ,
        handler: |method| on(method, fleet::show),
    },
    Endpoint {
        method: Method::GET,
        path: "/admin/v1/audit",
        scope: AUDIT_READ,
        handler: |method| on(method, audit::list),
    },
    Endpoint {
        method: Method::GET,
        path: "/admin/v1/users",
        scope: USERS_READ,
        handler: |method| on(method, users::list),
    },
    Endpoint {
        method: Method::POST,
        path: "/admin/v1/users",
        scope: USERS_WRITE,
        handler: |method| on(method, users::add),
    },
    Endpoint {
        method: Method::GET,
        path: "/admin/v1/users/{id}",
        scope: USERS_READ,
        handler: |method| on(method, users::show),
    },
    Endpoint {
        method: Method::PATCH,
        path: "/admin/v1/users/{id}",
        scope: USERS_WRITE,
        handler: |method| on(method, users::change),
    },
];

/// The table of the admin API: method, path and the scope that it takes.
pub fn endpoints() -> impl Iterator<Item = (&'static Method, &'static str, StaticScope)> {
    ENDPOINTS.iter().map(|Endpoint { method, path, scope, .. }| (method, *path, *scope))
}

/// All routes of the operators' listener.
pub(crate) fn router(provider: Arc<Provider>, vault: Arc<Vault>) -> Router {
    let issuance = Arc::clone(&provider.issuance);
    let desk = Desk::new(provider, vault);
    open_routes()
        .with_state(issuance)
        .merge(api(desk))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(request_id::give))
}

/// What needs no token: whoever reaches this listener may look.
fn open_routes() -> Router<Arc<Issuance>> {
    Router::new()
        .route("/", get(observe::status))
        .route("/metrics", get(observe::metrics))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
}

fn api(desk: Desk) -> Router {
    let mut router = Router::new();
    for Endpoint { method, path, scope, handler } in &ENDPOINTS {
        let method = MethodFilter::try_from(method.clone()).expect("a method of the standard");
        let guard = from_fn_with_state((desk.clone(), *scope), guard::admit);
        router = router.route(path, handler(method).layer(guard));
    }
    router.with_state(desk)
}
