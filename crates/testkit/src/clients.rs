use std::fmt;

use aws_lc_rs::constant_time;
use claviger_oauth::{
    Audience, AuthenticationMethod, ClientId, GrantType, PresentedSecret, ScopeSet, TokenError, TokenRequest,
};
use secrecy::{ExposeSecret, SecretString};

use crate::{TestIssuer, shared::State};

/// A client of the token endpoint, as it is registered.
#[derive(Debug)]
pub(crate) struct RegisteredClient {
    secret: SecretString,
    /// The one method that is accepted, or `None` for both.
    method: Option<AuthenticationMethod>,
    access: Vec<(Audience, ScopeSet)>,
}

/// A client that is registered with an issuer, to be told what it may have.
///
/// ```
/// use claviger_testkit::TestIssuer;
///
/// let issuer = TestIssuer::without_socket("https://id.fleet.test");
/// issuer.client("orders", "secret").allow("https://ledger.fleet.test", "ledger:post ledger:read");
/// ```
pub struct TestClient<'i> {
    issuer: &'i TestIssuer,
    client_id: ClientId,
}

impl<'i> TestClient<'i> {
    pub(crate) fn register(issuer: &'i TestIssuer, client_id: &str, secret: &str) -> Self {
        let client_id = client_id.parse().unwrap_or_else(|error| panic!("client id {client_id:?}: {error}"));
        issuer.shared().state().register(&client_id, secret);
        Self { issuer, client_id }
    }

    /// Lets it have tokens for an audience, with scopes separated by spaces; an empty text: with none.
    ///
    /// # Panics
    /// If the audience is no absolute URI, or the scopes are malformed.
    #[expect(
        clippy::return_self_not_must_use,
        clippy::must_use_candidate,
        reason = "it is registered already"
    )]
    pub fn allow(self, audience: &str, scopes: &str) -> Self {
        let audience = audience.parse().unwrap_or_else(|error| panic!("audience {audience:?}: {error}"));
        let scopes = parse_scopes(scopes).unwrap_or_else(|error| panic!("scopes {scopes:?}: {error}"));
        self.issuer.shared().state().allow(&self.client_id, audience, scopes);
        self
    }

    /// Accepts the secret in this way only; at first both ways are accepted.
    #[expect(
        clippy::return_self_not_must_use,
        clippy::must_use_candidate,
        reason = "it is registered already"
    )]
    pub fn authenticates_by(self, method: AuthenticationMethod) -> Self {
        if let Some(client) = self.issuer.shared().state().clients.get_mut(&self.client_id) {
            client.method = Some(method);
        }
        self
    }
}

impl fmt::Debug for TestClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

pub(crate) fn parse_scopes(scopes: &str) -> Result<ScopeSet, claviger_oauth::GrammarError> {
    if scopes.is_empty() { Ok(ScopeSet::default()) } else { scopes.parse() }
}

impl State {
    /// A client that is there already gets another secret and keeps what it may have.
    pub(crate) fn register(&mut self, client_id: &ClientId, secret: &str) {
        let client = self.clients.entry(client_id.clone()).or_insert_with(|| RegisteredClient {
            secret: SecretString::default(),
            method: None,
            access: Vec::new(),
        });
        client.secret = secret.into();
    }

    pub(crate) fn allow(&mut self, client_id: &ClientId, audience: Audience, scopes: ScopeSet) {
        if let Some(client) = self.clients.get_mut(client_id) {
            client.access.retain(|(other, _)| *other != audience);
            client.access.push((audience, scopes));
        }
    }

    pub(crate) fn authenticate(&self, presented: &PresentedSecret) -> Result<&RegisteredClient, TokenError> {
        let refuse = |reason: &'static str| TokenError::InvalidClient(reason.into());
        let client = self.clients.get(&presented.client_id).ok_or_else(|| refuse("unknown client"))?;
        if client.method.is_some_and(|method| method != presented.method) {
            return Err(refuse("not the method that the client registered"));
        }
        let (secret, right) = (presented.secret.expose_secret(), client.secret.expose_secret());
        constant_time::verify_slices_are_equal(secret.as_bytes(), right.as_bytes())
            .map_err(|_| refuse("wrong secret"))?;
        Ok(client)
    }
}

impl RegisteredClient {
    /// The audience and the scopes of the token that was asked for, by the rules of the real issuer: a client
    /// with access to several audiences names one (RFC 8707 section 2).
    pub(crate) fn grant(&self, request: &TokenRequest) -> Result<(Audience, ScopeSet), TokenError> {
        if request.grant.grant_type() != GrantType::ClientCredentials {
            return Err(TokenError::UnsupportedGrantType);
        }
        let access = match (&request.resource[..], &self.access[..]) {
            ([audience], access) => access.iter().find(|(allowed, _)| allowed == audience),
            ([], [only]) => Some(only),
            _ => None,
        };
        let (audience, scopes) = access.ok_or(TokenError::InvalidTarget)?;
        let scope = scopes.narrow(request.scope.as_ref()).map_err(|_| TokenError::InvalidScope)?;
        Ok((audience.clone(), scope))
    }
}
