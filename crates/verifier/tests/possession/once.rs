//! Tokens that may be used once.

use std::time::Duration;

use axum::{Router, body::Body, http::Request, routing::get};
use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::{Authorized, Clock, Dpop, Principal, TrustedIssuer, Verifier, required_scope};
use serde_json::json;
use tower::ServiceExt;

use crate::{Bench, NOW, ORDERS, Proof, request, verifier_of};

required_scope!(OrdersRead = "orders:read");

async fn once(capacity: usize) -> Bench {
    Bench::new(|verifier| verifier.one_time(capacity)).await
}

#[tokio::test]
async fn a_token_is_accepted_once() {
    let bench = once(16).await;
    let token = bench.token().sign_with(TestKey::es256());
    assert_eq!(bench.verify(&token).await, "accepted");
    assert_eq!(bench.verify(&token).await, "used");
    assert_eq!(bench.ask(&request(&format!("Bearer {token}"), &[])).await, "used");
    bench.clock.advance(Duration::from_secs(329));
    assert_eq!(bench.verify(&token).await, "used");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.verify(&token).await, "expired");
    let another = bench.token().sign_with(TestKey::es256());
    assert_eq!(bench.ask(&request(&format!("Bearer {another}"), &[])).await, "accepted");
}

/// The same claims, signed again or by another key, are the same token.
#[tokio::test]
async fn it_is_the_name_of_a_token_that_is_used_up() {
    let bench = once(16).await;
    let token = bench.token();
    let signed = [
        token.sign_with(TestKey::es256()),
        token.sign_with(TestKey::es256()),
        token.sign_with(TestKey::rs256()),
    ];
    assert_ne!(signed[0], signed[1]);
    assert_eq!(bench.verify(&signed[0]).await, "accepted");
    assert_eq!(bench.verify(&signed[1]).await, "used");
    assert_eq!(bench.verify(&signed[2]).await, "used");
}

#[tokio::test]
async fn a_token_without_a_name_is_known_by_what_was_signed() {
    let clock = claviger_testkit::TestClock::at(claviger_verifier::NumericDate::from_secs(NOW));
    let issuer = TestIssuer::start().await;
    let jwks = issuer.jwks_url();
    let trusted = TrustedIssuer::kubernetes(issuer.url()).keys(|keys| keys.jwks_url(&jwks));
    let builder = Verifier::builder(trusted, ORDERS).clock(std::sync::Arc::new(clock.clone()));
    let verifier = builder.one_time(16).build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);
    let key = TestKey::es256();
    let claims = issuer.token(ORDERS).issued_at(clock.now()).without("jti").claim("kubernetes.io", json!({}));
    let claims = claims.claims().to_string();
    let sign = || key.jws(json!({ "alg": "ES256", "kid": key.kid() }), &claims);
    let (first, again) = (sign(), sign());
    assert_ne!(first, again);
    assert_eq!(crate::reason(verifier.verify(&first).await), "accepted");
    // The signature can be made again without the key: (r, -s) is as good as (r, s).
    assert_eq!(crate::reason(verifier.verify(&again).await), "used");
}

#[tokio::test]
async fn a_refused_token_is_not_used_up() {
    let bench = once(1).await;
    let early = bench.token().claim("nbf", NOW + 100).sign_with(TestKey::es256());
    assert_eq!(bench.verify(&early).await, "not_yet_valid");
    let bound = bench.token().claim("cnf", json!({ "jkt": "a" })).sign_with(TestKey::es256());
    assert_eq!(bench.verify(&bound).await, "sender_constrained");
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(bench.verify(&early).await, "accepted");
    assert_eq!(bench.verify(&early).await, "used");
}

#[tokio::test]
async fn when_there_is_no_room_no_token_is_forgotten() {
    let bench = once(2).await;
    let [first, second, third] =
        [100, 200, 300].map(|seconds| bench.token().expires_in(seconds).sign_with(TestKey::es256()));
    assert_eq!(bench.verify(&first).await, "accepted");
    assert_eq!(bench.verify(&second).await, "accepted");
    assert_eq!(bench.verify(&third).await, "busy");
    assert_eq!(bench.verify(&first).await, "used");
    bench.clock.advance(Duration::from_secs(130));
    assert_eq!(bench.verify(&third).await, "accepted");
    assert_eq!(bench.verify(&second).await, "used");
}

#[tokio::test]
async fn a_request_may_look_at_its_token_more_than_once() {
    let bench = once(16).await;
    let app = Router::new()
        .route("/", get(async |_: Principal, caller: Authorized<OrdersRead>| caller.sub().to_owned()))
        .with_state(bench.verifier.clone());
    let token = bench.token().scope("orders:read").sign_with(TestKey::es256());
    for status in [200, 401, 401] {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
}

/// A verifier in between does not make the first one forget what it has accepted.
#[cfg(feature = "tower")]
#[tokio::test]
async fn layers_of_several_verifiers_each_look_once() {
    let bench = Bench::new(|verifier| verifier.one_time(16).dpop(Dpop::at(ORDERS))).await;
    let with_dpop = |verifier: claviger_verifier::VerifierBuilder| verifier.dpop(Dpop::at(ORDERS));
    let other = verifier_of(&bench.issuer, &bench.clock, with_dpop).await;
    let app = Router::new()
        .route("/orders", get(async |_: Principal, caller: Authorized<OrdersRead>| caller.sub().to_owned()))
        .layer(bench.verifier.layer())
        .layer(other.layer())
        .layer(bench.verifier.layer())
        .with_state(bench.verifier.clone());
    let holder = TestKey::es256_other();
    let token = bench.token().scope("orders:read").claim("cnf", json!({ "jkt": holder.kid() }));
    let token = token.sign_with(TestKey::es256());
    let proof = Proof::of(holder, &token, "1").sign(holder);
    for status in [200, 401] {
        let request = Request::from_parts(request(&format!("DPoP {token}"), &[&proof]), Body::empty());
        assert_eq!(app.clone().oneshot(request).await.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_bad_proof_does_not_use_the_token_up() {
    let bench = Bench::new(|verifier| verifier.one_time(16).dpop(Dpop::at(ORDERS)).cache(16)).await;
    let holder = TestKey::es256_other();
    let token = bench.bound_to(holder);
    let ask =
        async |proof: Proof| bench.ask(&request(&format!("DPoP {token}"), &[&proof.sign(holder)])).await;
    let proof = |jti: &str| Proof::of(holder, &token, jti);
    assert_eq!(ask(proof("1").claim("htm", "PUT")).await, "proof_other_request");
    assert_eq!(ask(proof("1")).await, "accepted");
    assert_eq!(ask(proof("1")).await, "proof_replayed");
    assert_eq!(ask(proof("2")).await, "used");
}

#[tokio::test]
async fn two_verifiers_do_not_use_up_each_others_tokens() {
    let bench = once(16).await;
    let other = verifier_of(&bench.issuer, &bench.clock, |verifier| verifier.one_time(16)).await;
    let token = bench.token().sign_with(TestKey::es256());
    assert_eq!(bench.verify(&token).await, "accepted");
    assert_eq!(crate::reason(other.verify(&token).await), "accepted");
}
