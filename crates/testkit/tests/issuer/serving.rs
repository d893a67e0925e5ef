use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{body::Body, http::Request};
use claviger_jose::{JwkSet, NumericDate};
use claviger_testkit::{Endpoint, TestClock, TestIssuer};
use claviger_verifier::Verifier;
use tower::ServiceExt;

use crate::{fetch, fetch_holding};

const ORDERS: &str = "https://orders.fleet.test";

#[tokio::test]
async fn without_a_socket_it_is_a_router_and_a_key_set() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test/realms/shop");
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = issuer.router().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, axum::body::to_bytes(answer.into_body(), 64 * 1024).await.unwrap())
    };
    let (status, set) = ask("/realms/shop/.well-known/jwks.json").await;
    assert_eq!((status, set), (200, issuer.jwks().into()));
    for path in [
        "/realms/shop/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/realms/shop",
    ] {
        let (_, metadata) = ask(path).await;
        let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
        assert_eq!(metadata["issuer"], "https://id.fleet.test/realms/shop");
        assert_eq!(metadata["token_endpoint"], issuer.token_url());
    }
    assert_eq!(ask("/.well-known/jwks.json").await.0, 404);
    assert_eq!(JwkSet::parse(issuer.jwks().as_bytes()).unwrap().keys().len(), 2);
    assert_eq!((issuer.fetches(), issuer.metadata_fetches()), (1, 2));
}

#[tokio::test]
async fn what_was_asked_is_on_record() {
    let issuer = TestIssuer::start().await;
    let answer = fetch(&issuer.jwks_url()).await.unwrap();
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    fetch_holding(&issuer.jwks_url(), &etag).await.unwrap();
    fetch(&format!("{}/favicon.ico", issuer.url())).await.unwrap();
    issuer.expect_fetches(2);
    let seen = issuer.requests();
    let told: Vec<_> = seen.iter().map(|seen| (seen.endpoint, seen.conditional, seen.status)).collect();
    let expected = [
        (Endpoint::KeySet, false, Some(200)),
        (Endpoint::KeySet, true, Some(304)),
        (Endpoint::Elsewhere, false, Some(404)),
    ];
    assert_eq!(told, expected);
    assert!(seen[0].since_start < seen[1].since_start && seen[2].path == "/favicon.ico");
}

#[tokio::test]
#[should_panic(
    expected = "3 fetches of the key set were expected, 1 came:\n  GET /.well-known/jwks.json after"
)]
async fn a_count_that_is_wrong_says_who_came() {
    let issuer = TestIssuer::start().await;
    fetch(&issuer.jwks_url()).await.unwrap();
    issuer.expect_fetches(3);
}

#[tokio::test]
async fn issuer_and_verifier_go_by_one_clock() {
    let clock = TestClock::at(NumericDate::from_secs(1_000_000_000));
    let issuer = TestIssuer::builder().clock(&clock).start().await;
    let verifier = Verifier::builder(issuer.url(), ORDERS).clock(Arc::new(clock.clone())).build().unwrap();
    let token = issuer.token(ORDERS);
    let signed = token.sign();
    assert!(verifier.verify(&signed).await.is_ok());
    clock.advance(Duration::from_mins(6));
    assert_eq!(verifier.verify(&signed).await.unwrap_err().reason(), "expired");
    assert!(verifier.verify(&token.sign()).await.is_ok(), "issued when it is signed");
    assert_eq!(issuer.requests()[0].at, NumericDate::from_secs(1_000_000_000));
}

#[tokio::test]
async fn an_identifier_may_differ_from_the_address() {
    let issuer = TestIssuer::builder().url("https://id.fleet.test").start().await;
    let verifier = Verifier::builder(issuer.url(), ORDERS).jwks_url(&issuer.jwks_url()).build().unwrap();
    let token = issuer.token(ORDERS);
    assert!(verifier.verify(&token.sign()).await.is_ok());
}

/// Says how long a start takes. What it takes is a property of the machine, so nothing is asserted about it.
#[tokio::test]
async fn a_start_is_measured() {
    let mut starts = Vec::new();
    let mut signatures = Vec::new();
    for _ in 0..51 {
        let start = Instant::now();
        let issuer = TestIssuer::start().await;
        starts.push(start.elapsed());
        let start = Instant::now();
        let token = issuer.token(ORDERS);
        assert!(!token.sign().is_empty());
        signatures.push(start.elapsed());
    }
    for (what, mut times) in [("start()", starts), ("a token", signatures)] {
        let first = times[0];
        times.sort();
        println!(
            "{what}: median {:?}, longest {:?}, the first of the process {first:?}",
            times[25], times[50]
        );
    }
}
