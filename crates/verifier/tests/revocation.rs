//! What the issuer has ended before its time is refused, also where it was accepted a moment ago.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{sync::Arc, time::Duration};

use claviger_jose::{Algorithm, NumericDate, base64url};
use claviger_testkit::{Endpoint, TestClock, TestIssuer, TestKey, TestToken};
use claviger_verifier::{Refusal, TokenFault, Verifier, VerifierBuilder};

const ORDERS: &str = "https://orders.fleet.test";
const BEGIN: u64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// An issuer and a verifier that remembers tokens; both go by one clock.
struct Bench {
    issuer: TestIssuer,
    clock: TestClock,
    verifier: Verifier,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|verifier| verifier).await
    }

    async fn with(configure: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let clock = TestClock::at(NumericDate::from_secs(BEGIN));
        let issuer = TestIssuer::builder().clock(&clock).start().await;
        let verifier = Verifier::builder(issuer.url(), ORDERS).clock(Arc::new(clock.clone())).cache(16);
        let verifier = configure(verifier).build().unwrap();
        assert!(verifier.ready_within(Duration::from_secs(10)).await);
        Self { issuer, clock, verifier }
    }

    fn token(&self) -> TestToken {
        self.issuer.token(ORDERS).sub("user:alice").client_id("web").claim("jti", "t-1").claim("sid", "s-1")
    }

    async fn check(&self, token: &str, expected: &str) {
        let verdict = match self.verifier.verify(token).await {
            Ok(_) => "accepted",
            Err(refusal) => refusal.reason(),
        };
        assert_eq!(verdict, expected);
    }

    async fn poll(&self) {
        self.verifier.keys().poll_revocations().await.unwrap();
    }
}

/// The order of P-256, in whole.
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC,
    0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// The same token with the other signature that verifies, which anybody can make of the first: (r, n-s).
fn twin(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature).unwrap();
    let mut borrow = 0;
    for (at, digit) in signature[32..].iter_mut().enumerate().rev() {
        let difference = i16::from(ORDER[at]) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", base64url::encode(&signature))
}

// S-11 S-18
#[tokio::test]
async fn a_revoked_token_is_dead_in_both_spellings_of_its_signature_and_in_the_cache() {
    let bench = Bench::new().await;
    let token = bench.token().sign_with(TestKey::es256());
    let twin = twin(&token);
    assert_ne!(twin, token);
    bench.check(&token, "accepted").await;
    bench.check(&twin, "accepted").await;
    bench.issuer.revoke_jti("t-1");
    bench.poll().await;
    bench.check(&token, "revoked").await;
    bench.check(&twin, "revoked").await;
    bench.check(&bench.token().claim("jti", "t-2").sign(), "accepted").await;
}

// S-18 S-44
#[tokio::test]
async fn what_was_issued_until_then_is_dead_and_what_comes_after_is_good() {
    type Revoke = fn(&TestIssuer);
    let table: [Revoke; 4] = [
        |issuer| issuer.revoke_sid("s-1"),
        |issuer| issuer.revoke_sub("user:alice"),
        |issuer| issuer.revoke_client("web"),
        TestIssuer::revoke_all,
    ];
    for revoke in table {
        let bench = Bench::new().await;
        let before = bench.token().sign();
        bench.check(&before, "accepted").await;
        bench.clock.advance(SECOND);
        let same_second = bench.token().sign();
        revoke(&bench.issuer);
        bench.poll().await;
        bench.check(&before, "revoked").await;
        bench.check(&same_second, "revoked").await;
        bench.clock.advance(SECOND);
        bench.check(&bench.token().sign(), "accepted").await;
        bench.check(&before, "revoked").await;
    }
}

// S-18 S-42
#[tokio::test]
async fn a_revoked_key_takes_its_tokens_along_although_they_are_remembered() {
    let bench = Bench::new().await;
    let token = bench.token().sign_with(TestKey::rs256());
    bench.check(&token, "accepted").await;
    bench.issuer.revoke_kid(TestKey::rs256().kid());
    bench.poll().await;
    bench.check(&token, "unknown_kid").await;
    bench.check(&bench.token().sign_with(TestKey::es256()), "accepted").await;
}

// S-41
#[tokio::test]
async fn a_retired_key_signs_nothing_new() {
    let bench = Bench::new().await;
    bench.issuer.publish_next(Algorithm::Es256);
    let old = TestKey::es256();
    let before = bench.token().sign_with(old);
    bench.issuer.promote(Algorithm::Es256);
    // As far as clocks may be apart a token may be younger, and no further.
    bench.clock.advance(30 * SECOND);
    let within = bench.token().sign_with(old);
    bench.clock.advance(SECOND);
    let stolen = bench.token().sign_with(old);
    bench.check(&stolen, "accepted").await;
    assert!(bench.verifier.keys().refresh_now().await.is_ok());
    bench.check(&before, "accepted").await;
    bench.check(&within, "accepted").await;
    bench.check(&stolen, "signed_too_late").await;
    assert_eq!(
        bench.verifier.verify(&stolen).await.unwrap_err(),
        Refusal::InvalidToken(TokenFault::SignedTooLate)
    );
}

/// A verifier with the set of yesterday takes the tokens of a key that was promoted before its time.
// S-41
#[tokio::test]
async fn an_emergency_promotion_refuses_nobody() {
    let bench = Bench::new().await;
    let next = bench.issuer.publish_next(Algorithm::Es256);
    assert!(bench.verifier.keys().refresh_now().await.is_ok());
    let good = bench.token().sign_with(TestKey::rs256());
    bench.issuer.revoke_kid(TestKey::es256().kid());
    for _ in 0..100 {
        bench.check(&bench.token().sign_with(next), "accepted").await;
        bench.check(&good, "accepted").await;
    }
    bench.poll().await;
    bench.check(&bench.token().sign_with(TestKey::es256()), "unknown_kid").await;
    bench.check(&bench.token().sign_with(next), "accepted").await;
}

// S-42
#[tokio::test]
async fn the_deny_file_ends_a_key_while_the_issuer_is_away() {
    let directory = std::env::temp_dir().join(format!("claviger-denied-{}", std::process::id()));
    let bench = Bench::with(|verifier| verifier.deny_file(&directory)).await;
    let token = bench.token().sign_with(TestKey::rs256());
    bench.check(&token, "accepted").await;
    bench.issuer.stop().await;
    std::fs::write(&directory, TestKey::rs256().kid().as_str()).unwrap();
    let start = std::time::Instant::now();
    while bench.verifier.verify(&token).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "it is accepted still");
        tokio::task::yield_now().await;
    }
    std::fs::remove_file(&directory).unwrap();
    bench.check(&bench.token().sign_with(TestKey::es256()), "accepted").await;
}

#[tokio::test]
async fn a_verifier_says_for_whom_it_verifies() {
    let bench = Bench::with(|verifier| verifier.instance("orders-7")).await;
    let _other = Verifier::with_keys(bench.verifier.keys().clone(), "https://refunds.fleet.test").build();
    bench.poll().await;
    let requests = bench.issuer.requests();
    let poll = requests.iter().rev().find(|request| request.endpoint == Endpoint::Revocations).unwrap();
    let lines: Vec<&str> = poll.verifier.iter().map(String::as_str).collect();
    assert!(
        matches!(lines[..], [orders, refunds] if orders.starts_with("https://orders.fleet.test; orders-7.")
            && refunds.starts_with("https://refunds.fleet.test; orders-7.")),
        "{lines:?}"
    );
}
