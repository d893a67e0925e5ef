//! What a token is bound to, and what the request proves.

use claviger_testkit::TestKey;
use claviger_verifier::{ClientCertificate, Dpop};
use serde_json::{Value, json};

use crate::{Bench, Proof, request};

const HOLDER: fn() -> &'static TestKey = TestKey::es256_other;

/// What a verifier makes of a token with this `cnf` in a request with everything that could prove it.
async fn check(bench: &Bench, cnf: Option<Value>, scheme: &str, certificate: Option<&[u8]>, expected: &str) {
    let mut token = bench.token();
    if let Some(cnf) = &cnf {
        token = token.claim("cnf", cnf.clone());
    }
    let token = token.sign_with(TestKey::es256());
    let jti = format!("{cnf:?} {scheme} {certificate:?}");
    let proof = Proof::of(HOLDER(), &token, &jti).sign(HOLDER());
    let mut request = request(&format!("{scheme} {token}"), &[&proof]);
    if let Some(der) = certificate {
        request.extensions.insert(ClientCertificate::from_der(der));
    }
    assert_eq!(bench.ask(&request).await, expected, "{jti}");
}

fn by_key() -> Value {
    json!({ "jkt": HOLDER().kid() })
}

fn by_certificate() -> Value {
    json!({ "x5t#S256": ClientCertificate::from_der(b"of the client").thumbprint() })
}

fn by_both() -> Value {
    let mut both = by_key();
    both["x5t#S256"] = by_certificate()["x5t#S256"].clone();
    both
}

// S-16
#[tokio::test]
async fn every_binding_of_a_token_must_be_proven() {
    let bench = Bench::with_dpop().await;
    let (client, other) = (Some(&b"of the client"[..]), Some(&b"of another"[..]));
    check(&bench, Some(by_key()), "DPoP", None, "accepted").await;
    check(&bench, Some(by_key()), "dpop", other, "accepted").await;
    check(&bench, Some(by_key()), "Bearer", None, "sender_constrained").await;
    check(&bench, Some(by_key()), "Bearer", client, "sender_constrained").await;

    check(&bench, Some(by_certificate()), "Bearer", client, "accepted").await;
    check(&bench, Some(by_certificate()), "Bearer", None, "sender_constrained").await;
    check(&bench, Some(by_certificate()), "Bearer", other, "other_certificate").await;
    check(&bench, Some(by_certificate()), "DPoP", client, "not_sender_constrained").await;

    check(&bench, Some(by_both()), "DPoP", client, "accepted").await;
    check(&bench, Some(by_both()), "DPoP", None, "sender_constrained").await;
    check(&bench, Some(by_both()), "DPoP", other, "other_certificate").await;
    check(&bench, Some(by_both()), "Bearer", client, "sender_constrained").await;
}

// S-16
#[tokio::test]
async fn an_unbound_token_needs_no_proof_and_has_none() {
    let bench = Bench::with_dpop().await;
    check(&bench, None, "Bearer", None, "accepted").await;
    check(&bench, None, "Bearer", Some(b"of the client"), "accepted").await;
    check(&bench, None, "DPoP", None, "not_sender_constrained").await;
}

// S-16
#[tokio::test]
async fn a_binding_that_nobody_can_check_is_not_passed_over() {
    let bench = Bench::with_dpop().await;
    let mut unknown_too = by_both();
    unknown_too["x5t#S512"] = "a".into();
    for cnf in [json!({}), json!({ "jwk": {} }), unknown_too] {
        for scheme in ["DPoP", "Bearer"] {
            check(&bench, Some(cnf.clone()), scheme, Some(b"of the client"), "sender_constrained").await;
        }
    }
    for cnf in [json!(null), json!([]), json!("jkt"), json!({ "jkt": null }), json!({ "jkt": 1 })] {
        check(&bench, Some(cnf), "DPoP", None, "malformed_claims").await;
    }
    let certificate = json!({ "x5t#S256": "not a thumbprint" });
    check(&bench, Some(certificate), "Bearer", Some(b"of the client"), "other_certificate").await;
}

// S-16
#[tokio::test]
async fn a_bound_token_is_refused_where_nobody_asks_for_proofs() {
    let bench = Bench::new(|verifier| verifier).await;
    check(&bench, Some(by_key()), "Bearer", None, "sender_constrained").await;
    check(&bench, Some(by_key()), "DPoP", None, "no_token").await;
    check(&bench, Some(by_certificate()), "Bearer", None, "sender_constrained").await;
    check(&bench, None, "DPoP", None, "no_token").await;
}

// S-16
#[tokio::test]
async fn without_a_request_there_is_no_proof() {
    let bench = Bench::new(|verifier| verifier.dpop(Dpop::at("https://orders.fleet.test/"))).await;
    assert_eq!(bench.verify(&bench.token().sign_with(TestKey::es256())).await, "accepted");
    for cnf in [by_key(), by_certificate(), by_both()] {
        let token = bench.token().claim("cnf", cnf).sign_with(TestKey::es256());
        assert_eq!(bench.verify(&token).await, "sender_constrained");
    }
}
