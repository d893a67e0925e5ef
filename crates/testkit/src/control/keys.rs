use std::sync::Arc;

use axum::{Json, extract::State};
use claviger_jose::{Algorithm, InvalidKid, Kid};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Refused},
    state::Control,
};
use crate::rotation::{Impossible, Keys};

/// Whose turn it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfAlgorithm {
    alg: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfKid {
    kid: String,
}

pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<Value> {
    let keys = control.issuer.keys().into_iter();
    Json(keys.map(|(state, key)| json!({ "kid": key.kid(), "alg": key.alg(), "state": state })).collect())
}

pub(super) async fn publish_next(control: State<Arc<Control>>, of: Body<OfAlgorithm>) -> Answer {
    change(control, of, |keys, alg| {
        keys.publish_next(alg);
        Ok(())
    })
    .await
}

pub(super) async fn promote(control: State<Arc<Control>>, of: Body<OfAlgorithm>) -> Answer {
    let now = control.issuer.shared().clock.now();
    change(control, of, |keys, alg| keys.promote(alg, now).map(|_| ())).await
}

pub(super) async fn retire(control: State<Arc<Control>>, of: Body<OfAlgorithm>) -> Answer {
    change(control, of, |keys, alg| keys.retire(alg).map(|_| ())).await
}

pub(super) async fn revoke(State(control): State<Arc<Control>>, Body(of): Body<OfKid>) -> Answer {
    let kid: Kid = of.kid.parse().map_err(|error: InvalidKid| Refused::bad_request(error.to_string()))?;
    let now = control.issuer.shared().clock.now();
    control.issuer.try_change(|keys| keys.revoke(&kid, now)).map_err(Refused::conflict)?;
    Ok(list(State(control)).await)
}

/// Answers with the keys as they are then.
async fn change(
    State(control): State<Arc<Control>>,
    Body(of): Body<OfAlgorithm>,
    step: impl FnOnce(&mut Keys, Algorithm) -> Result<(), Impossible>,
) -> Answer {
    let alg = of.alg.parse().map_err(|_| Refused::bad_request("alg is ES256 or RS256"))?;
    control.issuer.try_change(|keys| step(keys, alg)).map_err(Refused::conflict)?;
    Ok(list(State(control)).await)
}
