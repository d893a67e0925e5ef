use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use claviger_jose::Algorithm;
use claviger_oauth::Subject;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Body, Refused},
    state::Control,
};
use crate::{Tamper, TestToken};

/// A token that somebody wants. Nothing is checked that can be wrong on purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    audience: String,
    scope: Option<String>,
    user: Option<String>,
    sub: Option<String>,
    client_id: Option<String>,
    expires_in: Option<u64>,
    alg: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    header: Map<String, Value>,
}

pub(super) async fn token(State(control): State<Arc<Control>>, Body(wanted): Body<Wanted>) -> Answer {
    let token = wanted.of(&control)?;
    let key = token.key();
    Ok(Json(json!({ "access_token": token.sign_with(key), "kid": key.kid(), "alg": key.alg() })))
}

pub(super) async fn tampered(
    State(control): State<Arc<Control>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer {
    let token = from_query(wanted)?.of(&control)?;
    let all: Vec<Value> = Tamper::all().iter().map(|tamper| told(tamper, &token)).collect();
    Ok(Json(all.into()))
}

pub(super) async fn tampered_by_name(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer {
    let tamper = Tamper::named(&name).ok_or_else(|| {
        Refused::not_found(format!("no forgery has the name {name:?}; /control/tampered has all"))
    })?;
    Ok(Json(told(&tamper, &from_query(wanted)?.of(&control)?)))
}

fn from_query(wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Wanted, Refused> {
    wanted.map(|Query(wanted)| wanted).map_err(|rejection| Refused::bad_request(rejection.body_text()))
}

fn told(tamper: &Tamper, token: &TestToken) -> Value {
    json!({ "name": tamper.name(), "attack": tamper.attack(), "token": tamper.apply(token) })
}

impl Wanted {
    fn of(self, control: &Control) -> Result<TestToken, Refused> {
        let mut token = control.issuer.token(&self.audience);
        if let Some(alg) = &self.alg {
            token = token.alg(algorithm(control, alg)?);
        }
        if let Some(user) = &self.user {
            let no_such = || Refused::not_found(format!("no user has the id {user:?}"));
            let claims = control.user(user).ok_or_else(no_such)?;
            let subject = Subject::user(user).map_err(|error| Refused::bad_request(error.to_string()))?;
            token = with_claims(token.sub(subject.as_str()), claims);
        }
        token = self.sub.iter().fold(token, |token, sub| token.sub(sub));
        token = self.scope.iter().fold(token, |token, scope| token.scope(scope));
        token = self.client_id.iter().fold(token, |token, client_id| token.client_id(client_id));
        token = self.expires_in.iter().fold(token, |token, seconds| token.expires_in(*seconds));
        token = with_claims(token, self.claims);
        token = self.without.iter().fold(token, |token, name| token.without(name));
        Ok(self.header.into_iter().fold(token, |token, (name, value)| token.header(&name, value)))
    }
}

fn with_claims(token: TestToken, claims: Map<String, Value>) -> TestToken {
    claims.into_iter().fold(token, |token, (name, value)| token.claim(&name, value))
}

/// An algorithm that the issuer signs with.
fn algorithm(control: &Control, name: &str) -> Result<Algorithm, Refused> {
    let alg: Algorithm = name.parse().map_err(|_| Refused::bad_request("alg is ES256 or RS256"))?;
    let signs = control.issuer.shared().active_keys().iter().any(|key| key.alg() == alg);
    signs.then_some(alg).ok_or_else(|| Refused::conflict(format!("the issuer has no active {alg} key")))
}
