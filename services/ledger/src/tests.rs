use std::{path::Path, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use claviger_testkit::{TestIssuer, TestKey, assert_rejects_all};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

const LEDGER: &str = "https://ledger.fleet.test";

/// The service as its command line makes it, ready.
async fn start(issuer: &TestIssuer, more: &[&str]) -> Router {
    let flags = ["ledger", "--issuer", issuer.url()];
    let app = app(&Args::parse_from(flags.iter().chain(more))).unwrap();
    let ready = async {
        while ask(&app, "/readyz", "", "").await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready).await.unwrap();
    app
}

/// Status and body of the answer; an empty body is a GET.
async fn ask(app: &Router, path: &str, token: &str, body: &str) -> (u16, Value) {
    let request = if body.is_empty() { Request::get(path) } else { Request::post(path) };
    let request = request
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn what_is_posted_can_be_read_after_a_restart() {
    let issuer = TestIssuer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let kept = ["--state-dir", Path::to_str(directory.path()).unwrap()];
    let token = |scope: &str| issuer.token(LEDGER).client_id("orders").scope(scope).sign();

    let app = start(&issuer, &kept).await;
    let forged = r#"{"order":7,"amount":42,"posted_by":"somebody else"}"#;
    let entry = json!({ "order": 7, "amount": 42, "posted_by": "orders" });
    assert_eq!(ask(&app, "/entries", &token("ledger:post"), forged).await, (201, entry.clone()));

    let app = start(&issuer, &kept).await;
    assert_eq!(ask(&app, "/entries", &token("ledger:post"), r#"{"order":8,"amount":1}"#).await.0, 201);
    let app = start(&issuer, &kept).await;
    let other = json!({ "order": 8, "amount": 1, "posted_by": "orders" });
    assert_eq!(ask(&app, "/entries", &token("ledger:read"), "").await, (200, json!([entry, other])));
}

#[tokio::test]
async fn each_route_asks_for_its_scope() {
    let issuer = TestIssuer::start().await;
    let app = start(&issuer, &[]).await;
    let reader = issuer.token(LEDGER).scope("ledger:read").sign_with(TestKey::rs256());
    assert_eq!(ask(&app, "/entries", &reader, "").await, (200, json!([])));
    assert_eq!(ask(&app, "/entries", &reader, r#"{"order":1,"amount":1}"#).await.0, 403);
    let poster = issuer.token(LEDGER).scope("ledger:post").sign_with(TestKey::rs256());
    assert_eq!(ask(&app, "/entries", &poster, "").await.0, 403);
    assert_eq!(ask(&app, "/entries", &poster, r#"{"order":1,"amount":-1}"#).await.0, 422);
    let (status, caller) = ask(&app, "/whoami", &poster, "").await;
    assert_eq!((status, &caller["sub"]), (200, &json!("client:test-client")));
}

// S-6
#[tokio::test]
async fn a_token_for_orders_is_refused() {
    let issuer = TestIssuer::start().await;
    let app = start(&issuer, &[]).await;
    let token = issuer.token("https://orders.fleet.test").scope("ledger:post ledger:read").sign();
    for (path, body) in [("/whoami", ""), ("/entries", ""), ("/entries", r#"{"order":1,"amount":1}"#)] {
        assert_eq!(ask(&app, path, &token, body).await, (401, json!({ "error": "invalid_token" })));
    }
}

// S-1 S-2 S-3 S-4 S-5 S-6 S-7 S-8 S-9 S-10 S-12 S-16
#[tokio::test]
async fn every_forged_token_is_rejected() {
    let issuer = TestIssuer::start().await;
    assert_rejects_all(start(&issuer, &[]).await, &issuer.token(LEDGER).scope("ledger:read"), "/entries")
        .await;
}

#[test]
fn the_command_line_is_sound() {
    use clap::CommandFactory;
    Args::command().debug_assert();
}
