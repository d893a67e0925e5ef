use std::hint::black_box;

use anyhow::anyhow;
use axum::{Router, routing::get};
use claviger_verifier::{Principal, Refusal, Verifier};
use http::StatusCode;

use super::{Check, Contestant, route::through};
use crate::stage::{AUDIENCE, Stage, at_once};

/// All checks of RFC 9068 section 4, and those of our own.
pub(crate) fn verify(stage: &Stage) -> Check {
    let verifier = stage.verifier.clone();
    Box::new(move |presented| verdict(at_once(verifier.verify(&presented.token))?))
}

/// The same, from the head of a request: exactly one token.
pub(crate) fn authenticate(stage: &Stage) -> Check {
    let verifier = stage.verifier.clone();
    Box::new(move |presented| verdict(at_once(verifier.authenticate(&presented.parts))?))
}

/// The same by a verifier that remembers: each token after its first time.
pub(crate) fn remember(stage: &Stage) -> anyhow::Result<Check> {
    let verifier = Verifier::with_keys(stage.verifier.keys().clone(), AUDIENCE).cache(1024).build()?;
    Ok(Box::new(move |presented| verdict(at_once(verifier.verify(&presented.token))?)))
}

fn verdict(judged: Result<Principal, Refusal>) -> anyhow::Result<()> {
    judged.map(|principal| drop(black_box(principal))).map_err(|refusal| anyhow!("{refusal}"))
}

/// A handler that takes a [`Principal`].
pub(crate) fn route(stage: &Stage) -> Check {
    async fn whoami(principal: Principal) -> StatusCode {
        black_box(principal);
        StatusCode::OK
    }
    through(Router::new().route("/", get(whoami)).with_state(stage.verifier.clone()))
}

/// What axum costs without any guard: the floor.
pub(crate) fn open_route() -> Contestant {
    async fn open() -> StatusCode {
        StatusCode::OK
    }
    Contestant::new("an open route, the floor", through(Router::<()>::new().route("/", get(open))))
}
