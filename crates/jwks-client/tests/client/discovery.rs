use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing};
use claviger_jose::NumericDate;
use claviger_jwks_client::{FeedError, FetchError, JwksClient};
use claviger_testkit::{Fault, TestClock, TestIssuer, TestKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::is_unavailable;

/// An issuer that only speaks OpenID Connect Discovery, and says this about itself.
async fn openid_issuer(metadata: impl FnOnce(&str) -> Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let metadata = metadata(&url);
    let routes = Router::new()
        .route("/.well-known/openid-configuration", routing::get(async move || Json(metadata)))
        .route("/keys", routing::get(async || Json(json!({ "keys": [TestKey::es256().jwk()] }))));
    tokio::spawn(async { axum::serve(listener, routes).await });
    url
}

/// The outcome of the first attempt.
async fn first_attempt(issuer: &str) -> Result<(), FetchError> {
    let client = JwksClient::builder(issuer).build().unwrap();
    match client.resolve(TestKey::es256().kid()).await {
        Ok(_) => Ok(()),
        Err(error) => {
            assert!(is_unavailable(error));
            Err(client.status().last_error.unwrap())
        }
    }
}

#[tokio::test]
async fn openid_discovery_is_asked_where_rfc_8414_is_unknown() {
    let url = openid_issuer(|url| json!({ "issuer": url, "jwks_uri": format!("{url}/keys") })).await;
    assert_eq!(first_attempt(&url).await, Ok(()));
}

// S-5
#[tokio::test]
async fn metadata_must_name_the_issuer_byte_for_byte() {
    for name in ["{}/", "HTTP{}", "https://id.test"] {
        let claimed = |url: &str| name.replace("{}", url).replace("HTTPhttp", "HTTP");
        let url =
            openid_issuer(|url| json!({ "issuer": claimed(url), "jwks_uri": format!("{url}/keys") })).await;
        assert_eq!(first_attempt(&url).await, Err(FetchError::OtherIssuer), "{name}");
    }
}

/// No feed is no fault of the keys: what others mean by the member, or a mistake in it, refuses none.
// S-24
#[tokio::test]
async fn metadata_cannot_lead_the_polls_elsewhere() {
    for named in [
        json!("http://169.254.169.254/feed"),
        json!("https://id.test/feed"),
        json!("/feed"),
        json!(7),
        json!(null),
    ] {
        let metadata =
            |url: &str| json!({ "issuer": url, "jwks_uri": format!("{url}/keys"), "revocations_uri": named });
        let url = openid_issuer(metadata).await;
        let client = JwksClient::builder(&url).build().unwrap();
        assert!(client.ready_within(Duration::from_secs(10)).await, "{named}");
        assert_eq!(client.poll_revocations().await, Err(FeedError::NoFeed), "{named}");
    }
}

// S-24
#[tokio::test]
async fn metadata_cannot_lead_elsewhere() {
    let check = async |jwks_uri: Value, expected: FetchError| {
        let url = openid_issuer(|url| json!({ "issuer": url, "jwks_uri": jwks_uri })).await;
        assert_eq!(first_attempt(&url).await, Err(expected), "{jwks_uri}");
    };
    for elsewhere in
        ["http://169.254.169.254/keys", "https://127.0.0.1/keys", "file:///etc/passwd", "/keys", ""]
    {
        check(elsewhere.into(), FetchError::JwksUri).await;
    }
    check(json!(1), FetchError::Metadata).await;
    check(json!(null), FetchError::Metadata).await;
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused_until_it_is_mended() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::ContradictingIssuer);
    assert_eq!(first_attempt(issuer.url()).await, Err(FetchError::OtherIssuer));
    assert_eq!(issuer.fetches(), 0, "the key set of a stranger is not even asked for");
    let client = JwksClient::builder(issuer.url()).build().unwrap();
    issuer.heal();
    assert!(client.ready_within(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn a_given_jwks_url_needs_no_metadata() {
    let issuer = TestIssuer::start().await;
    let client = JwksClient::builder("https://id.test").jwks_url(&issuer.jwks_url()).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    assert_eq!((client.issuer(), issuer.metadata_fetches()), ("https://id.test", 0));
}

/// An issuer whose metadata the test writes: what RFC 8414 asks for is answered by `oauth`.
async fn shown_issuer(oauth: Shown) -> (String, Arc<Mutex<Shown>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shown = Arc::new(Mutex::new(oauth));
    let (first, name) = (Arc::clone(&shown), url.clone());
    let metadata = move |path: &str| json!({ "issuer": name, "jwks_uri": format!("{name}{path}") });
    let openid = metadata("/keys");
    let oauth = async move || match first.lock().unwrap().clone() {
        Shown::Metadata(path) => Json(metadata(path)).into_response(),
        Shown::Page => "<html>".into_response(),
        Shown::Status(status) => (StatusCode::from_u16(status).unwrap(), [("location", "/")]).into_response(),
    };
    let set = |key: &TestKey| json!({ "keys": [key.jwk()] });
    let (keys, moved) = (set(TestKey::es256()), set(TestKey::rs256()));
    let routes = Router::new()
        .route("/.well-known/oauth-authorization-server", routing::get(oauth))
        .route("/.well-known/openid-configuration", routing::get(async || Json(openid)))
        .route("/keys", routing::get(async || Json(keys)))
        .route("/moved", routing::get(async || Json(moved)));
    tokio::spawn(async { axum::serve(listener, routes).await });
    (url, shown)
}

#[derive(Clone)]
enum Shown {
    Metadata(&'static str),
    Page,
    Status(u16),
}

#[tokio::test]
async fn openid_discovery_is_asked_whatever_a_server_without_rfc_8414_answers() {
    for absent in
        [Shown::Page, Shown::Status(400), Shown::Status(401), Shown::Status(403), Shown::Status(302)]
    {
        assert_eq!(first_attempt(&shown_issuer(absent).await.0).await, Ok(()));
    }
    for status in [429, 500, 503] {
        let url = shown_issuer(Shown::Status(status)).await.0;
        assert_eq!(first_attempt(&url).await, Err(FetchError::Status(status)));
    }
}

#[tokio::test]
async fn a_set_that_has_moved_is_found_while_the_old_one_is_still_there() {
    let (url, shown) = shown_issuer(Shown::Metadata("/keys")).await;
    let clock = TestClock::at(NumericDate::from_secs(0));
    let client = JwksClient::builder(&url).clock(Arc::new(clock.clone())).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    *shown.lock().unwrap() = Shown::Metadata("/moved");
    clock.advance(Duration::from_mins(59));
    client.refresh_now().await.unwrap();
    assert!(client.known(TestKey::es256().kid()).is_some());
    clock.advance(Duration::from_mins(1));
    client.refresh_now().await.unwrap();
    assert!(client.known(TestKey::es256().kid()).is_none());
    assert!(client.known(TestKey::rs256().kid()).is_some());
    // Metadata that cannot be read is no reason to go without.
    *shown.lock().unwrap() = Shown::Status(500);
    clock.advance(Duration::from_hours(2));
    assert_eq!(client.refresh_now().await, Ok(()));
    assert!(client.known(TestKey::rs256().kid()).is_some());
}

#[tokio::test]
async fn metadata_is_read_once_and_again_after_a_failure() {
    let rig = crate::Rig::start().await;
    rig.provoke().await;
    assert_eq!((rig.issuer.metadata_fetches(), rig.issuer.fetches()), (1, 2));
    rig.issuer.fault(Fault::Status(503));
    rig.provoke().await;
    rig.issuer.heal();
    rig.clock.advance(Duration::from_mins(2));
    rig.provoke().await;
    assert_eq!((rig.issuer.metadata_fetches(), rig.issuer.fetches()), (2, 4));
}
