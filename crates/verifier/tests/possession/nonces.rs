//! Nonces of the service's own (RFC 9449 section 9).

use std::time::Duration;

use claviger_testkit::TestKey;
use claviger_verifier::{Clock, Dpop, Refusal, Verifier};

use crate::{Bench, ORDERS, Proof, reason, request, verifier_of};

fn holder() -> &'static TestKey {
    TestKey::es256_other()
}

async fn bench() -> Bench {
    Bench::new(|verifier| verifier.dpop(Dpop::at(ORDERS).with_nonce())).await
}

/// What a proof with this nonce gets: an answer, and the nonce to use instead.
async fn ask(bench: &Bench, verifier: &Verifier, jti: &str, nonce: Option<&str>) -> (&'static str, String) {
    let token = bench.bound_to(holder());
    let mut proof = Proof::of(holder(), &token, jti).claim("iat", bench.clock.now().as_secs());
    if let Some(nonce) = nonce {
        proof = proof.claim("nonce", nonce);
    }
    let request = request(&format!("DPoP {token}"), &[&proof.sign(holder())]);
    let verdict = verifier.authenticate(&request).await;
    let needed = match &verdict {
        Err(refusal @ Refusal::NonceNeeded(nonce)) => {
            let answer = refusal.response();
            assert_eq!(answer.status(), 401);
            assert_eq!(answer.headers()["dpop-nonce"], nonce.as_str());
            assert_eq!(answer.body(), r#"{"error":"use_dpop_nonce"}"#);
            nonce.as_str().to_owned()
        }
        _ => String::new(),
    };
    (reason(verdict), needed)
}

// S-17
#[tokio::test]
async fn a_proof_has_the_nonce_that_the_service_asked_for() {
    let bench = bench().await;
    let (refused, nonce) = ask(&bench, &bench.verifier, "1", None).await;
    assert_eq!(refused, "proof_nonce");
    let accepted = ("accepted", String::new());
    assert_eq!(ask(&bench, &bench.verifier, "1", Some(&nonce)).await, accepted);
    assert_eq!(ask(&bench, &bench.verifier, "1", Some(&nonce)).await.0, "proof_replayed");
    for forged in ["", "nonce", &"A".repeat(43)] {
        assert_eq!(ask(&bench, &bench.verifier, "2", Some(forged)).await, ("proof_nonce", nonce.clone()));
    }
    bench.clock.advance(Duration::from_mins(5));
    assert_eq!(ask(&bench, &bench.verifier, "3", Some(&nonce)).await, accepted);
    bench.clock.advance(Duration::from_mins(5));
    let (refused, next) = ask(&bench, &bench.verifier, "4", Some(&nonce)).await;
    assert_eq!(refused, "proof_nonce");
    assert_ne!(nonce, next);
    assert_eq!(ask(&bench, &bench.verifier, "4", Some(&next)).await, accepted);
}

// S-17
#[tokio::test]
async fn with_nonces_a_proof_works_at_one_instance_only() {
    let bench = bench().await;
    let dpop = Dpop::at(ORDERS).with_nonce();
    let other = verifier_of(&bench.issuer, &bench.clock, |verifier| verifier.dpop(dpop)).await;
    let (_, nonce) = ask(&bench, &bench.verifier, "1", None).await;
    assert_eq!(ask(&bench, &other, "1", Some(&nonce)).await.0, "proof_nonce");
    assert_eq!(ask(&bench, &bench.verifier, "1", Some(&nonce)).await.0, "accepted");
}

/// Whoever has no good proof learns nothing that is meant for the holder.
// S-17
#[tokio::test]
async fn a_nonce_is_told_to_the_holder_of_the_key() {
    let bench = bench().await;
    let token = bench.bound_to(holder());
    let thief = TestKey::es256();
    let stolen = Proof::of(thief, &token, "1").sign(thief);
    assert_eq!(bench.ask(&request(&format!("DPoP {token}"), &[&stolen])).await, "proof_other_token");
}
