//! What a verifier refuses, and why. Where the attack is in the content, the signature is valid: by
//! a key that the issuer publishes, over exactly the bytes that are sent.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use claviger_testkit::{TestIssuer, TestKey, TestToken};
use claviger_verifier::Verifier;
use serde_json::{Value, json};

mod claims;
mod form;
mod header;
mod issuers;

const ORDERS: &str = "https://orders.fleet.test";

/// An issuer and a verifier that holds its keys.
struct Bench {
    issuer: TestIssuer,
    verifier: Verifier,
}

impl Bench {
    async fn new() -> Self {
        let issuer = TestIssuer::start().await;
        let verifier = verifier_of(&issuer).await;
        Self { issuer, verifier }
    }

    fn token(&self) -> TestToken {
        self.issuer.token(ORDERS).scope("orders:read")
    }

    /// Good claims under this header, truly signed.
    fn under(&self, key: &TestKey, header: impl std::fmt::Display) -> String {
        key.jws(header, &self.token().claims().to_string())
    }

    async fn reason(&self, token: &str) -> &'static str {
        match self.verifier.verify(token).await {
            Ok(_) => "accepted",
            Err(refusal) => refusal.reason(),
        }
    }

    async fn check(&self, token: impl AsRef<str>, expected: &str) {
        let token = token.as_ref();
        let shown = &token[..token.len().min(400)];
        assert_eq!(self.reason(token).await, expected, "{shown}");
    }

    /// One claim of a good token replaced.
    async fn check_claim(&self, name: &str, value: Value, expected: &str) {
        let token = self.token().claim(name, value).sign_with(TestKey::es256());
        self.check(token, expected).await;
    }

    /// One member of a good header replaced.
    async fn check_header(&self, name: &str, value: Value, expected: &str) {
        for key in [TestKey::es256(), TestKey::rs256()] {
            let mut header = header_of(key);
            header[name] = value.clone();
            self.check(self.under(key, header), expected).await;
        }
    }
}

async fn verifier_of(issuer: &TestIssuer) -> Verifier {
    let verifier = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);
    verifier
}

fn header_of(key: &TestKey) -> Value {
    json!({ "alg": key.alg(), "kid": key.kid(), "typ": "at+jwt" })
}

fn encode(bytes: &[u8]) -> String {
    claviger_jose::base64url::encode(bytes)
}

/// The token with another signature.
fn with_signature(token: &str, signature: &[u8]) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", encode(signature))
}

fn signature_of(token: &str) -> Vec<u8> {
    claviger_jose::base64url::decode(token.rsplit_once('.').unwrap().1).unwrap()
}

#[tokio::test]
async fn a_good_token_is_accepted_with_either_algorithm() {
    let bench = Bench::new().await;
    for key in [TestKey::es256(), TestKey::rs256()] {
        let principal = bench.verifier.verify(&bench.token().sign_with(key)).await.unwrap();
        assert_eq!((principal.iss(), principal.sub()), (bench.issuer.url(), "client:test-client"));
        assert_eq!(principal.client_id(), "test-client");
        assert!(principal.is_client() && principal.has_scope("orders:read"));
        assert!(!principal.has_scope("orders:write"));
        assert_eq!(principal.audience().iter().collect::<Vec<_>>(), [ORDERS]);
        assert_eq!(principal.exp().since(principal.iat()), Duration::from_mins(5));
        assert!(principal.jti().unwrap().starts_with("test-"));
        let shown = json!({
            "iss": bench.issuer.url(), "sub": "client:test-client", "client_id": "test-client",
            "scope": "orders:read", "exp": principal.exp().as_secs(),
        });
        assert_eq!(json!(principal), shown);
    }
    for typ in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        bench.check_header("typ", typ.into(), "accepted").await;
    }
    bench.check_claim("roles", json!(["admin", { "of": null }]), "accepted").await;
}
