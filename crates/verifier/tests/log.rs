//! What a service logs about tokens. One test in a process of its own: a subscriber is global.
#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::{Scope, Verifier};
use serde_json::json;

const ORDERS: &str = "https://orders.fleet.test";

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// S-13 S-103
#[tokio::test]
async fn a_log_names_the_reason_and_nothing_of_the_token() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let issuer = TestIssuer::start().await;
    let verifier = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);

    let canaries =
        issuer.token(ORDERS).sub("canary").client_id("canary").scope("canary").claim("jti", "canary");
    let key = TestKey::es256();
    let tokens = [
        canaries.sign_with(TestKey::es256_other()),
        canaries.clone().claim("iss", "canary").sign_with(key),
        canaries.clone().claim("aud", "canary").sign_with(key),
        canaries.clone().claim("exp", "canary").sign_with(key),
        canaries.clone().claim("exp", 1).sign_with(key),
        key.jws(json!({ "alg": "canary", "kid": "canary" }), "canary"),
        "canary".to_owned(),
    ];
    let mut reasons = Vec::new();
    for token in &tokens {
        reasons.push(verifier.verify(token).await.unwrap_err().reason());
    }
    let expected = [
        "unknown_kid",
        "wrong_issuer",
        "wrong_audience",
        "malformed_claims",
        "lifetime",
        "wrong_algorithm",
        "malformed_jws",
    ];
    assert_eq!(reasons, expected);
    nobody_floods_the_log_of_several_issuers(&issuer, &log).await;

    let good = issuer.token(ORDERS).scope("canary").sign_with(key);
    let scope: Scope = "orders:read".parse().unwrap();
    let principal = verifier.verify(&good).await.unwrap();
    reasons.push(principal.require_scope(&scope).unwrap_err().reason());

    let logged = log.text();
    for reason in reasons {
        assert!(logged.contains(reason), "{reason}: {logged}");
    }
    assert!(!logged.contains("canary"), "{logged}");
    for token in tokens.iter().chain([&good]) {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!logged.contains(signature), "{logged}");
    }
}

/// What anybody can send, as often as he likes, is logged where nobody reads along.
async fn nobody_floods_the_log_of_several_issuers(issuer: &TestIssuer, log: &Log) {
    let other = TestIssuer::start().await;
    let verifier = Verifier::builder(issuer.url(), ORDERS).also_trust(other.url()).build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);
    let header = json!({ "alg": "ES256", "kid": TestKey::es256().kid(), "typ": "at+jwt" });
    let before = log.text().len();
    for claims in
        ["", "{", "[]", "{}", r#"{"iss":1}"#, r#"{"iss":"a","iss":"b"}"#, r#"{"iss":"https://a.test"}"#]
    {
        let token = TestKey::es256_other().jws(&header, claims);
        assert_eq!(verifier.verify(&token).await.unwrap_err().reason(), "untrusted_issuer", "{claims}");
    }
    let logged = log.text().split_off(before);
    let line = |line: &&str| line.contains("untrusted_issuer");
    assert_eq!(logged.lines().filter(line).count(), 7, "{logged}");
    assert!(logged.lines().filter(line).all(|line| line.contains("DEBUG")), "{logged}");
}
