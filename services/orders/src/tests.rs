use std::{future::IntoFuture, sync::Mutex};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, header},
    routing::post,
};
use claviger_testkit::{Endpoint, Fault, TestIssuer, assert_rejects_all};
use serde_json::Value;
use tokio::{net::TcpListener, time::timeout};
use tower::ServiceExt;

use super::*;

const ORDERS: &str = "https://orders.fleet.test";
const LEDGER: &str = "https://ledger.fleet.test";
const PATIENCE: Duration = Duration::from_secs(10);

/// What reaches the ledger: the Authorization header and the entry.
type Posted = Arc<Mutex<Vec<(String, Value)>>>;

/// An issuer and a ledger.
struct Neighbours {
    issuer: TestIssuer,
    ledger: String,
    posted: Posted,
}

impl Neighbours {
    /// Starts an issuer that knows this service as a client, and a ledger that keeps what it is sent.
    async fn start(ledger_answers: StatusCode) -> Self {
        let issuer = TestIssuer::start().await;
        issuer.client("orders", "secret").allow(LEDGER, "ledger:post ledger:read");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ledger = format!("http://{}", listener.local_addr().unwrap());
        let posted = Posted::default();
        let keep = Arc::clone(&posted);
        let entries = async move |headers: HeaderMap, Json(entry): Json<Value>| {
            let token = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
            keep.lock().unwrap().push((token, entry));
            ledger_answers
        };
        let router = Router::new().route("/entries", post(entries));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { issuer, ledger, posted }
    }

    fn token(&self, scope: &str) -> String {
        self.issuer.token(ORDERS).scope(scope).sign()
    }

    /// The service as its command line makes it, ready; without `ledger`, the neighbours' one.
    async fn orders(&self, more: &[&str]) -> Router {
        let flags =
            ["orders", "--issuer", self.issuer.url(), "--ledger", &self.ledger, "--client-secret", "secret"];
        let app = app(Args::try_parse_from(flags.iter().chain(more)).unwrap()).unwrap();
        let ready = async {
            while ask(&app, "/readyz", "", "").await.0 != 200 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ready).await.unwrap();
        app
    }
}

/// Status and body of the answer; an empty body is a GET.
async fn ask(app: &Router, path: &str, token: &str, body: &str) -> (u16, String) {
    let request = if body.is_empty() { Request::get(path) } else { Request::post(path) };
    let request = request
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const TEA: &str = r#"{"item":"tea","amount":3,"ordered_by":"somebody else"}"#;

#[tokio::test]
async fn an_order_reaches_the_ledger_with_a_token_of_our_own() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let directory = tempfile::tempdir().unwrap();
    let kept = ["--state-dir", directory.path().to_str().unwrap()];
    let (writer, reader) = (neighbours.token("orders:write"), neighbours.token("orders:read"));

    let app = neighbours.orders(&kept).await;
    let order = r#"{"id":1,"item":"tea","amount":3,"ordered_by":"client:test-client"}"#;
    assert_eq!(ask(&app, "/orders", &writer, TEA).await, (201, order.to_owned()));
    let posted = neighbours.posted.lock().unwrap().clone();
    let [(token, entry)] = &posted[..] else { panic!("one entry was expected: {posted:?}") };
    assert_eq!(entry, &json!({ "order": 1, "amount": 3 }));
    let verifier = Verifier::builder(neighbours.issuer.url(), LEDGER).build().unwrap();
    let own = verifier.verify(token.trim_start_matches("Bearer ")).await.unwrap();
    assert_eq!((own.sub(), own.has_scope("ledger:post")), ("client:orders", true));
    assert!(!own.has_scope("ledger:read"), "no more than it needs");

    let app = neighbours.orders(&kept).await;
    assert_eq!(ask(&app, "/orders", &reader, "").await, (200, format!("[{order}]")));
    let (status, next) = ask(&app, "/orders", &writer, TEA).await;
    assert_eq!((status, next), (201, order.replace("\"id\":1", "\"id\":2")));
}

#[tokio::test]
async fn an_order_that_the_ledger_does_not_take_is_not_kept() {
    let neighbours = Neighbours::start(StatusCode::FORBIDDEN).await;
    let token = neighbours.token("orders:write orders:read");
    let app = neighbours.orders(&[]).await;
    let (status, body) = ask(&app, "/orders", &token, TEA).await;
    assert_eq!(status, 502);
    assert!(body.starts_with("the ledger did not take the order: HTTP status client error (403"), "{body}");
    assert_eq!(ask(&app, "/orders", &token, "").await, (200, "[]".to_owned()));
}

/// The first answer to an order that does not come from a service without keys.
async fn order(issuer: &str, ledger: &str, token: &str) -> (u16, String) {
    let flags = ["orders", "--issuer", issuer, "--ledger", ledger, "--client-secret", "secret"];
    let app = app(Args::try_parse_from(flags).unwrap()).unwrap();
    let answered = async {
        loop {
            let answer = ask(&app, "/orders", token, TEA).await;
            if !answer.1.contains("temporarily_unavailable") {
                return answer;
            }
        }
    };
    timeout(PATIENCE, answered).await.unwrap()
}

#[tokio::test]
async fn a_neighbour_that_is_away_is_named() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let token = neighbours.token("orders:write");
    let (status, body) = order(neighbours.issuer.url(), &format!("http://{gone}"), &token).await;
    assert_eq!(status, 502);
    assert!(body.starts_with("the ledger did not take the order") && !body.contains("http:"), "{body}");

    // The issuer's keys are known, and its token endpoint breaks.
    neighbours.issuer.fault_at(Endpoint::Token, Fault::Status(500));
    let (status, body) = order(neighbours.issuer.url(), &neighbours.ledger, &token).await;
    assert_eq!(status, 503);
    assert!(body.starts_with("no token for the ledger"), "{body}");
}

#[tokio::test]
async fn a_token_is_not_sent_in_plain_text_off_this_machine() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let token = neighbours.token("orders:write");
    for ledger in
        ["http://ledger.fleet.test", "http://127.0.0.1.fleet.test:80", "http://localhost.fleet.test:80"]
    {
        let answer = order(neighbours.issuer.url(), ledger, &token).await;
        assert_eq!(answer, (502, "the ledger did not take the order: builder error".to_owned()));
    }
}

#[tokio::test]
async fn each_route_asks_for_its_scope() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let app = neighbours.orders(&[]).await;
    assert_eq!(ask(&app, "/orders", &neighbours.token("orders:read"), TEA).await.0, 403);
    assert_eq!(ask(&app, "/orders", &neighbours.token("orders:write"), "").await.0, 403);
    let (status, caller) = ask(&app, "/whoami", &neighbours.token(""), "").await;
    assert_eq!((status, caller.contains(r#""sub":"client:test-client""#)), (200, true));
    assert!(neighbours.posted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn everybody_sees_their_own_orders_only() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let app = neighbours.orders(&[]).await;
    let of = |sub: &str| neighbours.issuer.token(ORDERS).sub(sub).scope("orders:read orders:write").sign();
    let (ann, bob) = (of("user:ann"), of("user:bob"));
    let (status, order) = ask(&app, "/orders", &ann, TEA).await;
    assert_eq!((status, order.contains(r#""ordered_by":"user:ann""#)), (201, true), "{order}");
    assert_eq!(ask(&app, "/orders", &ann, "").await, (200, format!("[{order}]")));
    for other in [&bob, &neighbours.token("orders:read")] {
        assert_eq!(ask(&app, "/orders", other, "").await, (200, "[]".to_owned()));
    }
}

// S-96
#[tokio::test]
async fn the_page_is_there_for_its_client_and_runs_nothing_but_its_own_script() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let app = neighbours.orders(&[]).await;
    assert_eq!(ask(&app, "/", "", "").await.0, 404, "without a client there is no page");

    let app = neighbours.orders(&["--page-client", "shop-spa"]).await;
    for path in ["/", "/page.css", "/page.js"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        let calls = format!("connect-src 'self' {};", neighbours.issuer.url());
        assert!(policy.contains(&calls) && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let (_, html) = ask(&app, "/", "", "").await;
    assert_eq!((html.matches("<script").count(), html.contains("style=")), (1, false), "nothing is inline");
    let (status, settings) = ask(&app, "/page.json", "", "").await;
    let settings: Value = serde_json::from_str(&settings).unwrap();
    assert_eq!((status, &settings["client_id"]), (200, &json!("shop-spa")));
    assert_eq!(settings["issuer"], neighbours.issuer.url());
    assert!(!settings.to_string().contains("secret"), "{settings}");
}

// S-1 S-2 S-3 S-4 S-5 S-6 S-7 S-8 S-9 S-10 S-12 S-16
#[tokio::test]
async fn every_forged_token_is_rejected() {
    let neighbours = Neighbours::start(StatusCode::CREATED).await;
    let good = neighbours.issuer.token(ORDERS).scope("orders:read");
    assert_rejects_all(neighbours.orders(&[]).await, &good, "/orders").await;
}

#[test]
fn the_command_line_is_sound() {
    use clap::CommandFactory;
    Args::command().debug_assert();
}
