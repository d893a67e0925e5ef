//! Who holds what.

use axum::{extract::State, response::Response};
use claviger_jose::Algorithm;
use claviger_keyring::{FleetView, Witness};
use claviger_store::{Replica, SeenVerifier};
use serde_json::{Value, json};

use super::{
    desk::Desk,
    problem::{Problem, done},
};
use crate::witnesses::Witnesses;

/// The replicas and the verifiers that were heard of lately, and who of them lacks a key that is to sign next.
pub(super) async fn show(State(desk): State<Desk>) -> Result<Response, Problem> {
    let _reading = desk.reading().await?;
    let policy = &desk.issuance.config.policy;
    let witnesses = Witnesses::load(&desk.store, policy).await?;
    let now = desk.store.now().await?;
    let view = witnesses.view(policy, now);
    let keys = desk.issuance.keys.load();
    let prepared = Algorithm::ALL.into_iter().filter_map(|alg| keys.keyring.prepared(alg));
    let prepared = prepared.map(|key| {
        let kid = *key.jwk.kid();
        json!({
            "kid": kid,
            "alg": key.jwk.alg(),
            "known_to_all": view.have_learned(kid, policy, now),
            "replicas_without": names(view.replicas_without(kid, policy, now)),
            "verifiers_without": names(view.verifiers_without(kid, policy, now)),
        })
    });
    let prepared: Vec<_> = prepared.collect();
    Ok(done(shown(&witnesses, &view, &prepared)))
}

fn shown(witnesses: &Witnesses, view: &FleetView, prepared: &[Value]) -> Value {
    json!({
        "replicas": witnesses.replicas.iter().map(replica).collect::<Vec<_>>(),
        "verifiers": witnesses.verifiers.iter().map(verifier).collect::<Vec<_>>(),
        "incomplete": view.incomplete,
        "prepared": prepared,
    })
}

fn replica(Replica { said, seen }: &Replica) -> Value {
    json!({
        "replica": said.replica,
        "place": said.place,
        "seen": seen,
        "keys": said.keys,
        "sequence": said.sequence,
        "version": said.version,
        "refusal": said.refusal,
    })
}

fn verifier(SeenVerifier { said, seen }: &SeenVerifier) -> Value {
    json!({
        "audience": said.audience,
        "instance": said.instance,
        "seen": seen,
        "keys": said.keys,
        "sequence": said.sequence,
        "version": said.version,
    })
}

fn names<'w>(witnesses: impl Iterator<Item = &'w Witness>) -> Vec<&'w str> {
    witnesses.map(|witness| witness.name.as_str()).collect()
}
