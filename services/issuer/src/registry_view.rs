//! The fleet in memory.

use std::collections::HashMap;

use claviger_jose::NumericDate;
use claviger_oauth::{Audience, ClientId, PresentedSecret, ScopeSet, TokenError};
use claviger_store::{Client, RegistrySnapshot, ResourceServer};
use secrecy::ExposeSecret;

/// The fleet as the request path sees it: in memory, looked up by name, swapped as a whole.
#[derive(Debug, Default)]
pub struct RegistryView {
    /// The registry revision that this is a view of.
    pub revision: u64,
    clients: HashMap<ClientId, Client>,
    resource_servers: HashMap<Audience, ResourceServer>,
    scopes: ScopeSet,
}

impl RegistryView {
    /// The view of a registry.
    #[must_use]
    pub fn new(snapshot: RegistrySnapshot) -> Self {
        let RegistrySnapshot { revision, registry } = snapshot;
        let scopes = registry.resource_servers.iter().flat_map(|server| server.scopes.iter());
        Self {
            revision,
            scopes: scopes.filter_map(|scope| scope.parse().ok()).collect(),
            clients: registry.clients.into_iter().map(|client| (client.client_id.clone(), client)).collect(),
            resource_servers: registry
                .resource_servers
                .into_iter()
                .map(|server| (server.audience.clone(), server))
                .collect(),
        }
    }

    /// All scopes of all resource servers, for the metadata.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The resource server with this identifier.
    #[must_use]
    pub fn resource_server(&self, audience: &Audience) -> Option<&ResourceServer> {
        self.resource_servers.get(audience)
    }

    /// Proves who a client is: the method that it registered, a secret that is alive
    /// (RFC 6749 section 2.3).
    ///
    /// # Errors
    /// `invalid_client`; the reason is for the log alone.
    pub fn authenticate(&self, presented: &PresentedSecret, now: NumericDate) -> Result<&Client, TokenError> {
        let refuse = |reason: &'static str| TokenError::InvalidClient(reason.into());
        let client = self.clients.get(&presented.client_id).ok_or_else(|| refuse("unknown client"))?;
        if client.method != presented.method {
            return Err(refuse("not the method that the client registered"));
        }
        let secret = presented.secret.expose_secret();
        let live = client.secrets.iter().filter(|secret| secret.is_live(now));
        if !live.fold(false, |found, stored| found | stored.hash.verify(secret)) {
            return Err(refuse("wrong secret"));
        }
        if client.disabled {
            return Err(refuse("the client is disabled"));
        }
        Ok(client)
    }
}
