//! The cache of verified tokens. That it was asked is seen by a token that would not pass a second time.

use std::{sync::Arc, time::Duration};

use claviger_testkit::{Fault, TestClock, TestIssuer, TestKey};
use claviger_verifier::{
    Authorized, Clock, Dpop, JwksClient, NumericDate, Principal, Timing, Verifier, required_authentication,
};
use serde_json::json;

use crate::{Bench, NOW, ORDERS, Proof, reason, request, verifier_of};

required_authentication!(Recent = within 30 seconds);

async fn cached() -> Bench {
    Bench::new(|verifier| verifier.cache(16)).await
}

/// Whether the payload of both was read once: clones share it.
fn is_the_same(first: &Principal, second: &Principal) -> bool {
    std::ptr::eq(first.sub().as_ptr(), second.sub().as_ptr())
}

// S-18
#[tokio::test]
async fn a_token_is_verified_once_within_the_cap() {
    let bench = Bench::new(|verifier| verifier.cache_for(Duration::from_secs(20)).cache(16)).await;
    let token = bench.token().sign_with(TestKey::es256());
    let first = bench.verifier.verify(&token).await.unwrap();
    bench.clock.advance(Duration::from_secs(19));
    assert!(is_the_same(&first, &bench.verifier.verify(&token).await.unwrap()));
    // A hit does not extend the time: 20 s after the first look it is verified again.
    bench.clock.advance(Duration::from_secs(1));
    let second = bench.verifier.verify(&token).await.unwrap();
    assert!(!is_the_same(&first, &second));
    assert!(is_the_same(&second, &bench.verifier.verify(&token).await.unwrap()));
    // By the monotonic clock: setting the wall clock back keeps nothing.
    bench.clock.advance(Duration::from_secs(20));
    bench.clock.set_wall(NumericDate::from_secs(NOW));
    assert!(!is_the_same(&second, &bench.verifier.verify(&token).await.unwrap()));
}

// S-18
#[tokio::test]
async fn without_being_told_nothing_is_remembered() {
    let bench = Bench::new(|verifier| verifier).await;
    let token = bench.token().sign_with(TestKey::es256());
    let first = bench.verifier.verify(&token).await.unwrap();
    assert!(!is_the_same(&first, &bench.verifier.verify(&token).await.unwrap()));
}

// S-18
#[tokio::test]
async fn a_token_ends_at_its_exp_and_not_with_the_cache() {
    let bench = cached().await;
    let token = bench.token().expires_in(5).sign_with(TestKey::es256());
    assert_eq!(bench.verify(&token).await, "accepted");
    bench.clock.advance(Duration::from_secs(34));
    assert_eq!(bench.verify(&token).await, "accepted");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.verify(&token).await, "expired");
}

// S-18
#[tokio::test]
async fn a_token_is_not_valid_before_its_time_because_it_was_once() {
    let bench = cached().await;
    let token = bench.token().claim("nbf", NOW + 10).sign_with(TestKey::es256());
    assert_eq!(bench.verify(&token).await, "accepted");
    bench.clock.set_wall(NumericDate::from_secs(NOW - 21));
    assert_eq!(bench.verify(&token).await, "not_yet_valid");
    bench.clock.set_wall(NumericDate::from_secs(NOW - 31));
    assert_eq!(bench.verify(&token).await, "issued_in_future");
    bench.clock.set_wall(NumericDate::from_secs(NOW));
    assert_eq!(bench.verify(&token).await, "accepted");
}

/// Lets the verifier learn the set that the issuer publishes now.
async fn refresh(bench: &Bench, key: &TestKey) {
    assert_eq!(bench.verify(&bench.token().sign_with(key)).await, "accepted");
}

// S-18
#[tokio::test]
async fn a_key_that_is_gone_takes_its_tokens_along() {
    let bench = cached().await;
    let token = bench.token().sign_with(TestKey::es256());
    let other = bench.token().sign_with(TestKey::rs256());
    let first = bench.verifier.verify(&other).await.unwrap();
    assert_eq!(bench.verify(&token).await, "accepted");
    bench.issuer.set_keys(&[TestKey::rs256(), TestKey::es256_other()]);
    assert_eq!(bench.verify(&token).await, "accepted");
    refresh(&bench, TestKey::es256_other()).await;
    assert_eq!(bench.verify(&token).await, "unknown_kid");
    // The tokens of the keys that stayed are good, and verified again.
    assert!(!is_the_same(&first, &bench.verifier.verify(&other).await.unwrap()));
}

// S-18
#[tokio::test]
async fn a_denied_key_takes_its_tokens_along() {
    let bench = cached().await;
    let token = bench.token().sign_with(TestKey::es256());
    assert_eq!(bench.verify(&token).await, "accepted");
    bench.verifier.keys().deny_kid(TestKey::es256().kid()).unwrap();
    assert_eq!(bench.verify(&token).await, "unknown_kid");
    assert_eq!(bench.verify(&bench.token().sign_with(TestKey::rs256())).await, "accepted");
}

// S-18 S-22
#[tokio::test]
async fn without_a_usable_key_set_a_remembered_token_is_no_better() {
    let timing = Timing::default().with_staleness(Duration::ZERO).unwrap();
    let issuer = TestIssuer::start().await;
    issuer.cache_control("max-age=1");
    let clock = TestClock::at(NumericDate::from_secs(NOW));
    let verifier = verifier_of(&issuer, &clock, |verifier| verifier.timing(timing).cache(16)).await;
    let token = issuer.token(ORDERS).issued_at(clock.now()).sign_with(TestKey::es256());
    issuer.fault(Fault::Status(500));
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
    clock.advance(Duration::from_secs(30));
    assert!(!verifier.is_ready());
    assert_eq!(reason(verifier.verify(&token).await), "keys_unavailable");
}

// S-6 S-18
#[tokio::test]
async fn two_verifiers_share_nothing() {
    let bench = cached().await;
    let keys: JwksClient = bench.verifier.keys().clone();
    let of = |audience: &str| {
        let builder = Verifier::with_keys(keys.clone(), audience).clock(Arc::new(bench.clock.clone()));
        builder.cache(16).build().unwrap()
    };
    let token = bench.token().sign_with(TestKey::es256());
    let first = bench.verifier.verify(&token).await.unwrap();
    assert_eq!(reason(of("https://ledger.fleet.test").verify(&token).await), "wrong_audience");
    assert!(!is_the_same(&first, &of(ORDERS).verify(&token).await.unwrap()));
}

// S-18
#[tokio::test]
async fn a_refusal_is_never_remembered() {
    let bench = cached().await;
    let early = bench.token().claim("nbf", NOW + 100).sign_with(TestKey::es256());
    assert_eq!(bench.verify(&early).await, "not_yet_valid");
    bench.clock.advance(Duration::from_secs(100));
    assert_eq!(bench.verify(&early).await, "accepted");
    let unknown = bench.token().sign_with(TestKey::es256_other());
    assert_eq!(bench.verify(&unknown).await, "unknown_kid");
    bench.issuer.set_keys(&[TestKey::es256_other()]);
    bench.clock.advance(Duration::from_mins(1));
    assert_eq!(bench.verify(&unknown).await, "accepted");
}

/// One bit elsewhere is another token, whatever is remembered.
// S-9 S-18
#[tokio::test]
async fn a_forgery_of_a_remembered_token_is_verified() {
    let bench = cached().await;
    let token = bench.token().sign_with(TestKey::es256());
    assert_eq!(bench.verify(&token).await, "accepted");
    for at in [token.len() - 10, token.len() - 40, token.find('.').unwrap() + 10] {
        let mut forged = token.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(bench.verify(&forged).await, "bad_signature");
    }
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_ne!(bench.verify(&format!("{signed}.AA")).await, "accepted");
    assert_ne!(bench.verify(&format!("{token}.")).await, "accepted");
    assert_eq!(bench.verify(&token).await, "accepted");
}

// S-16 S-18
#[tokio::test]
async fn possession_is_proven_on_every_request() {
    let bench = Bench::new(|verifier| verifier.cache(16).dpop(Dpop::at(ORDERS))).await;
    let holder = TestKey::es256_other();
    let token = bench.bound_to(holder);
    let authorization = format!("DPoP {token}");
    let proof = Proof::of(holder, &token, "1").sign(holder);
    assert_eq!(bench.ask(&request(&authorization, &[&proof])).await, "accepted");
    assert_eq!(bench.ask(&request(&authorization, &[&proof])).await, "proof_replayed");
    assert_eq!(bench.ask(&request(&authorization, &[])).await, "proof_not_one");
    assert_eq!(bench.ask(&request(&format!("Bearer {token}"), &[&proof])).await, "sender_constrained");
    assert_eq!(bench.verify(&token).await, "sender_constrained");
    let next = Proof::of(holder, &token, "2").sign(holder);
    assert_eq!(bench.ask(&request(&authorization, &[&next])).await, "accepted");
}

// S-18
#[tokio::test]
async fn what_a_route_requires_is_judged_by_the_time_of_the_request() {
    use axum::extract::FromRequestParts;

    let bench = cached().await;
    let token = bench.token().claim("auth_time", NOW).sign_with(TestKey::es256());
    let ask = async || {
        let mut request = request(&format!("Bearer {token}"), &[]);
        let caller = Authorized::<Recent>::from_request_parts(&mut request, &bench.verifier).await;
        caller.map_or_else(|rejection| rejection.reason(), |_| "accepted")
    };
    assert_eq!(ask().await, "accepted");
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(ask().await, "accepted");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(ask().await, "authentication_too_old");
}

#[tokio::test]
async fn each_of_several_issuers_is_asked_about_its_own_tokens() {
    let clock = TestClock::at(NumericDate::from_secs(NOW));
    let (first, second) = (TestIssuer::start().await, TestIssuer::start().await);
    let verifier = verifier_of(&first, &clock, |verifier| verifier.also_trust(second.url()).cache(16)).await;
    assert!(verifier.key_sets().nth(1).unwrap().ready_within(Duration::from_secs(10)).await);
    let tokens = [&first, &second].map(|issuer| {
        issuer.token(ORDERS).issued_at(clock.now()).claim("roles", json!(["a"])).sign_with(TestKey::es256())
    });
    let mut held = Vec::new();
    for token in &tokens {
        held.push(verifier.verify(token).await.unwrap());
    }
    let denied = verifier.key_sets().nth(1).unwrap();
    denied.deny_kid(TestKey::es256().kid()).unwrap();
    assert!(is_the_same(&held[0], &verifier.verify(&tokens[0]).await.unwrap()));
    assert_eq!(reason(verifier.verify(&tokens[1]).await), "unknown_kid");
}

#[tokio::test]
async fn a_cap_that_cannot_work_is_told_at_start() {
    let build = |secs| {
        let builder = Verifier::builder("https://id.fleet.test", ORDERS);
        builder.cache(16).cache_for(Duration::from_secs(secs)).build().map(drop)
    };
    assert!(build(1).is_ok() && build(60).is_ok());
    for secs in [0, 61] {
        let error = build(secs).unwrap_err().to_string();
        assert!(error.contains("from 1s to 60s"), "{error}");
    }
}
