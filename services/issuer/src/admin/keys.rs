//! The signing keys: what there is, and rotation and revocation by an operator.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{Keyring, ManagedKey, Step};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_MATCH},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    body,
    desk::Desk,
    guard::Caller,
    problem::{Problem, done},
};
use crate::{
    keys::{Opened, Taken},
    witnesses::last_served,
};

const NOTHING: &str = "nothing was changed: try again";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// Both algorithms, if none is named.
    alg: Option<String>,
}

/// Every key with its state, and what will be done next. The entity tag is what a rotation must name.
pub(super) async fn list(State(desk): State<Desk>) -> Result<Response, Problem> {
    let _reading = desk.reading().await?;
    let opened = open(&desk).await?;
    let mut response = done(described(&opened, &desk));
    let tag = HeaderValue::from_str(&format!("\"{}\"", opened.revision));
    response.headers_mut().insert(ETAG, tag.expect("a number in quotes is a header value"));
    Ok(response)
}

/// Rotates ahead of the period, if the keys are still as the operator has seen them.
pub(super) async fn rotate(
    Caller(actor): Caller,
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let seen = revision(&headers)?;
    let Rotate { alg } = body::read(&headers, body).await?;
    let algs = match alg {
        Some(alg) => vec![alg.parse().map_err(|_| Problem::bad_request("`alg` must be RS256 or ES256"))?],
        None => Algorithm::ALL.to_vec(),
    };
    let _turn = desk.turn.lock().await;
    match desk.rotation(actor).rotate_now(&algs, Some(seen)).await {
        Ok(Taken::Steps(steps)) => Ok(changed(&desk, &steps)),
        Ok(Taken::Nothing | Taken::AlreadyRotated) => {
            Err(refused(Problem::conflict("changed", NOTHING), &desk))
        }
        Err(error) => Err(with_state(refused(error.into(), &desk), &desk).await),
    }
}

/// Declares a key dead.
pub(super) async fn revoke(
    Caller(actor): Caller,
    State(desk): State<Desk>,
    Path(kid): Path<String>,
) -> Result<Response, Problem> {
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "unknown_key", "a kid is a thumbprint of 43 characters");
    let kid: Kid = kid.parse().map_err(|_| unknown())?;
    let _turn = desk.turn.lock().await;
    match desk.rotation(actor).revoke(kid).await.map_err(|error| refused(error.into(), &desk))? {
        Taken::Steps(steps) => Ok(changed(&desk, &steps)),
        Taken::Nothing | Taken::AlreadyRotated => Err(refused(Problem::conflict("changed", NOTHING), &desk)),
    }
}

/// Counts a refusal by its code.
fn refused(problem: Problem, desk: &Desk) -> Problem {
    desk.issuance.counters.steps.add(problem.code());
    problem
}

fn changed(desk: &Desk, steps: &[Step]) -> Response {
    desk.issuance.changed.notify_one();
    done(json!({ "steps": steps.iter().map(step).collect::<Vec<_>>() }))
}

/// The revision that an operator has seen (RFC 9110 section 13.1.1). `*` would be whatever there is.
fn revision(headers: &HeaderMap) -> Result<u64, Problem> {
    let mut tags = headers.get_all(IF_MATCH).iter();
    let (Some(tag), None) = (tags.next(), tags.next()) else {
        let detail =
            "say in If-Match which revision of the keys you have seen: the ETag of GET /admin/v1/keys";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail));
    };
    let number = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    number.ok_or_else(|| Problem::bad_request("If-Match must be one revision in quotes"))
}

async fn with_state(problem: Problem, desk: &Desk) -> Problem {
    match open(desk).await {
        Ok(opened) => problem.with("state", described(&opened, desk)),
        Err(_) => problem,
    }
}

async fn open(desk: &Desk) -> Result<Opened, Problem> {
    let snapshot = desk.store.load_keys().await?;
    let (vault, held) = (Arc::clone(&desk.vault), desk.issuance.keys.load_full());
    let opened = tokio::task::spawn_blocking(move || vault.open(&snapshot, held.signers())).await;
    opened.map_err(|_| Problem::internal())
}

fn described(opened: &Opened, desk: &Desk) -> Value {
    let Opened { revision, keyring, unvouched, verify_only, .. } = opened;
    let keys: Vec<_> = keyring.keys().iter().map(key).collect();
    let unvouched: Vec<_> = unvouched.iter().map(|key| key.jwk.kid().as_str()).collect();
    json!({
        "revision": revision,
        "keys": keys,
        "next": next(keyring, desk),
        "unvouched": unvouched,
        "verify_only": verify_only,
    })
}

fn key(key: &ManagedKey) -> Value {
    let ManagedKey { jwk, state } = key;
    json!({
        "kid": jwk.kid(),
        "alg": jwk.alg(),
        "state": state.name(),
        "since": state.since(),
        "until": state.until(),
    })
}

fn next(keyring: &Keyring, desk: &Desk) -> Option<Value> {
    let policy = &desk.issuance.config.policy;
    let (at, due) = keyring.next_due(policy, last_served(desk.issuance.witnesses.load().serving))?;
    Some(json!({ "at": at, "step": step(&due) }))
}

fn step(step: &Step) -> Value {
    match step {
        Step::Create { alg, active } => json!({ "act": "create", "alg": alg, "active": active }),
        Step::Activate { kid, .. } => json!({ "act": "activate", "kid": kid }),
        Step::Remove { kid } => json!({ "act": "remove", "kid": kid }),
        Step::Revoke { kid } => json!({ "act": "revoke", "kid": kid }),
    }
}
