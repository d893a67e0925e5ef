use std::{net::IpAddr, time::Duration};

use base64_simd::STANDARD;
use claviger_jose::base64url;
use claviger_oauth::{AuthenticationMethod, ClientParameters, GrantType, Issuer};
use claviger_store::{RegistrySnapshot, SecretHash};
use claviger_testkit::TestKey;
use migrations::Migrator;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::fleet;

mod assertion;
mod published;

const ISSUER: &str = "https://id.fleet.test";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// A client of each method, and the same again, disabled.
const FLEET: &str = r#"
team = [{ name = "shop" }]

[[client]]
id = "basic"
team = "shop"

[[client]]
id = "post"
team = "shop"
method = "client_secret_post"

[[client]]
id = "robot"
team = "shop"
method = "private_key_jwt"
jwks = '[KEYS]'

[[client]]
id = "public"
team = "shop"
kind = "native"
name = "Public"
redirect_uris = ["http://127.0.0.1/"]
grant_types = ["authorization_code", "refresh_token"]
"#;

struct House {
    _directory: TempDir,
    auth: ClientAuth,
    /// Another process of the same issuer.
    replica: ClientAuth,
    registry: RegistryView,
}

impl House {
    async fn new() -> Self {
        Self::with(ISSUER, |_| ()).await
    }

    async fn with(issuer: &str, change: impl Fn(&mut Client)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
        let store = Store::open::<Migrator>(&url).await.unwrap();
        let issuer: Issuer = issuer.parse().unwrap();
        let fleet = FLEET.replace("[KEYS]", &key_set(&[TestKey::es256(), TestKey::rs256()]));
        let longest = Duration::from_mins(5);
        let mut registry = fleet::parse("fleet.toml", &fleet, longest, &issuer).unwrap();
        for client in &mut registry.clients {
            client.add_secret(SecretHash::of("s3cret"), wall_clock(), wall_clock());
            change(client);
        }
        let registry = RegistryView::new(RegistrySnapshot { revision: 1, registry }, longest, &issuer);
        let replica = ClientAuth::new(&issuer, store.clone());
        Self { _directory: directory, auth: ClientAuth::new(&issuer, store), replica, registry }
    }

    async fn authenticate(&self, presented: &PresentedClient) -> Result<String, TokenError> {
        let client = self.auth.authenticate(&self.registry, presented, HERE).await;
        client.map(|client| client.client_id.to_string())
    }

    /// The reason for the log of the refusal; the client learns the code alone.
    async fn refuses(&self, assertion: &str, reason: &str) {
        let refused = self.authenticate(&by_assertion(assertion)).await.expect_err(reason);
        assert_eq!(
            (refused.code(), refused.description()),
            ("invalid_client", "the client is not authenticated")
        );
        assert!(refused.to_string().contains(reason), "{reason:?}: {refused}");
        assert!(!refused.to_string().contains(assertion));
    }
}

fn key_set(keys: &[&TestKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

fn claims(jti: &str) -> Value {
    let now = wall_clock().as_secs();
    json!({ "iss": "robot", "sub": "robot", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti })
}

fn sign(key: &TestKey, claims: &Value) -> String {
    let header = json!({ "alg": key.alg(), "kid": key.kid(), "typ": "client-authentication+jwt" });
    key.jws(header, &claims.to_string())
}

fn parameters(body: &str) -> ClientParameters {
    ClientParameters::parse(body.as_bytes()).unwrap()
}

fn by_assertion(assertion: &str) -> PresentedClient {
    let body = format!(
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}"
    );
    PresentedClient::from_request([], &parameters(&body)).unwrap()
}

/// A client presents what it may or may not have, in this way.
fn present(client_id: &str, method: AuthenticationMethod, jti: &str) -> PresentedClient {
    match method {
        AuthenticationMethod::ClientSecretBasic => {
            let header = format!("Basic {}", STANDARD.encode_to_string(format!("{client_id}:s3cret")));
            PresentedClient::from_request([header.as_bytes()], &parameters("")).unwrap()
        }
        AuthenticationMethod::ClientSecretPost => {
            let body = format!("client_id={client_id}&client_secret=s3cret");
            PresentedClient::from_request([], &parameters(&body)).unwrap()
        }
        AuthenticationMethod::PrivateKeyJwt => {
            let mut claims = claims(jti);
            (claims["iss"], claims["sub"]) = (client_id.into(), client_id.into());
            by_assertion(&sign(TestKey::es256(), &claims))
        }
        AuthenticationMethod::None => {
            PresentedClient::from_request([], &parameters(&format!("client_id={client_id}"))).unwrap()
        }
    }
}

// S-57
#[tokio::test]
async fn a_client_authenticates_with_the_one_method_that_it_registered() {
    let house = House::new().await;
    let registered = AuthenticationMethod::ALL.into_iter().zip(["basic", "post", "robot", "public"]);
    for (own, client_id) in registered {
        for (number, method) in AuthenticationMethod::ALL.into_iter().enumerate() {
            let presented = present(client_id, method, &format!("{client_id} {number}"));
            let answer = house.authenticate(&presented).await;
            if method == own {
                assert_eq!(answer.unwrap(), client_id);
            } else {
                let refused = answer.expect_err("another method");
                assert!(refused.to_string().contains("not the method"), "{client_id} by {method}: {refused}");
            }
        }
    }
    let nobody = present("nobody", AuthenticationMethod::None, "");
    assert_eq!(house.authenticate(&nobody).await.unwrap_err().code(), "invalid_client");
}

// S-60
#[tokio::test]
async fn a_disabled_client_is_nobody_by_any_method_and_so_for_any_grant() {
    let house = House::with(ISSUER, |client| client.disabled = true).await;
    for (method, client_id) in AuthenticationMethod::ALL.into_iter().zip(["basic", "post", "robot", "public"])
    {
        let refused = house.authenticate(&present(client_id, method, "j")).await.expect_err(client_id);
        assert_eq!(refused, TokenError::InvalidClient("the client is disabled".into()));
    }
}

// S-60
#[tokio::test]
async fn a_client_trades_only_what_it_was_registered_for() {
    let house = House::new().await;
    let allowed = |client_id: &str| {
        let client = house.registry.client(&client_id.parse().unwrap()).unwrap();
        GrantType::ALL.map(|grant| allow(client, grant).is_ok())
    };
    assert_eq!(allowed("basic"), [true, false, false]);
    assert_eq!(allowed("public"), [false, true, true]);
    let public = house.registry.client(&"public".parse().unwrap()).unwrap();
    assert_eq!(allow(public, GrantType::ClientCredentials), Err(TokenError::UnauthorizedClient));
}

// S-56
#[tokio::test]
async fn who_fails_too_often_waits_and_the_client_itself_never_does() {
    let house = House::new().await;
    let post = |secret: &str| {
        let body = format!("client_id=post&client_secret={secret}");
        PresentedClient::from_request([], &parameters(&body)).unwrap()
    };
    let (wrong, right) = (post("wrong"), post("s3cret"));
    for _ in 0..20 {
        assert_eq!(house.authenticate(&wrong).await.unwrap_err().code(), "invalid_client");
    }
    let waits = house.authenticate(&wrong).await.unwrap_err();
    assert!(matches!(waits, TokenError::TemporarilyUnavailable { retry_after: 1..=4 }), "{waits}");
    assert!(house.authenticate(&right).await.is_ok(), "the client itself, at the same address");
    let elsewhere = house.auth.authenticate(&house.registry, &wrong, [198, 51, 100, 1].into()).await;
    assert_eq!(elsewhere.unwrap_err().code(), "invalid_client", "at another address");
    let basic = PresentedClient::from_request([&b"Basic YmFzaWM6d3Jvbmc="[..]], &parameters("")).unwrap();
    assert_eq!(house.authenticate(&basic).await.unwrap_err().code(), "invalid_client", "another client");
}

// S-56
#[tokio::test]
async fn a_flood_of_forged_assertions_does_not_keep_their_client_out() {
    let house = House::new().await;
    for number in 0..30 {
        let mut forged = sign(TestKey::es256(), &claims(&number.to_string()));
        forged.replace_range(forged.rfind('.').unwrap() + 1.., &base64url::encode(&[7; 64]));
        let refused = house.authenticate(&by_assertion(&forged)).await.unwrap_err();
        assert_eq!(refused.code(), if number < 20 { "invalid_client" } else { "temporarily_unavailable" });
    }
    let own = by_assertion(&sign(TestKey::es256(), &claims("own")));
    assert_eq!(house.authenticate(&own).await.unwrap(), "robot");
}

// S-78
#[tokio::test]
async fn while_the_database_is_gone_nobody_is_called_an_impostor() {
    let house = House::new().await;
    house.auth.store.clone().close().await.unwrap();
    let assertion = by_assertion(&sign(TestKey::es256(), &claims("j")));
    let refused = house.authenticate(&assertion).await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("temporarily_unavailable", 503));
}

// S-103
#[tokio::test]
async fn nothing_that_was_presented_is_shown() {
    let house = House::new().await;
    let signature = base64url::encode(b"canary");
    let presented = by_assertion(&format!("e30.e30.{signature}"));
    let refused = house.authenticate(&presented).await.unwrap_err();
    let told = format!("{presented:?} {refused:?} {refused} {:?}", house.auth);
    assert!(!told.contains(&signature) && !told.contains("e30"), "{told}");
}
