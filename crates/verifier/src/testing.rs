//! Principals for tests of handlers, without cryptography. Compiled only with the feature `test-util`.

use claviger_jose::NumericDate;
use claviger_oauth::{AudienceClaim, Scope};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    Authorized, Principal, Required,
    dialect::HOUSE,
    principal::{AcceptedToken, OwnedClaims, Payload},
};

const ISSUER: &str = "https://id.fleet.test";
const AUDIENCE: &str = "https://service.fleet.test";
/// The moment at which the tokens of tests are accepted.
const NOW: u64 = 1_700_000_000;
const LIFETIME: u64 = 300;

/// A principal in the making, whom nobody has verified. Made by [`Principal::for_test`].
///
/// Unless told otherwise its token is from `https://id.fleet.test` for `https://service.fleet.test`, issued to the
/// client `test-client`, accepted at 1700000000 s after the epoch, when it was issued; it lives for 300 s and has no
/// scope.
#[derive(Debug, Clone)]
#[must_use = "build it"]
pub struct TestPrincipal {
    claims: Map<String, Value>,
    scopes: Vec<Scope>,
    roles: Vec<String>,
}

impl Principal {
    /// Begins a principal for a test of a handler.
    ///
    /// ```
    /// use claviger_verifier::{Authorized, Principal, required_scope};
    ///
    /// required_scope!(OrdersRead = "orders:read");
    ///
    /// async fn orders(caller: Authorized<OrdersRead>) -> String {
    ///     format!("the orders of {}", caller.sub())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let alice = Principal::for_test("alice").scope("orders:read");
    /// assert_eq!(orders(alice.authorized()).await, "the orders of alice");
    /// # }
    /// ```
    pub fn for_test(sub: &str) -> TestPrincipal {
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": sub, "client_id": "test-client", "jti": "test",
            "iat": NOW, "exp": NOW + LIFETIME,
        });
        let Value::Object(claims) = claims else { unreachable!("it is written as an object") };
        TestPrincipal { claims, scopes: Vec::new(), roles: Vec::new() }
    }
}

impl TestPrincipal {
    /// Allows these scopes as well, separated by spaces.
    ///
    /// # Panics
    /// If one of them is no scope.
    pub fn scope(mut self, scopes: &str) -> Self {
        let scopes = scopes.split(' ').map(str::parse);
        self.scopes.extend(scopes.map(|scope| scope.expect("a scope of RFC 6749")));
        self
    }

    /// The client that the token was issued to.
    pub fn client_id(self, client_id: &str) -> Self {
        self.claim("client_id", client_id)
    }

    /// The issuer that vouches for the subject.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// Gives the subject this role as well.
    pub fn role(mut self, role: &str) -> Self {
        self.roles.push(role.to_owned());
        self
    }

    /// Authenticated in person this many seconds before the token was accepted.
    pub fn authenticated_ago(self, seconds: u64) -> Self {
        self.claim("auth_time", NOW.saturating_sub(seconds))
    }

    /// Authenticated in this way.
    pub fn acr(self, acr: &str) -> Self {
        self.claim("acr", acr)
    }

    /// In this session.
    pub fn sid(self, sid: &str) -> Self {
        self.claim("sid", sid)
    }

    /// Adds any other claim, or overrides one.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The principal. With [`with_claims`](Principal::with_claims) it gets typed claims.
    ///
    /// # Panics
    /// If a claim that has a method here was overridden with another type.
    #[must_use]
    pub fn build(mut self) -> Principal {
        let scopes: Vec<&str> = self.scopes.iter().map(Scope::as_str).collect();
        if !scopes.is_empty() {
            self.claims.insert("scope".to_owned(), scopes.join(" ").into());
        }
        if !self.roles.is_empty() {
            self.claims.insert("roles".to_owned(), self.roles.into());
        }
        let claims = Value::from(self.claims);
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let time = |name: &str| claims[name].as_u64().map(NumericDate::from_secs);
        let owned = OwnedClaims {
            sub: text("sub").expect("the subject is a text"),
            aud: AudienceClaim::deserialize(&claims["aud"]).expect("the audience is a text or several"),
            exp: time("exp").expect("times are seconds"),
            iat: time("iat").expect("times are seconds"),
            nbf: time("nbf"),
            jti: text("jti"),
            client_id: text("client_id").expect("the client is a text"),
            scope: text("scope").map(|scopes| scopes.parse().expect("scopes of RFC 6749")),
            cnf: None,
            auth_time: time("auth_time"),
            acr: text("acr"),
            sid: text("sid"),
        };
        let token = AcceptedToken {
            issuer: text("iss").expect("the issuer is a text").into(),
            audience: AUDIENCE.into(),
            claims: owned,
            foreign: HOUSE.foreign,
            roles: HOUSE.roles,
            payload: Payload::ForTest(claims.to_string().into()),
        };
        Principal::of(token, NumericDate::from_secs(NOW))
    }

    /// The principal, for a handler that requires `T`.
    ///
    /// # Panics
    /// If it does not meet what `T` stands for: then no request would reach the handler.
    #[must_use]
    pub fn authorized<T: Required>(self) -> Authorized<T> {
        match Authorized::new(self.build()) {
            Ok(authorized) => authorized,
            Err(refusal) => panic!("no request of this principal would reach the handler: {refusal}"),
        }
    }
}
