//! Tokens that are worth something only with a proof, once, or as long as nothing has changed. Every token and
//! every proof is truly signed.
#![cfg(all(feature = "axum", feature = "dpop", feature = "mtls"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use axum::http::{Request, request::Parts};
use claviger_testkit::{TestClock, TestIssuer, TestKey, TestToken};
use claviger_verifier::{Clock, Dpop, NumericDate, Principal, Refusal, Verifier, VerifierBuilder};
use serde_json::{Value, json};

mod bindings;
mod cache;
mod certificates;
mod nonces;
mod once;
mod proofs;
mod replays;

const ORDERS: &str = "https://orders.fleet.test";
const NOW: u64 = 1_700_000_000;

/// An issuer, a verifier that holds its keys, and their clock.
struct Bench {
    issuer: TestIssuer,
    verifier: Verifier,
    clock: TestClock,
}

impl Bench {
    async fn new(configure: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let clock = TestClock::at(NumericDate::from_secs(NOW));
        let issuer = TestIssuer::start().await;
        let verifier = verifier_of(&issuer, &clock, configure).await;
        Self { issuer, verifier, clock }
    }

    async fn with_dpop() -> Self {
        Self::new(|verifier| verifier.dpop(Dpop::at(ORDERS))).await
    }

    fn token(&self) -> TestToken {
        self.issuer.token(ORDERS).issued_at(self.clock.now())
    }

    /// A token that is bound to the DPoP key of this holder.
    fn bound_to(&self, holder: &TestKey) -> String {
        self.token().claim("cnf", json!({ "jkt": holder.kid() })).sign_with(TestKey::es256())
    }

    async fn ask(&self, request: &Parts) -> &'static str {
        reason(self.verifier.authenticate(request).await)
    }

    async fn verify(&self, token: &str) -> &'static str {
        reason(self.verifier.verify(token).await)
    }
}

async fn verifier_of(
    issuer: &TestIssuer,
    clock: &TestClock,
    configure: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
) -> Verifier {
    let builder = configure(Verifier::builder(issuer.url(), ORDERS).clock(Arc::new(clock.clone())));
    let verifier = builder.build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);
    verifier
}

fn reason(verdict: Result<Principal, Refusal>) -> &'static str {
    match verdict {
        Ok(_) => "accepted",
        Err(refusal) => refusal.reason(),
    }
}

/// `GET /orders?page=2` with these credentials and proofs.
fn request(authorization: &str, proofs: &[&str]) -> Parts {
    let mut request = Request::get("/orders?page=2").header("authorization", authorization);
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    request.body(()).unwrap().into_parts().0
}

/// A proof of possession in the making, right in every respect for `GET /orders` and one token.
#[derive(Clone)]
struct Proof {
    header: Value,
    claims: Value,
}

impl Proof {
    fn of(holder: &TestKey, token: &str, jti: &str) -> Self {
        let mut jwk = json!(holder.jwk());
        for name in ["use", "alg", "kid"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        let ath = digest::digest(&digest::SHA256, token.as_bytes());
        let ath = claviger_jose::base64url::encode(ath.as_ref());
        Self {
            header: json!({ "typ": "dpop+jwt", "alg": holder.alg(), "jwk": jwk }),
            claims: json!({ "jti": jti, "htm": "GET", "htu": format!("{ORDERS}/orders"), "iat": NOW, "ath": ath }),
        }
    }

    fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    fn sign(&self, key: &TestKey) -> String {
        key.jws(&self.header, &self.claims.to_string())
    }
}
