//! A proof is taken once (RFC 9449 section 11.1).

use std::{sync::Arc, time::Duration};

use claviger_testkit::TestKey;
use claviger_verifier::{Clock, Dpop, Refusal, Verifier};
use serde_json::json;

use crate::{Bench, NOW, ORDERS, Proof, reason, request, verifier_of};

fn holder() -> &'static TestKey {
    TestKey::es256_other()
}

// S-17
#[tokio::test]
async fn a_proof_is_accepted_once() {
    let bench = Bench::with_dpop().await;
    let token = bench.bound_to(holder());
    let ask = async |proof: &str| bench.ask(&request(&format!("DPoP {token}"), &[proof])).await;
    let proof = Proof::of(holder(), &token, "1");
    let signed = proof.sign(holder());
    assert_eq!(ask(&signed).await, "accepted");
    assert_eq!(ask(&signed).await, "proof_replayed");
    // ECDSA signs the same thing in many ways: it is the name that counts, not the text.
    let signed_again = proof.sign(holder());
    assert_ne!(signed, signed_again);
    assert_eq!(ask(&signed_again).await, "proof_replayed");
    bench.clock.advance(Duration::from_secs(59));
    assert_eq!(ask(&signed).await, "proof_replayed");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&signed).await, "proof_stale");
}

// S-17
#[tokio::test]
async fn the_names_of_one_holder_do_not_use_up_those_of_another() {
    let bench = Bench::with_dpop().await;
    for holder in [TestKey::es256(), TestKey::es256_other(), TestKey::rs256()] {
        let token = bench.bound_to(holder);
        let proof = Proof::of(holder, &token, "1").sign(holder);
        assert_eq!(bench.ask(&request(&format!("DPoP {token}"), &[&proof])).await, "accepted");
    }
}

// S-17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_identical_proofs_at_once_one_is_accepted() {
    let bench = Bench::with_dpop().await;
    for round in 0..20 {
        let token = bench.bound_to(holder());
        let proof = Proof::of(holder(), &token, &format!("round-{round}")).sign(holder());
        let barrier = Arc::new(tokio::sync::Barrier::new(4));
        let asked: Vec<_> = (0..4)
            .map(|_| {
                let (verifier, barrier): (Verifier, _) = (bench.verifier.clone(), Arc::clone(&barrier));
                let request = request(&format!("DPoP {token}"), &[&proof]);
                tokio::spawn(async move {
                    barrier.wait().await;
                    reason(verifier.authenticate(&request).await)
                })
            })
            .collect();
        let mut reasons = Vec::new();
        for asked in asked {
            reasons.push(asked.await.unwrap());
        }
        reasons.sort_unstable();
        assert_eq!(reasons, ["accepted", "proof_replayed", "proof_replayed", "proof_replayed"]);
    }
}

/// The documented limit: what another instance has seen, an instance does not know.
// S-17
#[tokio::test]
async fn proofs_are_remembered_per_instance() {
    let bench = Bench::with_dpop().await;
    let other = verifier_of(&bench.issuer, &bench.clock, |verifier| verifier.dpop(Dpop::at(ORDERS))).await;
    let token = bench.bound_to(holder());
    let proof = Proof::of(holder(), &token, "1").sign(holder());
    let request = request(&format!("DPoP {token}"), &[&proof]);
    assert_eq!(bench.ask(&request).await, "accepted");
    assert_eq!(reason(other.authenticate(&request).await), "accepted");
    assert_eq!(reason(other.authenticate(&request).await), "proof_replayed");
}

// S-17
#[tokio::test]
async fn a_full_memory_refuses_and_does_not_forget() {
    let bench = Bench::new(|verifier| verifier.dpop(Dpop::at(ORDERS).remember(16))).await;
    let token = bench.bound_to(holder());
    let ask = async |jti: &str, iat: u64| {
        let proof = Proof::of(holder(), &token, jti).claim("iat", iat).sign(holder());
        let verdict = bench.verifier.authenticate(&request(&format!("DPoP {token}"), &[&proof])).await;
        let answer = verdict.as_ref().err().map(Refusal::response);
        let retry = answer.as_ref().and_then(|answer| answer.headers().get("retry-after"));
        let retry = retry.map(|value| value.to_str().unwrap().to_owned());
        (reason(verdict), answer.map_or(200, |answer| answer.status().as_u16()), retry)
    };
    assert_eq!(ask("1", NOW).await, ("accepted", 200, None));
    assert_eq!(ask("2", NOW - 30).await, ("accepted", 200, None));
    for _ in 0..3 {
        assert_eq!(ask("3", NOW).await, ("busy", 503, Some("30".to_owned())));
    }
    assert_eq!(ask("1", NOW).await.0, "proof_replayed");
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(ask("3", NOW + 30).await.0, "accepted");
    assert_eq!(ask("4", NOW + 30).await, ("busy", 503, Some("30".to_owned())));
}

/// Whoever fills the memory, with as many keys as it likes, fills its own share.
// S-17
#[tokio::test]
async fn one_client_cannot_push_the_others_out() {
    let bench = Bench::new(|verifier| verifier.dpop(Dpop::at(ORDERS).remember(64))).await;
    let ask = async |client: &str, holder: &TestKey, jti: u32| {
        let token = bench.token().client_id(client).claim("cnf", json!({ "jkt": holder.kid() }));
        let token = token.sign_with(TestKey::es256());
        let proof = Proof::of(holder, &token, &jti.to_string()).claim("iat", NOW + 5).sign(holder);
        bench.ask(&request(&format!("DPoP {token}"), &[&proof])).await
    };
    for jti in 0..4 {
        assert_eq!(ask("flood", TestKey::es256_other(), jti).await, "accepted");
        assert_eq!(ask("flood", TestKey::es256(), jti).await, "accepted");
    }
    for jti in 4..50 {
        assert_eq!(ask("flood", TestKey::es256_other(), jti).await, "busy");
    }
    assert_eq!(ask("payroll", TestKey::rs256(), 0).await, "accepted");
    // A proof from the future holds its room for 65 s and no longer.
    bench.clock.advance(Duration::from_secs(64));
    let token = bench.token().client_id("flood").claim("cnf", json!({ "jkt": holder().kid() }));
    let token = token.sign_with(TestKey::es256());
    let later = async |jti: &str| {
        let proof = Proof::of(holder(), &token, jti).claim("iat", bench.clock.now().as_secs()).sign(holder());
        bench.ask(&request(&format!("DPoP {token}"), &[&proof])).await
    };
    assert_eq!(later("64").await, "busy");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(later("65").await, "accepted");
}

// S-17
#[tokio::test]
async fn a_refused_proof_takes_no_room_and_uses_nothing_up() {
    let bench = Bench::new(|verifier| verifier.dpop(Dpop::at(ORDERS).remember(1))).await;
    let token = bench.bound_to(holder());
    let good = Proof::of(holder(), &token, "1");
    let authorization = format!("DPoP {token}");
    for bad in [good.clone().claim("htm", "PUT"), good.clone().claim("iat", NOW - 99)] {
        assert_ne!(bench.ask(&request(&authorization, &[&bad.sign(holder())])).await, "accepted");
    }
    assert_eq!(bench.ask(&request(&authorization, &[&good.sign(holder())])).await, "accepted");
}
