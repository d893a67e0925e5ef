use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use claviger_jose::{Algorithm, NumericDate};
use serde_json::{Map, Value, json};

use crate::{TestKey, shared::Shared};

static NEXT_JTI: AtomicU64 = AtomicU64::new(1);

/// Members that are set to a value, or left out, over those that are there.
type Overrides = Vec<(String, Option<Value>)>;

/// An access token in the making, right in every respect until told otherwise (RFC 9068 section 2.2).
///
/// It is issued when it is signed, by the issuer's clock, for 300 s, to the client `test-client` acting for
/// itself, with a `jti` of its own and no scope.
#[derive(Debug, Clone)]
#[must_use = "sign it"]
pub struct TestToken {
    issuer: Arc<Shared>,
    alg: Option<Algorithm>,
    issued_at: Option<NumericDate>,
    expires_in: u64,
    jti: String,
    aud: Value,
    scope: Option<String>,
    sub: Option<String>,
    client_id: String,
    claims: Overrides,
    header: Overrides,
}

impl TestToken {
    pub(crate) fn new(issuer: Arc<Shared>, audience: &str) -> Self {
        Self {
            issuer,
            alg: None,
            issued_at: None,
            expires_in: 300,
            jti: next_jti(),
            aud: audience.into(),
            scope: None,
            sub: None,
            client_id: "test-client".to_owned(),
            claims: Vec::new(),
            header: Vec::new(),
        }
    }

    /// Whom it speaks for; without this, its client: `client:` and the client id.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is the name of the claim, and nobody subtracts tokens"
    )]
    pub fn sub(mut self, sub: &str) -> Self {
        self.sub = Some(sub.to_owned());
        self
    }

    /// Whom it is for: one audience, or an array of several.
    pub fn aud(mut self, aud: impl Into<Value>) -> Self {
        self.aud = aud.into();
        self
    }

    /// Scopes, separated by spaces.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// The client that it was issued to.
    pub fn client_id(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// Adds a claim, or overrides one with any value: nothing is checked.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.push((name.to_owned(), None));
        self
    }

    /// Adds a member to the header, or overrides one with any value: nothing is checked.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a member out of the header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.push((name.to_owned(), None));
        self
    }

    /// The algorithm of the issuer's key that signs; else ES256, where the issuer has such a key.
    pub fn alg(mut self, alg: Algorithm) -> Self {
        self.alg = Some(alg);
        self
    }

    /// The time of issue; else the time at which it is signed.
    pub fn issued_at(mut self, issued_at: NumericDate) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// The lifetime in seconds.
    pub fn expires_in(mut self, seconds: u64) -> Self {
        self.expires_in = seconds;
        self
    }

    /// The same token with a `jti` of its own, as for a service that takes each token once.
    pub fn renewed(&self) -> Self {
        Self { jti: next_jti(), ..self.clone() }
    }

    /// The claims as they would be signed now.
    #[must_use]
    pub fn claims(&self) -> Value {
        let issued_at = self.issued_at.unwrap_or_else(|| self.issuer.clock.now()).as_secs();
        let client_id = &self.client_id;
        let mut claims = json!({
            "iss": self.issuer.url,
            "sub": self.sub.clone().unwrap_or_else(|| format!("client:{client_id}")),
            "aud": self.aud,
            "iat": issued_at,
            "exp": issued_at.saturating_add(self.expires_in),
            "jti": self.jti,
            "client_id": client_id,
        });
        if let Some(scope) = &self.scope {
            claims["scope"] = scope.as_str().into();
        }
        overridden(claims, &self.claims)
    }

    /// The header as it would be signed by this key (RFC 9068 section 2.1).
    #[must_use]
    pub fn header_for(&self, key: &TestKey) -> Value {
        overridden(json!({ "alg": key.alg(), "kid": key.kid(), "typ": "at+jwt" }), &self.header)
    }

    /// The token, signed by the issuer's active key.
    ///
    /// # Panics
    /// If the issuer has none.
    #[must_use]
    pub fn sign(&self) -> String {
        self.sign_with(self.key())
    }

    /// The token, signed by a key that the issuer may or may not publish.
    #[must_use]
    pub fn sign_with(&self, key: &TestKey) -> String {
        key.jws(self.header_for(key), &self.claims().to_string())
    }

    /// The issuer's active key that signs this token.
    ///
    /// # Panics
    /// If the issuer has none.
    #[must_use]
    pub fn key(&self) -> &'static TestKey {
        self.issuer.signing_key(self.alg)
    }

    /// All keys that sign this token: one, where its algorithm is named.
    pub(crate) fn keys(&self) -> Vec<&'static TestKey> {
        let keys = self.issuer.active_keys().into_iter();
        keys.filter(|key| self.alg.is_none_or(|alg| alg == key.alg())).collect()
    }

    pub(crate) fn issuer(&self) -> &Shared {
        &self.issuer
    }
}

fn next_jti() -> String {
    format!("test-{}", NEXT_JTI.fetch_add(1, Ordering::Relaxed))
}

fn overridden(mut object: Value, overrides: &Overrides) -> Value {
    let mut nothing = Map::new();
    let members = object.as_object_mut().unwrap_or(&mut nothing);
    for (name, value) in overrides {
        match value {
            Some(value) => members.insert(name.clone(), value.clone()),
            None => members.remove(name),
        };
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TestClock, TestIssuer};

    fn token() -> TestToken {
        let clock = TestClock::at(NumericDate::from_secs(1_000));
        let issuer = TestIssuer::builder().clock(&clock).without_socket("http://127.0.0.1:1");
        issuer.token("https://orders.fleet.test")
    }

    #[test]
    fn the_defaults_are_those_of_a_service_acting_for_itself() {
        let claims = token().scope("orders:read").without("jti").claims();
        let expected = json!({
            "iss": "http://127.0.0.1:1", "aud": "https://orders.fleet.test", "client_id": "test-client",
            "sub": "client:test-client", "scope": "orders:read", "iat": 1_000, "exp": 1_300,
        });
        assert_eq!(claims, expected);
        assert_ne!(token().claims()["jti"], token().claims()["jti"]);
    }

    #[test]
    fn every_claim_can_be_overridden_and_left_out() {
        let claims =
            token().client_id("ledger").expires_in(5).claim("aud", json!([1])).without("sub").claims();
        assert_eq!((&claims["aud"], &claims["exp"], claims.get("sub")), (&json!([1]), &json!(1_005), None));
        assert_eq!(claims["client_id"], "ledger");
        let several = token().aud(["https://a.test", "https://b.test"]).claims();
        assert_eq!(several["aud"], json!(["https://a.test", "https://b.test"]));
    }

    #[test]
    fn a_token_is_signed_by_the_key_that_is_active_then() {
        let issuer = TestIssuer::without_socket("https://id.fleet.test");
        let token = issuer.token("https://orders.fleet.test");
        let (rsa, ec) = (token.clone().alg(Algorithm::Rs256), token.clone());
        assert_eq!((rsa.key().kid(), ec.key().kid()), (TestKey::rs256().kid(), TestKey::es256().kid()));
        issuer.publish_next(Algorithm::Es256);
        let next = issuer.promote(Algorithm::Es256);
        assert_eq!(ec.key().kid(), next.kid());
        assert_eq!(
            ec.header("typ", "JWT").without_header("kid").header_for(next),
            json!({
                "alg": "ES256", "typ": "JWT",
            })
        );
    }

    #[test]
    fn a_renewed_token_differs_in_its_jti_alone() {
        let token = token().sub("user:a");
        let (mut claims, mut renewed) = (token.claims(), token.renewed().claims());
        assert_ne!(claims["jti"].take(), renewed["jti"].take());
        assert_eq!(claims, renewed);
    }
}
