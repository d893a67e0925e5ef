//! The fleet in memory.

use std::{collections::HashMap, time::Duration};

use claviger_jose::NumericDate;
use claviger_oauth::{Audience, ClientId, Issuer, PresentedSecret, ScopeSet, TokenError};
use claviger_store::{Client, RegistrySnapshot, ResourceServer};
use secrecy::ExposeSecret;

use crate::admin;

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
    /// The view of a registry. No token lives longer than `longest`, whatever was declared when a longer
    /// one was allowed: how long a retired key stays published follows from it. The issuer's own admin API is always
    /// there, and as this program knows it, not as the database does.
    #[must_use]
    pub fn new(snapshot: RegistrySnapshot, longest: Duration, issuer: &Issuer) -> Self {
        let RegistrySnapshot { revision, mut registry } = snapshot;
        let own = admin::resource_server(issuer, longest);
        registry.resource_servers.retain(|server| server.audience != own.audience);
        for server in &mut registry.resource_servers {
            server.token_lifetime = server.token_lifetime.min(longest);
        }
        let scopes = registry.resource_servers.iter().flat_map(|server| server.scopes.iter());
        let scopes = scopes.filter_map(|scope| scope.parse().ok()).collect();
        registry.resource_servers.push(own);
        Self {
            revision,
            scopes,
            clients: registry.clients.into_iter().map(|client| (client.client_id.clone(), client)).collect(),
            resource_servers: registry
                .resource_servers
                .into_iter()
                .map(|server| (server.audience.clone(), server))
                .collect(),
        }
    }

    /// All scopes of all resource servers of the fleet, for the metadata.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The resource server with this identifier.
    #[must_use]
    pub fn resource_server(&self, audience: &Audience) -> Option<&ResourceServer> {
        self.resource_servers.get(audience)
    }

    /// The identifiers of all resource servers.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.resource_servers.keys()
    }

    /// Whether there is a resource server of this name.
    #[must_use]
    pub fn knows(&self, audience: &str) -> bool {
        self.resource_servers.contains_key(audience)
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

#[cfg(test)]
mod tests {
    use claviger_store::Registry;

    use super::*;

    // S-34
    #[test]
    fn no_token_outlives_the_policy_whatever_was_declared_before_it() {
        let text = r#"
            team = [{ name = "shop" }]
            resource_server = [{ audience = "https://a.test", team = "shop", token_lifetime = "1h" }]
        "#;
        let issuer = "https://id.test".parse().unwrap();
        let registry: Registry =
            crate::fleet::parse("fleet.toml", text, Duration::from_hours(1), &issuer).unwrap();
        let view =
            RegistryView::new(RegistrySnapshot { revision: 1, registry }, Duration::from_mins(5), &issuer);
        let server = view.resource_server(&"https://a.test".parse().unwrap()).unwrap();
        assert_eq!(server.token_lifetime, Duration::from_mins(5));
    }
}
