use std::sync::Arc;

use claviger_jose::{Algorithm, NumericDate};
use claviger_oauth::AuthenticationMethod::{self, ClientSecretBasic, ClientSecretPost};
use claviger_testkit::{TestClock, TestIssuer};
use claviger_token_source::TokenSource;
use claviger_verifier::Verifier;
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::client;

const LEDGER: &str = "https://ledger.fleet.test";
const ORDERS: &str = "https://orders.fleet.test";

/// What the endpoint answers to client `orders` with this secret and form.
async fn ask(issuer: &TestIssuer, secret: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let form = [&[("grant_type", "client_credentials")], form].concat();
    let request = client().post(issuer.token_url()).basic_auth("orders", Some(secret)).form(&form);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    (answer.status(), answer.json().await.unwrap())
}

async fn refuses(issuer: &TestIssuer, secret: &str, form: &[(&str, &str)], code: &str) {
    let (status, body) = ask(issuer, secret, form).await;
    assert_eq!(body["error"], code, "{form:?}: {body}");
    assert_eq!(status.as_u16(), if code == "invalid_client" { 401 } else { 400 });
}

#[tokio::test]
async fn our_own_client_gets_a_token_that_our_own_verifier_accepts() {
    let clock = TestClock::at(NumericDate::from_secs(1_700_000_000));
    let issuer = TestIssuer::builder().clock(&clock).start().await;
    issuer.client("orders", "s+cr:t%").allow(LEDGER, "ledger:post ledger:read");
    let tokens = TokenSource::builder(issuer.url(), "orders", "s+cr:t%".to_owned().into()).build().unwrap();
    let token = tokens.token(&LEDGER.parse().unwrap(), &"ledger:post".parse().unwrap()).await.unwrap();

    let verifier = Verifier::builder(issuer.url(), LEDGER).clock(Arc::new(clock)).build().unwrap();
    let principal = verifier.verify(token.as_str()).await.unwrap();
    assert_eq!((principal.sub(), principal.client_id()), ("client:orders", "orders"));
    assert!(principal.has_scope("ledger:post") && !principal.has_scope("ledger:read"));
    assert_eq!(issuer.token_requests(), 1);
}

#[tokio::test]
async fn a_client_has_what_it_was_allowed_and_no_more() {
    let issuer = TestIssuer::start().await;
    issuer.client("orders", "secret").allow(LEDGER, "ledger:post ledger:read");
    let (status, body) = ask(&issuer, "secret", &[]).await;
    assert_eq!((status, &body["scope"]), (StatusCode::OK, &json!("ledger:post ledger:read")));
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));

    refuses(&issuer, "secret", &[("scope", "ledger:close")], "invalid_scope").await;
    refuses(&issuer, "secret", &[("resource", ORDERS)], "invalid_target").await;
    refuses(&issuer, "secret", &[("resource", LEDGER), ("resource", ORDERS)], "invalid_target").await;
    refuses(&issuer, "wrong", &[], "invalid_client").await;
    refuses(&issuer, "secret", &[("client_secret", "secret")], "invalid_request").await;

    issuer.client("orders", "another").allow(ORDERS, "");
    refuses(&issuer, "secret", &[("resource", LEDGER)], "invalid_client").await;
    refuses(&issuer, "another", &[], "invalid_target").await;
    let (status, body) = ask(&issuer, "another", &[("resource", ORDERS)]).await;
    assert_eq!((status, &body["scope"]), (StatusCode::OK, &json!("")));
}

#[tokio::test]
async fn a_client_may_be_bound_to_one_way_of_authentication() {
    let issuer = TestIssuer::start().await;
    issuer.client("orders", "secret").allow(LEDGER, "ledger:post");
    let granted = async |method: AuthenticationMethod| {
        let request = client().post(issuer.token_url());
        let form = [("grant_type", "client_credentials")];
        let request = match method {
            ClientSecretBasic => request.basic_auth("orders", Some("secret")).form(&form),
            ClientSecretPost => {
                request.form(&[&form[..], &[("client_id", "orders"), ("client_secret", "secret")]].concat())
            }
            other => panic!("not among the methods of this test: {other}"),
        };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((granted(ClientSecretBasic).await, granted(ClientSecretPost).await), (200, 200));
    issuer.client("orders", "secret").authenticates_by(ClientSecretPost);
    assert_eq!((granted(ClientSecretBasic).await, granted(ClientSecretPost).await), (401, 200));
}

#[tokio::test]
async fn the_request_is_a_posted_form() {
    let issuer = TestIssuer::start().await;
    issuer.client("orders", "secret").allow(LEDGER, "ledger:post");
    let answer = client().get(issuer.token_url()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let json = client().post(issuer.token_url()).basic_auth("orders", Some("secret"));
    let answer = json.json(&json!({ "grant_type": "client_credentials" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let form = client().post(issuer.token_url()).form(&[("grant_type", "password")]).send().await.unwrap();
    assert_eq!(form.json::<Value>().await.unwrap()["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn tokens_are_signed_by_the_key_of_the_day() {
    let issuer = TestIssuer::start().await;
    issuer.client("orders", "secret").allow(LEDGER, "");
    let kid = async || {
        let (_, body) = ask(&issuer, "secret", &[]).await;
        let token = body["access_token"].as_str().unwrap().to_owned();
        *claviger_jose::UnverifiedJws::parse(&token).unwrap().kid()
    };
    let first = kid().await;
    let next = issuer.publish_next(Algorithm::Es256);
    assert_eq!(kid().await, first);
    issuer.promote(Algorithm::Es256);
    assert_eq!(&kid().await, next.kid());
}
