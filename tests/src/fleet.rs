use std::collections::HashMap;

use anyhow::{Context, ensure};
use claviger_jose::Algorithm;
use claviger_testkit::TestKey;
use serde_json::json;

use crate::{Database, IssuerHome, Replica, Service, TokenQuestion, account::Moment, client, ready};

/// The audience of `orders`.
pub const ORDERS: &str = "https://orders.fleet.test";
/// The audience of `ledger`.
pub const LEDGER: &str = "https://ledger.fleet.test";

/// The page of `orders` as a client, once it is admitted.
pub const PAGE: &str = "orders-page";

/// Two teams, a service each with an algorithm each, their services as clients, and the applications that sign people in: a
/// shop with a server, a page, a command line and a first-party app, and somebody else's. The key of `robot` is
/// [`TestKey::nth(Algorithm::Es256, 2)`](claviger_testkit::TestKey::nth).
pub const FLEET: &str = r#"
[[team]]
name = "shop"

[[team]]
name = "books"

[[resource_server]]
audience = "https://orders.fleet.test"
team = "shop"
algorithm = "ES256"
scopes = ["orders:read", "orders:write"]

[[resource_server]]
audience = "https://ledger.fleet.test"
team = "books"
algorithm = "RS256"
scopes = ["ledger:read", "ledger:post"]

[[client]]
id = "web"
team = "shop"
access."https://orders.fleet.test" = ["orders:read", "orders:write"]

[[client]]
id = "orders"
team = "shop"
access."https://ledger.fleet.test" = ["ledger:post"]

[[client]]
id = "auditor"
team = "books"
method = "client_secret_post"
access."https://ledger.fleet.test" = ["ledger:read"]

[[client]]
id = "batch"
team = "books"
access."https://orders.fleet.test" = ["orders:read"]
access."https://ledger.fleet.test" = ["ledger:read", "ledger:post"]

[[client]]
id = "shop-web"
team = "shop"
access."https://orders.fleet.test" = ["orders:read", "orders:write"]
kind = "web"
name = "The shop"
first_party = true
grant_types = ["authorization_code", "refresh_token"]
identity_scopes = ["openid", "profile", "email", "roles", "groups", "offline_access"]
redirect_uris = ["https://shop.fleet.test/callback", "http://127.0.0.1:9/callback"]
post_logout_redirect_uris = ["https://shop.fleet.test/", "http://127.0.0.1:9/goodbye"]

[[client]]
id = "shop-spa"
team = "shop"
access."https://orders.fleet.test" = ["orders:read", "orders:write"]
kind = "browser"
name = "The shop's page"
first_party = true
grant_types = ["authorization_code", "refresh_token"]
identity_scopes = ["openid", "profile", "offline_access"]
redirect_uris = ["https://page.fleet.test/callback", "http://127.0.0.1:9/page"]
post_logout_redirect_uris = ["https://page.fleet.test/"]
origins = ["https://page.fleet.test", "http://127.0.0.1:9"]

[[client]]
id = "shop-cli"
team = "shop"
access."https://orders.fleet.test" = ["orders:read"]
kind = "native"
name = "The shop's command line"
grant_types = ["authorization_code", "refresh_token"]
identity_scopes = ["openid", "profile", "offline_access"]
redirect_uris = ["http://127.0.0.1/callback", "http://[::1]/callback", "test.fleet.shop:/callback"]

[[client]]
id = "shop-app"
team = "shop"
access."https://orders.fleet.test" = ["orders:read", "orders:write"]
kind = "native"
first_party = true
grant_types = ["authorization_code", "refresh_token"]
identity_scopes = ["openid", "profile", "offline_access"]

[[client]]
id = "partner"
team = "books"
access."https://orders.fleet.test" = ["orders:read"]
kind = "web"
name = "A partner"
grant_types = ["authorization_code", "refresh_token"]
identity_scopes = ["openid", "profile", "email", "offline_access"]
redirect_uris = ["https://partner.test/callback"]

[[client]]
id = "robot"
team = "books"
access."https://ledger.fleet.test" = ["ledger:read"]
method = "private_key_jwt"
jwks = '''
{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
    "kid": "A2GEkRrjlDi1yIoKnguVrBvwSElIXxSoAhJ6g_agKps",
    "x": "1iPqVgZoyfMURYwYH0ZZvUiSDQYGKEC5CVlAcTXR9vY",
    "y": "RyjT8X7xXpmNtOPib8aEoKv46Dvh00pbs0U2cqLr2co"}]}
'''
"#;

/// What `robot` shows instead of a secret (RFC 7523): its statement to an issuer, good for a minute, by this name.
#[must_use]
pub fn robot_assertion(issuer: &str, now: Moment, jti: &str) -> String {
    let key = TestKey::nth(Algorithm::Es256, 2);
    let header = json!({ "alg": "ES256", "kid": key.kid(), "typ": "client-authentication+jwt" });
    let end = now.as_secs() + 60;
    let claims = json!({ "iss": "robot", "sub": "robot", "aud": issuer, "exp": end, "jti": jti });
    key.jws(header, &claims.to_string())
}

/// An issuer, both services, and the clients of [`FLEET`].
#[derive(Debug)]
pub struct Fleet {
    /// The issuer's data directory.
    pub home: IssuerHome,
    /// The issuer's processes; none while it is stopped.
    pub issuers: Vec<Replica>,
    /// The service of team shop.
    pub orders: Service,
    /// The service of team books.
    pub ledger: Service,
    /// A client for requests.
    pub http: reqwest::Client,
    secrets: HashMap<String, String>,
    database: Database,
}

impl Fleet {
    /// Starts all of it and waits until it is ready. For `settings` see [`IssuerHome::init`].
    ///
    /// # Errors
    /// If a part does not become ready.
    pub async fn start(database: &Database, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let home = IssuerHome::init(database, settings).await?;
        let secrets: HashMap<_, _> = home.apply(FLEET).await?.into_iter().collect();
        let issuers = start_replicas(&home, database).await?;
        let orders_secret = secrets.get("orders").context("orders has a secret")?;
        let ledger = [("--issuer", home.url()), ("--audience", LEDGER)];
        let ledger = Service::start("ledger", &ledger, &home.path().join("ledger")).await?;
        let orders = [
            ("--issuer", home.url()),
            ("--audience", ORDERS),
            ("--ledger", ledger.url()),
            ("--client-id", "orders"),
            ("--client-secret", orders_secret),
            ("--page-client", PAGE),
        ];
        let orders = Service::start("orders", &orders, &home.path().join("orders")).await?;
        orders.ready().await?;
        ledger.ready().await?;
        let database = database.clone();
        Ok(Self { home, issuers, orders, ledger, http: client(), secrets, database })
    }

    /// One more replica, with more in its environment. It need not become ready.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn add_replica(&mut self, environment: &[(&str, &str)]) -> anyhow::Result<&Replica> {
        self.issuers.push(Replica::start(&self.home, &self.database, environment).await?);
        self.issuers.last().context("it was pushed just now")
    }

    /// Where the issuer keeps what it knows.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// A client's secret; empty if there is no such client.
    #[must_use]
    pub fn secret(&self, client_id: &str) -> &str {
        self.secrets.get(client_id).map_or("", String::as_str)
    }

    /// A token for a client at an audience, with all the scopes that it may have.
    ///
    /// # Errors
    /// If the issuer refuses.
    pub async fn token(&self, client_id: &str, audience: &str) -> anyhow::Result<String> {
        let secret = self.secret(client_id);
        let question = TokenQuestion { client_id, secret, resource: Some(audience), scope: None };
        let reply = self.home.ask_token(&self.http, question).await?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.body);
        let token = reply.json()["access_token"].as_str().map(str::to_owned);
        token.context("the answer has a token")
    }

    /// Stops the issuer as a power cut would.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn stop_issuer(&mut self) -> anyhow::Result<()> {
        for replica in self.issuers.drain(..) {
            replica.kill(&self.home).await?;
        }
        Ok(())
    }

    /// Starts the issuer again.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start_issuer(&mut self) -> anyhow::Result<()> {
        self.issuers = start_replicas(&self.home, &self.database).await?;
        Ok(())
    }
}

async fn start_replicas(home: &IssuerHome, database: &Database) -> anyhow::Result<Vec<Replica>> {
    let mut replicas = Vec::new();
    for _ in 0..database.replicas() {
        replicas.push(Replica::start(home, database, &[]).await?);
    }
    for replica in &replicas {
        ready(&replica.process).await?;
    }
    Ok(replicas)
}
