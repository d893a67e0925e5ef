//! An issuer behind a proxy: whom its limits are for.

use reqwest::{Client, Response};
use serde_json::json;

use crate::issuer::{HANGS, Issuer, SECRET};

/// Where the proxy of these tests asks from; everybody else here asks from 127.0.0.1.
const PROXY: [u8; 4] = [127, 0, 0, 2];
const SETTINGS: &str = "server.trusted_proxies = [\"127.0.0.2\"]";

struct Proxy(Client);

impl Proxy {
    fn new() -> Self {
        let client = Client::builder().no_proxy().local_address(std::net::IpAddr::from(PROXY));
        Self(client.timeout(HANGS).build().unwrap())
    }
}

/// Asks for a token in the name of the operator's client, by way of whoever `http` is.
async fn token(http: &Client, issuer: &Issuer, secret: &str, forwarded_for: &str) -> u16 {
    let request = http.post(format!("{}/oauth2/token", issuer.url)).basic_auth("operator", Some(secret));
    let form = [("grant_type", "client_credentials"), ("resource", "https://shop.test")];
    request.form(&form).header("x-forwarded-for", forwarded_for).send().await.unwrap().status().as_u16()
}

/// Guesses at somebody's password.
async fn guess(http: &Client, issuer: &Issuer, name: &str, forwarded_for: &str) -> Response {
    let body = json!({ "client_id": "own-app", "username": name, "password": "a guess" });
    let request = http.post(format!("{}/login", issuer.url)).json(&body);
    request.header("x-forwarded-for", forwarded_for).send().await.unwrap()
}

// S-56 S-104
#[tokio::test]
async fn who_floods_wrong_secrets_through_a_proxy_keeps_nobody_else_waiting() {
    let issuer = Issuer::start(SETTINGS).await;
    let Proxy(proxy) = Proxy::new();
    let mut failed = 0;
    // Whatever it says before what the proxy appends.
    while token(&proxy, &issuer, "wrong", &format!("203.0.113.{failed}, 192.0.2.1")).await == 401 {
        failed += 1;
        assert!(failed < 60, "nobody counts");
    }
    assert!(failed >= 20, "{failed}");
    assert_eq!(token(&proxy, &issuer, "wrong", "192.0.2.1").await, 503);
    assert_eq!(token(&proxy, &issuer, "wrong", "192.0.2.2").await, 401, "its mistakes are few");
    assert_eq!(token(&proxy, &issuer, SECRET, "192.0.2.2").await, 200);
    assert_eq!(token(&proxy, &issuer, SECRET, "192.0.2.1").await, 200, "who has the secret does not wait");
    issuer.stop().await;
}

// S-56 S-104
#[tokio::test]
async fn who_is_no_proxy_says_in_vain_for_whom_it_asks() {
    let issuer = Issuer::start(SETTINGS).await;
    let mut failed = 0;
    while token(&issuer.http, &issuer, "wrong", &format!("192.0.2.{failed}")).await == 401 {
        failed += 1;
        assert!(failed < 60, "the header is believed");
    }
    issuer.stop().await;
}

// S-90 S-104
#[tokio::test]
async fn who_guesses_passwords_through_a_proxy_locks_out_nobody_else() {
    let issuer = Issuer::start(SETTINGS).await;
    let Proxy(proxy) = Proxy::new();
    let mut guesses = 0;
    let refused = loop {
        let reply = guess(&proxy, &issuer, &format!("person{guesses}"), "192.0.2.1").await;
        if reply.status() != 401 {
            break reply.status();
        }
        guesses += 1;
        assert!(guesses < 200, "nobody counts");
    };
    assert_eq!(refused, 429);
    assert!(guesses >= 100, "{guesses}");
    assert_eq!(guess(&proxy, &issuer, "somebody", "192.0.2.2").await.status(), 401);
    assert_eq!(guess(&issuer.http, &issuer, "somebody", "192.0.2.1").await.status(), 401);
    issuer.stop().await;
}
