use anyhow::Context;
use e2e::{Database, FLEET, IssuerHome, Process, TokenQuestion, client, token_request};

/// The client that asks for tokens; it has access to both audiences.
pub(crate) const CLIENT: &str = "batch";

/// A served issuer with the clients of the fleet.
pub(crate) struct Stage {
    pub(crate) home: IssuerHome,
    pub(crate) issuer: Process,
    secret: String,
}

impl Stage {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let home = IssuerHome::init(&Database::Sqlite, &[]).await?;
        let secrets = home.apply(FLEET).await?;
        let secret = secrets.into_iter().find(|(client, _)| client == CLIENT).context("a secret")?.1;
        let issuer = home.serve().await?;
        Ok(Self { home, issuer, secret })
    }

    /// A token request for an audience, as it goes over the wire.
    pub(crate) fn token_request(&self, audience: &str) -> Vec<u8> {
        token_request(CLIENT, &self.secret, audience)
    }

    pub(crate) async fn token(&self, audience: &str) -> anyhow::Result<String> {
        let resource = Some(audience);
        let question = TokenQuestion { client_id: CLIENT, secret: &self.secret, resource, scope: None };
        let reply = self.home.ask_token(&client(), question).await?;
        let token = reply.json()["access_token"].as_str().map(str::to_owned);
        token.with_context(|| format!("no token: {} {}", reply.status, reply.body))
    }
}
