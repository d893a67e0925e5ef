//! The whole source against an issuer of its own on the loopback interface.

use std::sync::{Mutex, atomic::Ordering::SeqCst};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing,
};
use claviger_oauth::{PresentedSecret, TokenRequest};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use super::*;

/// Longer than anything that a test waits for, shorter than a person does.
const PATIENCE: Duration = Duration::from_secs(10);
/// A secret in which every layer of the encoding has something to spoil.
const SECRET: &str = "s+c r:e%t&ü=";

/// What the token endpoint does with a request.
#[derive(Clone)]
enum Behaviour {
    Grant(Value),
    /// Grants the first request and fails every other.
    GrantOnce,
    Answer(StatusCode, &'static str, Vec<u8>),
    Hang,
}

struct Issuer {
    url: String,
    desk: Arc<Desk>,
}

struct Desk {
    url: String,
    claimed: Mutex<Value>,
    behaviour: watch::Sender<Behaviour>,
    requests: watch::Sender<Vec<(HeaderMap, Bytes)>>,
    others: std::sync::atomic::AtomicUsize,
}

impl Issuer {
    /// An issuer whose tokens are `token-1`, `token-2`, ... by the number of the request.
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Desk {
            claimed: Mutex::new(
                json!({ "issuer": url, "token_endpoint": format!("{url}/t"), "jwks_uri": "" }),
            ),
            url: url.clone(),
            behaviour: watch::Sender::new(grants(60)),
            requests: watch::Sender::default(),
            others: 0.into(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", routing::get(metadata))
            .route("/t", routing::post(answer))
            .fallback(async |State(desk): State<Arc<Desk>>, _: Uri| {
                desk.others.fetch_add(1, SeqCst);
                StatusCode::NOT_FOUND
            })
            .with_state(Arc::clone(&desk));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, desk }
    }

    fn builder(&self) -> TokenSourceBuilder {
        TokenSource::builder(&self.url, "orders", SECRET.into())
    }

    fn source(&self) -> TokenSource {
        self.builder().build().unwrap()
    }

    fn behaves(&self, behaviour: Behaviour) {
        self.desk.behaviour.send_replace(behaviour);
    }

    fn requests(&self) -> usize {
        self.desk.requests.borrow().len()
    }

    /// Waits until so many requests have come.
    async fn has_seen(&self, requests: usize) {
        let mut seen = self.desk.requests.subscribe();
        timeout(PATIENCE, seen.wait_for(|seen| seen.len() >= requests)).await.unwrap().unwrap();
    }

    /// Asks a fresh source once, when this is the answer.
    async fn check(&self, behaviour: Behaviour, expected: &str) {
        self.behaves(behaviour);
        let error = ask(&self.source()).await.expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}

async fn metadata(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(desk.claimed.lock().unwrap().clone())
}

async fn answer(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut number = 0;
    desk.requests.send_modify(|requests| {
        requests.push((headers, body));
        number = requests.len();
    });
    let mut behaviour = desk.behaviour.subscribe();
    loop {
        let current = match behaviour.borrow_and_update().clone() {
            Behaviour::GrantOnce if number == 1 => grants(60),
            Behaviour::GrantOnce => fails(503, ""),
            other => other,
        };
        match current {
            Behaviour::GrantOnce => unreachable!("it has become one of the others"),
            Behaviour::Grant(mut response) => {
                let token = response["access_token"].as_str().unwrap_or_default();
                response["access_token"] = format!("token-{number}{token}").into();
                return Json(response).into_response();
            }
            Behaviour::Answer(status, retry_after, body) => {
                let place = format!("{}/elsewhere", desk.url);
                return (status, [(header::RETRY_AFTER, retry_after), (header::LOCATION, &place)], body)
                    .into_response();
            }
            Behaviour::Hang => behaviour.changed().await.unwrap(),
        }
    }
}

fn grants(expires_in: u64) -> Behaviour {
    Behaviour::Grant(json!({ "token_type": "Bearer", "expires_in": expires_in }))
}

fn fails(status: u16, body: &str) -> Behaviour {
    Behaviour::Answer(StatusCode::from_u16(status).unwrap(), "", body.into())
}

fn ledger() -> (Audience, ScopeSet) {
    ("https://ledger.fleet.test".parse().unwrap(), "ledger:post".parse().unwrap())
}

async fn ask(source: &TokenSource) -> Result<AccessToken, TokenSourceError> {
    let (audience, scope) = ledger();
    timeout(PATIENCE, source.token(&audience, &scope)).await.unwrap()
}

/// Asks again and again until the answer is this token; each answer must be a token.
async fn ask_until(source: &TokenSource, token: &str) {
    let search = async {
        while ask(source).await.unwrap().as_str() != token {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, search).await.unwrap();
}

/// Refreshes a token of 60 s at the age of 0.06 s, and does not wait long after a failure.
fn hasty() -> Policy {
    let [first_backoff, longest_backoff] = [5, 20].map(Duration::from_millis);
    Policy { refresh_at: 0.001, first_backoff, longest_backoff }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_cause_one_request() {
    let issuer = Issuer::start().await;
    issuer.behaves(Behaviour::Hang);
    let source = issuer.source();
    let callers: JoinSet<_> =
        (0..100).map(|_| source.clone()).map(|source| async move { ask(&source).await }).collect();
    issuer.has_seen(1).await;
    issuer.behaves(grants(60));
    let answers = callers.join_all().await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().as_str() == "token-1"));
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_request_with_it() {
    let issuer = Issuer::start().await;
    issuer.behaves(Behaviour::Hang);
    let source = issuer.source();
    let impatient = tokio::spawn({
        let source = source.clone();
        async move { ask(&source).await }
    });
    issuer.has_seen(1).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    issuer.behaves(grants(60));
    assert_eq!(ask(&source).await.unwrap().as_str(), "token-1");
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn each_audience_and_scope_has_a_token_of_its_own() {
    let issuer = Issuer::start().await;
    let source = issuer.source();
    let (audience, scope) = ledger();
    let other = "ledger:read".parse().unwrap();
    assert_eq!(source.token(&audience, &scope).await.unwrap().as_str(), "token-1");
    assert_eq!(source.token(&audience, &other).await.unwrap().as_str(), "token-2");
    assert_eq!(source.token(&"urn:b".parse().unwrap(), &scope).await.unwrap().as_str(), "token-3");
    assert_eq!(source.clone().token(&audience, &scope).await.unwrap().as_str(), "token-1");
}

#[tokio::test]
async fn the_next_token_is_fetched_before_anybody_needs_it() {
    let issuer = Issuer::start().await;
    let source = issuer.builder().policy(hasty()).build().unwrap();
    assert_eq!(ask(&source).await.unwrap().as_str(), "token-1");
    issuer.has_seen(2).await;
    ask_until(&source, "token-3").await;
}

#[tokio::test]
async fn an_outage_shorter_than_the_rest_of_the_token_is_not_noticed() {
    let issuer = Issuer::start().await;
    issuer.behaves(Behaviour::GrantOnce);
    let source = issuer.builder().policy(hasty()).build().unwrap();
    for attempt in 1..6 {
        assert_eq!(ask(&source).await.unwrap().as_str(), "token-1");
        issuer.has_seen(attempt).await;
    }
    issuer.behaves(fails(401, r#"{"error":"invalid_client"}"#));
    let attempts = issuer.requests();
    issuer.has_seen(attempts + 2).await;
    assert_eq!(ask(&source).await.unwrap().as_str(), "token-1");
    issuer.behaves(grants(60));
    let search = async {
        while ask(&source).await.unwrap().as_str() == "token-1" {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, search).await.unwrap();
}

#[tokio::test]
async fn an_expired_token_is_never_sent() {
    let issuer = Issuer::start().await;
    issuer.behaves(grants(1));
    let source = issuer.source();
    ask(&source).await.unwrap();
    issuer.behaves(fails(503, ""));
    let mut samples = tokio::time::interval(Duration::from_millis(2));
    let mut sent = 0;
    while let Ok(token) = ask(&source).await {
        assert!(token.expires_in() > Duration::from_millis(50), "after {sent} requests");
        sent += 1;
        samples.tick().await;
    }
    assert!(sent > 10);
}

#[test]
fn a_source_has_a_secret_to_authenticate_with() {
    for method in AuthenticationMethod::ALL.into_iter().filter(|method| !method.has_secret()) {
        let source = TokenSource::builder("https://id.fleet.test", "orders", "secret".into()).method(method);
        assert!(matches!(source.build(), Err(BuildError::Method)), "{method}");
    }
}

#[tokio::test]
async fn the_client_says_who_it_is_in_the_way_it_is_registered() {
    for method in [AuthenticationMethod::ClientSecretBasic, AuthenticationMethod::ClientSecretPost] {
        let issuer = Issuer::start().await;
        let source = issuer.builder().method(method).build().unwrap();
        ask(&source).await.unwrap();
        let (headers, body) = issuer.desk.requests.borrow()[0].clone();
        let request = TokenRequest::parse(&body).unwrap();
        let headers = headers.get_all(header::AUTHORIZATION).into_iter().map(HeaderValue::as_bytes);
        let presented = PresentedSecret::from_request(headers, &request.client).unwrap();
        assert_eq!((presented.client_id.as_str(), presented.method), ("orders", method));
        assert_eq!(presented.secret.expose_secret(), SECRET);
        let (audience, scope) = ledger();
        assert_eq!((request.resource, request.scope), (vec![audience], Some(scope)));
    }
}

#[tokio::test]
async fn without_scopes_none_is_named() {
    let issuer = Issuer::start().await;
    let source = issuer.source();
    source.token(&ledger().0, &ScopeSet::default()).await.unwrap();
    let (_, body) = issuer.desk.requests.borrow()[0].clone();
    assert!(TokenRequest::parse(&body).unwrap().scope.is_none());
}

#[tokio::test]
async fn a_refusal_is_told_and_not_asked_for_again_at_once() {
    let issuer = Issuer::start().await;
    issuer.behaves(fails(400, r#"{"error":"invalid_target"}"#));
    let source = issuer.source();
    for _ in 0..10 {
        let refused = TokenSourceError::Refused { code: "invalid_target".into() };
        assert_eq!(ask(&source).await.unwrap_err(), refused);
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_refusal_that_was_mended_is_forgotten() {
    let issuer = Issuer::start().await;
    issuer.behaves(fails(401, r#"{"error":"invalid_client"}"#));
    let source = issuer.builder().policy(hasty()).build().unwrap();
    assert!(matches!(ask(&source).await, Err(TokenSourceError::Refused { .. })));
    issuer.behaves(grants(60));
    let search = async { while ask(&source).await.is_err() {} };
    timeout(PATIENCE, search).await.unwrap();
}

#[tokio::test]
async fn the_issuer_is_left_alone_for_as_long_as_it_asks() {
    let issuer = Issuer::start().await;
    for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS] {
        issuer.behaves(Behaviour::Answer(status, "7", Vec::new()));
        let (source, before) = (issuer.source(), issuer.requests());
        for _ in 0..10 {
            let Err(TokenSourceError::Unavailable { retry_after, .. }) = ask(&source).await else {
                panic!("no token was granted");
            };
            assert!((5..=7).contains(&retry_after.as_secs()), "{retry_after:?}");
        }
        assert_eq!(issuer.requests(), before + 1);
    }
}

#[tokio::test]
async fn what_is_no_token_is_not_taken_for_one() {
    let issuer = Issuer::start().await;
    let grant = |changes: Value| {
        let mut response = json!({ "token_type": "Bearer", "expires_in": 60 });
        response.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Behaviour::Grant(response)
    };
    let malformed = "no token can be had now: the issuer's answer is not that of the standard";
    issuer.check(grant(json!({ "token_type": "DPoP" })), malformed).await;
    issuer.check(grant(json!({ "access_token": "\r\nHost: evil.test" })), malformed).await;
    issuer.check(grant(json!({ "access_token": "a".repeat(8192) })), malformed).await;
    issuer.check(grant(json!({ "expires_in": "60" })), malformed).await;
    issuer.check(fails(200, "<!doctype html>"), malformed).await;
    let too_short = "no token can be had now: the issuer's token lives too short to be used";
    issuer.check(grant(json!({ "expires_in": 0 })), too_short).await;
    let too_large = "no token can be had now: the issuer's answer is too large";
    issuer.check(fails(200, &" ".repeat(65 * 1024)), too_large).await;
    let less = "the issuer refused the token request: invalid_scope";
    issuer.check(grant(json!({ "scope": "ledger:read" })), less).await;
}

#[tokio::test]
async fn an_error_is_a_refusal_only_in_the_words_of_the_standard() {
    let issuer = Issuer::start().await;
    let unavailable = "no token can be had now: the issuer answers with an error";
    for body in
        ["", "<h1>", "{}", r#"{"error":1}"#, r#"{"error":""}"#, r#"{"error":"temporarily_unavailable"}"#]
    {
        issuer.check(fails(400, body), unavailable).await;
    }
    issuer.check(fails(400, "{\"error\":\"a\u{1b}[2J\"}"), unavailable).await;
    issuer.check(fails(503, r#"{"error":"invalid_client"}"#), unavailable).await;
    issuer.check(fails(404, ""), unavailable).await;
}

#[tokio::test]
async fn a_secret_is_not_carried_where_an_answer_points() {
    let issuer = Issuer::start().await;
    let before = issuer.desk.others.load(SeqCst);
    let source = issuer.source();
    for status in [302, 307, 308] {
        issuer.check(fails(status, ""), "no token can be had now: the issuer answers with an error").await;
    }
    // The other document that discovery looks for first, and nothing else.
    assert_eq!(issuer.desk.others.load(SeqCst) - before, 3);
    drop(source);
}

#[tokio::test]
async fn metadata_that_would_send_the_secret_elsewhere_is_refused() {
    let issuer = Issuer::start().await;
    let (url, endpoint) = (issuer.url.clone(), format!("{}/t", issuer.url));
    let other = "no token can be had now: the metadata at the issuer's URL is of another issuer";
    let plain = "no token can be had now: the issuer's token endpoint is no https URL";
    let cases = [
        (url.replace("127.0.0.1", "localhost"), endpoint.clone(), other),
        (format!("{url}/a"), endpoint.clone(), other),
        (url.clone(), "http://id.fleet.test/t".to_owned(), plain),
        (url.clone(), "file:///t".to_owned(), plain),
    ];
    for (claimed, token_endpoint, expected) in cases {
        *issuer.desk.claimed.lock().unwrap() =
            json!({ "issuer": claimed, "token_endpoint": token_endpoint, "jwks_uri": "" });
        issuer.check(grants(60), expected).await;
    }
    assert_eq!(issuer.requests(), 0);
}

#[tokio::test]
async fn a_token_endpoint_that_moved_is_found_again() {
    let issuer = Issuer::start().await;
    let gone = format!("{}/gone", issuer.url);
    issuer.desk.claimed.lock().unwrap()["token_endpoint"] = gone.into();
    let source = issuer.builder().policy(hasty()).build().unwrap();
    ask(&source).await.unwrap_err();
    issuer.desk.claimed.lock().unwrap()["token_endpoint"] = format!("{}/t", issuer.url).into();
    let search = async { while ask(&source).await.is_err() {} };
    timeout(PATIENCE, search).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_is_away_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let source = TokenSource::builder(&url, "orders", SECRET.into()).build().unwrap();
    let error = ask(&source).await.unwrap_err().to_string();
    assert_eq!(error, "no token can be had now: the issuer cannot be reached");
}

#[tokio::test]
async fn with_the_last_clone_everything_ends() {
    let issuer = Issuer::start().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let source = issuer.source();
    let clone = source.clone();
    ask(&source).await.unwrap();
    drop(source);
    assert_eq!(ask(&clone).await.unwrap().as_str(), "token-1");
    assert!(tasks() > before);
    drop(clone);
    let search = async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, search).await.unwrap();
}

#[test]
fn a_configuration_that_cannot_work_is_told_at_start() {
    let check = |issuer: &str, client_id: &str, secret: &str, expected: &str| {
        let error = TokenSource::builder(issuer, client_id, secret.into()).build().expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("http://id.fleet.test", "orders", SECRET, "loopback");
    check("https://id.fleet.test/", "orders", SECRET, "trailing slash");
    check("https://id.fleet.test", "user:alice", SECRET, "client id");
    check("https://id.fleet.test", "orders", "", "secret");
}

// S-103
#[tokio::test]
async fn neither_source_nor_builder_shows_a_secret() {
    let builder = TokenSource::builder("https://id.fleet.test", "orders", "canary".into());
    assert!(!format!("{builder:?}").contains("canary"));
    assert!(!format!("{:?}", builder.build().unwrap()).contains("canary"));
}
