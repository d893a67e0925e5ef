//! Tokens as the issuers of others write them: headers and claims of the shapes that their documentation
//! shows, truly signed by a key under a name of their kind.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::{Dpop, Principal, Requirement, ScopeSet, TrustedIssuer, Verifier};
use serde_json::{Value, json};

mod ambiguous;
mod bound;
mod claims;
mod confused;
mod presets;
mod shapes;

const ORDERS: &str = "https://orders.fleet.test";

/// An issuer of others, and how a verifier speaks with it.
struct Shape {
    preset: fn(&str) -> TrustedIssuer,
    audience: &'static str,
    kid: &'static str,
    header: Value,
    claims: Value,
}

/// What the shape's principal is expected to be.
struct Expected {
    sub: &'static str,
    client_id: &'static str,
    jti: Option<&'static str>,
    scope: Option<&'static str>,
    role: Option<&'static str>,
    /// What becomes of a token that names no client, `None` if it is good.
    clientless: Option<&'static str>,
    /// The same for a token without a name.
    nameless: Option<&'static str>,
}

struct Service {
    issuer: TestIssuer,
    verifier: Verifier,
    shape: Shape,
}

impl Service {
    async fn trusting(shape: Shape) -> Self {
        let issuer = TestIssuer::start().await;
        let mut key = json!(TestKey::rs256().jwk());
        key["kid"] = shape.kid.into();
        // As these issuers publish: without `alg` here, with a certificate there.
        key.as_object_mut().unwrap().remove("alg");
        key["x5c"] = json!(["MIIC"]);
        issuer.set_raw_jwks(json!({ "keys": [key] }).to_string());
        let builder = Verifier::builder((shape.preset)(issuer.url()), shape.audience).dpop(Dpop::at(ORDERS));
        let verifier = builder.build().unwrap();
        assert!(verifier.ready_within(Duration::from_secs(10)).await);
        Self { issuer, verifier, shape }
    }

    /// The token with these changes: `null` leaves a claim out.
    fn token(&self, changes: &Value) -> String {
        let mut claims = self.claims(changes);
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign(&claims.to_string())
    }

    fn sign(&self, payload: &str) -> String {
        TestKey::rs256().jws(&self.shape.header, payload)
    }

    /// The claims with these changes, `null` included.
    fn claims(&self, changes: &Value) -> Value {
        let model = self.issuer.token("unused").claims();
        let mut claims = self.shape.claims.clone();
        claims["iss"] = self.issuer.url().into();
        (claims["iat"], claims["nbf"]) = (model["iat"].clone(), model["iat"].clone());
        claims["exp"] = (model["iat"].as_u64().unwrap() + 3600).into();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    async fn verify(&self, changes: Value) -> Result<Principal, &'static str> {
        self.verifier.verify(&self.token(&changes)).await.map_err(|refusal| refusal.reason())
    }

    async fn check(&self, changes: Value, reason: &str) {
        let shown = changes.to_string();
        assert_eq!(self.verify(changes).await.map(drop), Err(reason), "{shown}");
    }

    /// What holds for every preset.
    async fn check_all(&self, expected: Expected, id_token: Value) {
        let principal = self.verify(json!({})).await.unwrap();
        assert_eq!((principal.iss(), principal.sub()), (self.issuer.url(), expected.sub));
        assert_eq!((principal.client_id(), principal.jti()), (expected.client_id, expected.jti));
        assert_eq!(principal.scope().map(ScopeSet::as_str), expected.scope);
        if let Some(role) = expected.role {
            assert!(principal.require(&Requirement::Role(role)).is_ok());
        }
        assert!(principal.require(&Requirement::Role("nobody has this")).is_err());

        // A user who is called like a client is not that client.
        let clientless =
            json!({ "sub": "billing", "azp": null, "appid": null, "cid": null, "client_id": null });
        let verdict = self.verify(clientless).await.map(|principal| principal.client_id().to_owned());
        assert_eq!(verdict, expected.clientless.map_or(Ok("billing".to_owned()), Err));
        let nameless = self.verify(json!({ "jti": null, "uti": null })).await.map(drop);
        assert_eq!(nameless, expected.nameless.map_or(Ok(()), Err));

        // S-4: its audience forced to be this service, an ID token is still none of ours.
        if !id_token.is_null() {
            self.check(id_token, "no_access_token").await;
        }
        let audience = if self.shape.claims.get("aud").is_some() { "aud" } else { "client_id" };
        self.check(json!({ audience: "https://another.test" }), "wrong_audience").await;
        self.check(json!({ audience: null }), "malformed_claims").await;
        self.check(json!({ audience: 7 }), "malformed_claims").await;
        self.check(json!({ "iss": "https://another.test" }), "wrong_issuer").await;
        self.check(json!({ "exp": 1 }), "lifetime").await;
        let now = self.issuer.token("unused").claims()["iat"].as_u64().unwrap();
        let lives = |seconds: u64| json!({ "iat": now, "exp": now + seconds });
        assert!(self.verify(lives(24 * 3600)).await.is_ok());
        self.check(lives(24 * 3600 + 1), "lifetime").await;
        self.check(json!({ "exp": null }), "malformed_claims").await;
        self.check(json!({ "sub": "" }), "malformed_claims").await;
        self.check(json!({ "cnf": { "jkt": "a" } }), "sender_constrained").await;

        // S-1 S-2 S-3: the header is as strict as everywhere.
        let payload = self.claims(&json!({})).to_string();
        for (name, value, reason) in [
            ("alg", json!("RS512"), "wrong_algorithm"),
            ("crit", json!(["a"]), "critical_extension"),
            ("jku", json!("https://a.test"), "embedded_key"),
            ("typ", json!("logout+jwt"), "wrong_type"),
        ] {
            let mut header = self.shape.header.clone();
            header[name] = value;
            let forged = TestKey::rs256().jws(&header, &payload);
            assert_eq!(self.verifier.verify(&forged).await.unwrap_err().reason(), reason, "{name}");
        }
    }
}
