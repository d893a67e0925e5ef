use std::time::Duration;

use claviger_jose::{Algorithm, NumericDate};
use claviger_oauth::{
    Application, Audience, AuthenticationMethod, ClaimRule, ClientId, ClientKeys, GrantType, ScopeSet,
    TeamName,
};

use crate::{SecretHash, StoredSecret, UnreadableMember};

/// The fleet: who may get tokens, for whom. A value: it is read, changed as a whole and written back as a whole
/// ([`Store::replace_registry`](crate::Store::replace_registry)).
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// The teams, by name.
    pub teams: Vec<Team>,
    /// The resource servers, by audience.
    pub resource_servers: Vec<ResourceServer>,
    /// The clients, by id.
    pub clients: Vec<Client>,
    /// Members whose rows are damaged or of a newer program. They are in none of the lists above, so nobody gets tokens
    /// through them, and the others are as good as ever.
    pub unreadable: Vec<UnreadableMember>,
}

/// The registry at one moment.
#[derive(Debug, Clone)]
pub struct RegistrySnapshot {
    /// The number of the last change.
    pub revision: u64,
    /// The registry.
    pub registry: Registry,
}

/// A team: it owns resource servers and clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its name.
    pub name: TeamName,
}

/// A service that tokens are for.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceServer {
    /// Its identifier, the `aud` of its tokens.
    pub audience: Audience,
    /// Whose it is.
    pub team: TeamName,
    /// What its tokens are signed with.
    pub alg: Algorithm,
    /// How long its tokens live, in whole seconds.
    pub token_lifetime: Duration,
    /// The scopes that there are.
    pub scopes: ScopeSet,
    /// What its access tokens say besides, of the user and the client.
    pub claims: Vec<ClaimRule>,
}

/// Who asks for tokens: a service for itself, an application for people.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name.
    pub client_id: ClientId,
    /// Whose it is.
    pub team: TeamName,
    /// The one way in which it authenticates.
    pub method: AuthenticationMethod,
    /// Whether it gets no tokens for now.
    pub disabled: bool,
    /// For what it may ask for tokens.
    pub grant_types: Vec<GrantType>,
    /// Its public keys, if it authenticates with those.
    pub keys: ClientKeys,
    /// What it is to people, if it signs them in.
    pub application: Option<Application>,
    /// What it may have, at most one entry per audience.
    pub grants: Vec<ClientGrant>,
    /// Its secrets, oldest first; two may live at once, for a change-over.
    pub secrets: Vec<StoredSecret>,
}

/// Which scopes a client may have at an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientGrant {
    /// At which resource server.
    pub audience: Audience,
    /// Which of its scopes.
    pub scopes: ScopeSet,
}

impl Client {
    /// Gives the client a new secret. Older ones end at `others_end`, or earlier if they were to; those that have ended are
    /// forgotten.
    pub fn add_secret(&mut self, hash: SecretHash, now: NumericDate, others_end: NumericDate) {
        self.secrets.retain(|secret| secret.is_live(now));
        for secret in &mut self.secrets {
            secret.expires_at = Some(secret.expires_at.map_or(others_end, |end| end.min(others_end)));
        }
        self.secrets.push(StoredSecret { hash, created_at: now, expires_at: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    fn client() -> Client {
        Client {
            client_id: "orders".parse().expect("a client id"),
            team: "shop".parse().expect("a team name"),
            method: AuthenticationMethod::ClientSecretBasic,
            disabled: false,
            grant_types: vec![GrantType::ClientCredentials],
            keys: ClientKeys::None,
            application: None,
            grants: Vec::new(),
            secrets: Vec::new(),
        }
    }

    fn live(client: &Client, now: u64) -> Vec<u64> {
        let live = client.secrets.iter().filter(|secret| secret.is_live(at(now)));
        live.map(|secret| secret.created_at.as_secs()).collect()
    }

    // S-56
    #[test]
    fn two_secrets_live_at_once_until_the_older_one_ends() {
        let mut client = client();
        client.add_secret(SecretHash::of("first"), at(100), at(100));
        client.add_secret(SecretHash::of("second"), at(200), at(300));
        assert_eq!(live(&client, 299), [100, 200]);
        assert_eq!(live(&client, 300), [200]);
    }

    #[test]
    fn a_change_over_never_prolongs_a_secret() {
        let mut client = client();
        client.add_secret(SecretHash::of("first"), at(100), at(100));
        client.add_secret(SecretHash::of("second"), at(200), at(300));
        client.add_secret(SecretHash::of("third"), at(250), at(1000));
        assert_eq!(live(&client, 300), [200, 250]);
    }

    #[test]
    fn a_secret_that_has_ended_is_forgotten() {
        let mut client = client();
        client.add_secret(SecretHash::of("first"), at(100), at(100));
        client.add_secret(SecretHash::of("second"), at(200), at(200));
        client.add_secret(SecretHash::of("third"), at(300), at(400));
        assert_eq!(client.secrets.len(), 2);
    }
}
