//! The fleet in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use claviger_oauth::{Audience, ClientId, ClientKeys, Issuer, ScopeSet};
use claviger_store::{Client, RegistrySnapshot, ResourceServer};

use crate::{admin, client_auth::KeySet};

/// The fleet as the request path sees it: in memory, looked up by name, swapped as a whole.
#[derive(Debug, Default)]
pub struct RegistryView {
    /// The registry revision that this is a view of.
    pub revision: u64,
    clients: HashMap<ClientId, Arc<Client>>,
    /// The keys that clients have registered, prepared once.
    keys: HashMap<ClientId, Arc<KeySet>>,
    /// The origins of the pages of clients that are not disabled.
    origins: HashSet<String>,
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
        for member in &registry.unreadable {
            let reason = &member.reason;
            tracing::error!(%member, reason, "it cannot be read from the database: nobody gets tokens through it");
        }
        let own = admin::resource_server(issuer, longest);
        registry.resource_servers.retain(|server| server.audience != own.audience);
        for server in &mut registry.resource_servers {
            server.token_lifetime = server.token_lifetime.min(longest);
        }
        let scopes = registry.resource_servers.iter().flat_map(|server| server.scopes.iter());
        let scopes = scopes.filter_map(|scope| scope.parse().ok()).collect();
        registry.resource_servers.push(own);
        let enabled = registry.clients.iter().filter(|client| !client.disabled);
        let applications = enabled.filter_map(|client| client.application.as_ref());
        let origins = applications.flat_map(|application| application.origins.iter().cloned()).collect();
        Self {
            revision,
            scopes,
            origins,
            keys: registry.clients.iter().filter_map(registered_keys).collect(),
            clients: registry
                .clients
                .into_iter()
                .map(|client| (client.client_id.clone(), Arc::new(client)))
                .collect(),
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

    /// The client of this name; whether a request comes from it is for
    /// `client_auth` to say.
    #[must_use]
    pub fn client(&self, client_id: &ClientId) -> Option<&Arc<Client>> {
        self.clients.get(client_id)
    }

    /// Whether a page of this origin may call.
    #[must_use]
    pub fn has_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }

    /// The keys that a client has registered.
    pub(crate) fn keys_of(&self, client_id: &ClientId) -> Option<&Arc<KeySet>> {
        self.keys.get(client_id)
    }

    /// Where clients publish their keys.
    pub(crate) fn jwks_uris(&self) -> HashSet<&str> {
        let uris = self.clients.values().filter_map(|client| match &client.keys {
            ClientKeys::Uri(uri) => Some(uri.as_str()),
            ClientKeys::None | ClientKeys::Set(_) => None,
        });
        uris.collect()
    }
}

fn registered_keys(client: &Client) -> Option<(ClientId, Arc<KeySet>)> {
    let ClientKeys::Set(set) = &client.keys else {
        return None;
    };
    match KeySet::parse(set.as_bytes()) {
        Ok(keys) => Some((client.client_id.clone(), Arc::new(keys))),
        Err(error) => {
            tracing::error!(client = %client.client_id, %error, "the registered keys cannot be read: it cannot authenticate");
            None
        }
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
