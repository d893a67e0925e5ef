use std::{fmt, sync::Arc, time::Duration};

use claviger_oauth::{Audience, AuthenticationMethod, ScopeSet};
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    AccessToken, BuildError, TokenSourceError,
    policy::Policy,
    refresher::{Entry, Request},
    token_endpoint::TokenEndpoint,
};

/// More pairs of audience and scope than a service has; a bound for one that makes them up.
const MAX_ENTRIES: u64 = 256;
/// After this time a pair that nobody asks for is forgotten; its token went long before.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// Gets this service's own access tokens from one issuer and keeps them fresh.
///
/// Clones share tokens and refreshers; with the last clone all of them end.
#[derive(Clone)]
pub struct TokenSource {
    endpoint: Arc<TokenEndpoint>,
    policy: Policy,
    entries: Cache<(Audience, ScopeSet), Arc<Entry>>,
}

impl TokenSource {
    /// Starts the configuration of a source of tokens for the client `client_id` of `issuer`.
    pub fn builder(issuer: &str, client_id: &str, secret: SecretString) -> TokenSourceBuilder {
        TokenSourceBuilder {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            secret,
            method: AuthenticationMethod::ClientSecretBasic,
            policy: Policy::default(),
        }
    }

    /// A token for one audience that allows these scopes; an empty set asks for all that the
    /// client may have there.
    ///
    /// Answers from memory, except for the first token and after a time without use or without
    /// issuer; then it waits for one attempt of at most 5 s. The token is good for at least the
    /// smaller of 5 s and a tenth of its lifetime.
    ///
    /// # Errors
    /// [`TokenSourceError`], at once while the issuer is left alone after a failure.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn token(
        &self,
        audience: &Audience,
        scope: &ScopeSet,
    ) -> Result<AccessToken, TokenSourceError> {
        let key = (audience.clone(), scope.clone());
        let entry = self.entries.get_with(key, async { self.entry(audience, scope) }).await;
        entry.token().await
    }

    fn entry(&self, audience: &Audience, scope: &ScopeSet) -> Arc<Entry> {
        Arc::new(Entry::new(Request {
            endpoint: Arc::clone(&self.endpoint),
            audience: audience.clone(),
            scope: scope.clone(),
            policy: self.policy,
        }))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The configuration of a [`TokenSource`].
#[derive(Debug)]
#[must_use = "build it"]
pub struct TokenSourceBuilder {
    issuer: String,
    client_id: String,
    secret: SecretString,
    method: AuthenticationMethod,
    policy: Policy,
}

impl TokenSourceBuilder {
    /// How the client authenticates; without this, `client_secret_basic`.
    pub fn method(mut self, method: AuthenticationMethod) -> Self {
        self.method = method;
        self
    }

    /// Makes the source. Nothing is sent before the first token is asked for.
    ///
    /// # Errors
    /// [`BuildError`] for names that cannot be right, for an empty secret and for a method without one.
    pub fn build(self) -> Result<TokenSource, BuildError> {
        let issuer = self.issuer.parse().map_err(BuildError::Issuer)?;
        let client_id = self.client_id.parse().map_err(BuildError::ClientId)?;
        if self.secret.expose_secret().is_empty() {
            return Err(BuildError::NoSecret);
        }
        if !self.method.has_secret() {
            return Err(BuildError::Method);
        }
        let endpoint = TokenEndpoint::new(issuer, client_id, self.secret, self.method)?;
        let entries = Cache::builder().max_capacity(MAX_ENTRIES).time_to_idle(FORGOTTEN_AFTER).build();
        Ok(TokenSource { endpoint: Arc::new(endpoint), policy: self.policy, entries })
    }

    #[cfg(test)]
    fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}

#[cfg(test)]
mod tests;
