//! An issuer in this process, with sockets of its own and a database in a directory of its own.

use std::time::{Duration, Instant};

use claviger_issuer::{
    config::Config,
    fleet,
    http::{Drained, Shutdown, ShutdownHandle},
    keys::create_kek,
    server::{AuthorizationServer, TickerEnded},
};
use claviger_jose::{JwkSet, UnverifiedJws, VerifyingKey};
use claviger_store::{Outcome, SecretHash, Store};
use migrations::Migrator;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const ADMIN: &str = "http://127.0.0.1:8080/admin";
pub(crate) const SHOP: &str = "https://shop.test";
/// Nothing here takes so long unless it hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(30);
pub(crate) const SECRET: &str = "a secret of the tests, and of no others";

/// What a rotation must wait for is soon over.
pub(crate) const SHORT: &str = r#"
    token_lifetime = "60s"
    rotation = { period = "1h", lead = "3s", tail = "61s", lease = "1s" }
    verifiers = { skew = "0s", freshness = "1s", staleness = "1h", poll = "1s", foreign = false }
"#;

const FLEET: &str = r#"
team = [{ name = "shop" }]
resource_server = [{ audience = "https://shop.test", team = "shop", scopes = ["shop:read"] }]

[[client]]
id = "operator"
team = "shop"
access."http://127.0.0.1:8080/admin" = [
    "keys:read", "keys:rotate", "keys:revoke", "revocations:write", "fleet:read", "audit:read",
    "users:read", "users:write",
]
access."https://shop.test" = ["shop:read"]

[[client]]
id = "machine"
team = "shop"
method = "client_secret_post"
access."https://shop.test" = ["shop:read"]

[[client]]
id = "cli"
team = "shop"
kind = "native"
name = "The command line"
redirect_uris = ["http://127.0.0.1/callback"]
grant_types = ["authorization_code", "refresh_token"]
identity_scopes = ["openid", "offline_access"]
access."https://shop.test" = ["shop:read"]

[[client]]
id = "own-app"
team = "shop"
kind = "native"
name = "The app of the house"
first_party = true
redirect_uris = ["http://127.0.0.1/callback"]
identity_scopes = ["openid"]

[[client]]
id = "page"
team = "shop"
kind = "browser"
name = "The page"
redirect_uris = ["https://page.test/callback"]
origins = ["https://page.test"]

[[client]]
id = "disabled"
team = "shop"
disabled = true
kind = "browser"
name = "The page before"
redirect_uris = ["https://disabled.test/callback"]
origins = ["https://disabled.test"]
"#;

pub(crate) struct Issuer {
    directory: TempDir,
    pub(crate) config: Config,
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) store: Store,
    pub(crate) http: reqwest::Client,
    handle: ShutdownHandle,
    serving: JoinHandle<Result<Drained, TickerEnded>>,
}

impl Issuer {
    /// `settings` are lines of `claviger.toml`, behind those at its top level.
    pub(crate) async fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        create_kek(&directory.path().join("kek")).unwrap();
        let text = format!(
            r#"
            issuer = "{ISSUER}"
            listen = "127.0.0.1:0"
            database = "sqlite://claviger.db"
            key_encryption_key = "kek"
            server.drain_delay = "0s"
            admin.listen = "127.0.0.1:0"
            {settings}
            "#
        );
        let config = Config::parse("claviger.toml", &text, directory.path(), |_| None).unwrap();
        let store = Store::open::<Migrator>(&config.database).await.unwrap();
        apply(&store, &config).await;
        Self::serve(directory, config).await
    }

    /// Another process with the same database.
    pub(crate) async fn restart(self) -> Self {
        let (directory, config) = self.halt().await;
        Self::serve(directory, config).await
    }

    async fn serve(directory: TempDir, config: Config) -> Self {
        let store = Store::open::<Migrator>(&config.database).await.unwrap();
        let (shutdown, handle) = Shutdown::manual();
        let server = AuthorizationServer::bind(config.clone(), shutdown).await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let admin = format!("http://{}", server.admin_addr().unwrap().unwrap());
        let serving = tokio::spawn(server.serve());
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.timeout(HANGS).build().unwrap();
        Self { directory, config, url, admin, store, http, handle, serving }
    }

    /// A token of the operator's.
    pub(crate) async fn token(&self, audience: &str, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("resource", audience), ("scope", scope)];
        let request = self.http.post(format!("{}/oauth2/token", self.url));
        let answer = request.basic_auth("operator", Some(SECRET)).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 200, "a token for {audience}");
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A request to the admin API with a token of this scope.
    pub(crate) async fn ask(&self, method: Method, path: &str, scope: &str) -> RequestBuilder {
        let token = self.token(ADMIN, scope).await;
        self.http.request(method, format!("{}/admin/v1/{path}", self.admin)).bearer_auth(token)
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, scope: &str, body: &Value) -> (u16, Value) {
        let request = self.ask(method, path, scope).await.json(body);
        answer(request.send().await.unwrap()).await
    }

    pub(crate) async fn revision(&self) -> u64 {
        self.store.revisions().await.unwrap().keyring
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub(crate) async fn key_set(&self) -> (JwkSet, String) {
        let answer = self.get("/.well-known/jwks.json").await;
        let tag = answer.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
        (JwkSet::parse(&answer.bytes().await.unwrap()).unwrap(), tag)
    }

    pub(crate) async fn stop(self) {
        self.halt().await;
    }

    async fn halt(self) -> (TempDir, Config) {
        self.handle.ask();
        assert_eq!(self.serving.await.unwrap().unwrap(), Drained::Finished);
        (self.directory, self.config)
    }
}

/// Status and JSON body of an answer.
pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Asks until there is an answer, and not for ever.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < HANGS, "waited for long: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a JWS says, verified with the key of its kid; none if the set does not have that key.
pub(crate) fn verified<T: claviger_jose::Payload + serde::de::DeserializeOwned>(
    jws: &str,
    set: &JwkSet,
) -> Option<T> {
    let jws = UnverifiedJws::parse(jws).ok()?;
    let key = set.keys().iter().find(|key| key.kid() == jws.kid())?;
    let key: VerifyingKey = key.verifying_key().unwrap();
    Some(key.verify::<T>(&jws).unwrap().into_inner())
}

async fn apply(store: &Store, config: &Config) {
    store.bind_issuer(ISSUER).await.unwrap();
    let longest = config.policy.lifetimes().token;
    let mut registry = fleet::parse("fleet.toml", FLEET, longest, &config.issuer).unwrap();
    let now = store.now().await.unwrap();
    for client in &mut registry.clients {
        client.add_secret(SecretHash::of(SECRET), now, now);
    }
    assert_eq!(store.replace_registry(0, &registry, &[]).await.unwrap(), Outcome::Applied);
}
