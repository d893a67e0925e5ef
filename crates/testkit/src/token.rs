use std::sync::atomic::{AtomicU64, Ordering};

use claviger_jose::NumericDate;
use serde_json::{Map, Value};

use crate::TestKey;

static NEXT_JTI: AtomicU64 = AtomicU64::new(1);

/// An access token in the making, right in every respect until told otherwise (RFC 9068 section 2.2).
///
/// It is issued now by the system's clock, for 300 s, to the client `test-client` acting for
/// itself, with a `jti` of its own and no scope.
#[derive(Debug, Clone)]
#[must_use = "sign it"]
pub struct TestToken {
    issued_at: NumericDate,
    expires_in: u64,
    claims: Map<String, Value>,
    sub: Option<String>,
    client_id: String,
    overrides: Vec<(String, Option<Value>)>,
}

impl TestToken {
    pub(crate) fn new(issuer: &str, audience: &str, issued_at: NumericDate) -> Self {
        let jti = format!("test-{}", NEXT_JTI.fetch_add(1, Ordering::Relaxed));
        let claims = [("iss", issuer.into()), ("aud", audience.into()), ("jti", jti.into())];
        Self {
            issued_at,
            expires_in: 300,
            claims: claims.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
            sub: None,
            client_id: "test-client".to_owned(),
            overrides: Vec::new(),
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

    /// Scopes, separated by spaces.
    pub fn scope(mut self, scope: &str) -> Self {
        self.claims.insert("scope".to_owned(), scope.into());
        self
    }

    /// The client that it was issued to.
    pub fn client_id(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// Adds a claim, or overrides one with any value: nothing is checked.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.overrides.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.overrides.push((name.to_owned(), None));
        self
    }

    /// The time of issue, as for a service whose clock is in the test's hand.
    pub fn issued_at(mut self, issued_at: NumericDate) -> Self {
        self.issued_at = issued_at;
        self
    }

    /// The lifetime in seconds.
    pub fn expires_in(mut self, seconds: u64) -> Self {
        self.expires_in = seconds;
        self
    }

    /// The claims as they will be signed.
    #[must_use]
    pub fn claims(&self) -> Value {
        let mut claims = self.claims.clone();
        let issued_at = self.issued_at.as_secs();
        let sub = self.sub.clone().unwrap_or_else(|| format!("client:{}", self.client_id));
        claims.insert("sub".to_owned(), sub.into());
        claims.insert("client_id".to_owned(), self.client_id.clone().into());
        claims.insert("iat".to_owned(), issued_at.into());
        claims.insert("exp".to_owned(), issued_at.saturating_add(self.expires_in).into());
        for (name, value) in &self.overrides {
            match value {
                Some(value) => claims.insert(name.clone(), value.clone()),
                None => claims.remove(name),
            };
        }
        claims.into()
    }

    /// The token, signed by a key that the issuer may or may not publish.
    #[must_use]
    pub fn sign(&self, key: &TestKey) -> String {
        key.access_token(&self.claims())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token() -> TestToken {
        TestToken::new("http://127.0.0.1:1", "https://orders.fleet.test", NumericDate::from_secs(1_000))
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
    }
}
