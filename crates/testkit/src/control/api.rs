use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Refused},
    arguments::{ClientArgument, UserArgument},
    fault, keys,
    state::Control,
    token,
};

/// The route table of the control API.
pub(super) fn router(control: Arc<Control>) -> Router {
    let routes = Router::new()
        .route("/token", post(token::token))
        .route("/tampered", get(token::tampered))
        .route("/tampered/{name}", get(token::tampered_by_name))
        .route("/keys", get(keys::list))
        .route("/keys/publish-next", post(keys::publish_next))
        .route("/keys/promote", post(keys::promote))
        .route("/keys/retire", post(keys::retire))
        .route("/keys/revoke", post(keys::revoke))
        .route("/faults", get(fault::list))
        .route("/fault", post(fault::begin).delete(fault::heal))
        .route("/stop", post(stop))
        .route("/restart", post(restart))
        .route("/requests", get(requests))
        .route("/clock", get(clock).post(advance))
        .route("/clients", post(register))
        .route("/users", post(enrol));
    Router::new().nest("/control", routes).fallback(nowhere).with_state(control)
}

async fn nowhere() -> Refused {
    Refused::not_found("no such path; claviger-testkit serve --help has all")
}

async fn stop(State(control): State<Arc<Control>>) -> Json<Value> {
    control.issuer.stop().await;
    Json(json!({ "serving": false }))
}

async fn restart(State(control): State<Arc<Control>>) -> Answer {
    control.issuer.stop().await;
    control.issuer.try_restart().await.map_err(|error| Refused::conflict(error.to_string()))?;
    Ok(Json(json!({ "serving": true })))
}

async fn requests(State(control): State<Arc<Control>>) -> Json<Value> {
    let issuer = &control.issuer;
    Json(json!({
        "fetches": issuer.fetches(),
        "metadata_fetches": issuer.metadata_fetches(),
        "token_requests": issuer.token_requests(),
        "requests": issuer.requests(),
    }))
}

async fn clock(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(json!({ "now": control.issuer.shared().clock.now() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u32,
}

async fn advance(State(control): State<Arc<Control>>, Body(by): Body<Advance>) -> Json<Value> {
    control.clock.advance(Duration::from_secs(by.advance_seconds.into()));
    clock(State(control)).await
}

async fn register(State(control): State<Arc<Control>>, Body(client): Body<ClientArgument>) -> Json<Value> {
    let told = json!({ "id": client.id, "audience": client.audience, "scope": client.scope });
    control.register(client);
    Json(told)
}

async fn enrol(State(control): State<Arc<Control>>, Body(user): Body<UserArgument>) -> Json<Value> {
    let told = json!({ "id": user.id, "claims": user.claims });
    control.enrol(user);
    Json(told)
}
