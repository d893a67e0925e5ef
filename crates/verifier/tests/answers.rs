//! What a caller of a guarded service is answered, through axum.
#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::FromRequestParts,
    http::{HeaderMap, Request, StatusCode, header},
    routing::get,
};
use claviger_testkit::{Fault, TestIssuer, TestKey};
use claviger_verifier::{
    Authorized, BuildError, Clock, JwksClient, NumericDate, Principal, Refusal, Timing, Verifier, health,
    required_scope,
};
use tower::ServiceExt;

const ORDERS: &str = "https://orders.fleet.test";
const PATIENCE: Duration = Duration::from_secs(10);

required_scope!(OrdersRead = "orders:read");

/// A service with one route of each kind.
struct Service {
    issuer: TestIssuer,
    verifier: Verifier,
    app: Router,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    challenge: String,
    retry_after: String,
    body: String,
}

impl Service {
    async fn start() -> Self {
        let service = Self::around(TestIssuer::start().await);
        assert!(service.verifier.ready_within(PATIENCE).await);
        service
    }

    fn around(issuer: TestIssuer) -> Self {
        let verifier = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
        let app = Router::new()
            .route("/whoami", get(async |principal: Principal| Json(principal)))
            .route("/open", get(async |principal: Option<Principal>| Json(principal)))
            .route("/orders", get(async |caller: Authorized<OrdersRead>| caller.sub().to_owned()))
            .with_state(verifier.clone())
            .merge(health(&verifier));
        Self { issuer, verifier, app }
    }

    fn token(&self, scope: &str) -> String {
        self.issuer.token(ORDERS).scope(scope).sign_with(TestKey::es256())
    }

    /// The answer to a request with these Authorization headers.
    async fn ask(&self, path: &str, authorization: &[&str]) -> Answer {
        let mut request = Request::get(path);
        for value in authorization {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let response = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let text = |headers: &HeaderMap, name| {
            headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        Answer {
            status: response.status().as_u16(),
            challenge: text(response.headers(), header::WWW_AUTHENTICATE),
            retry_after: text(response.headers(), header::RETRY_AFTER),
            body: String::from_utf8(to_bytes(response.into_body(), 4096).await.unwrap().to_vec()).unwrap(),
        }
    }

    async fn check(&self, path: &str, authorization: &[&str], expected: (u16, &str, &str)) {
        let answer = self.ask(path, authorization).await;
        let told = (answer.status, answer.challenge.as_str(), answer.body.as_str());
        assert_eq!(told, expected, "{path} {authorization:?}");
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_good_token_reaches_the_handler() {
    let service = Service::start().await;
    let token = bearer(&service.token("orders:read"));
    let answer = service.ask("/whoami", &[&token]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains(r#""sub":"client:test-client""#), "{}", answer.body);
    service.check("/orders", &[&token], (200, "", "client:test-client")).await;
    service.check("/orders", &[&token.replace("Bearer", "bEARER  ")], (200, "", "client:test-client")).await;
}

#[tokio::test]
async fn without_a_token_there_is_a_bare_challenge() {
    let service = Service::start().await;
    let bare = (401, r#"Bearer realm="service""#, "");
    for path in ["/whoami", "/orders"] {
        service.check(path, &[], bare).await;
        service.check(path, &["Basic b3JkZXJzOnM="], bare).await;
        let token = service.token("orders:read");
        service.check(&format!("{path}?access_token={token}"), &[], bare).await;
    }
}

// S-13
#[tokio::test]
async fn every_fault_of_the_token_has_the_same_answer() {
    let service = Service::start().await;
    let invalid = (401, r#"Bearer error="invalid_token""#, r#"{"error":"invalid_token"}"#);
    let token = || service.issuer.token(ORDERS).scope("orders:read");
    let key = TestKey::es256();
    for faulty in [
        token().claim("exp", 1).sign_with(key),
        token().expires_in(u64::from(u32::MAX)).sign_with(key),
        token().claim("aud", "https://ledger.fleet.test").sign_with(key),
        token().claim("iss", "https://id.fleet.test").sign_with(key),
        token().without("sub").sign_with(key),
        token().sign_with(TestKey::es256_other()),
        key.jws("{}", "{}"),
        "a".to_owned(),
        "a b".to_owned(),
        "a".repeat(8193),
        String::new(),
    ] {
        for path in ["/whoami", "/orders", "/open"] {
            service.check(path, &[&bearer(&faulty)], invalid).await;
        }
    }
}

// S-14
#[tokio::test]
async fn a_good_token_without_the_scope_is_told_which() {
    let service = Service::start().await;
    let challenge = r#"Bearer error="insufficient_scope", scope="orders:read""#;
    let forbidden = (403, challenge, r#"{"error":"insufficient_scope"}"#);
    for scope in ["", "orders:write", "orders", "orders:reader orders:rea"] {
        service.check("/orders", &[&bearer(&service.token(scope))], forbidden).await;
    }
    let unscoped = service.issuer.token(ORDERS).sign_with(TestKey::es256());
    service.check("/orders", &[&bearer(&unscoped)], forbidden).await;
    assert_eq!(service.ask("/whoami", &[&bearer(&unscoped)]).await.status, 200);
}

#[tokio::test]
async fn two_authorization_headers_are_refused_whatever_they_say() {
    let service = Service::start().await;
    let good = bearer(&service.token("orders:read"));
    let refused = (400, r#"Bearer error="invalid_request""#, r#"{"error":"invalid_request"}"#);
    for second in [good.as_str(), "Basic b3JkZXJzOnM=", ""] {
        for path in ["/whoami", "/orders", "/open"] {
            service.check(path, &[&good, second], refused).await;
            service.check(path, &[second, &good], refused).await;
        }
    }
}

#[tokio::test]
async fn an_open_route_knows_its_friends() {
    let service = Service::start().await;
    service.check("/open", &[], (200, "", "null")).await;
    let answer = service.ask("/open", &[&bearer(&service.token(""))]).await;
    assert!(answer.body.contains("client:test-client"), "{}", answer.body);
}

// S-29
#[tokio::test]
async fn without_keys_the_answer_is_never_that_the_token_is_bad() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::StatusWithRetryAfter(503, 5));
    let service = Service::around(issuer);
    service.issuer.wait_for_fetches(1).await;
    let token = bearer(&service.token("orders:read"));
    for path in ["/whoami", "/orders", "/open"] {
        let answer = service.ask(path, &[&token]).await;
        assert_eq!((answer.status, answer.challenge.as_str()), (503, ""));
        assert_eq!(answer.body, r#"{"error":"temporarily_unavailable"}"#);
        assert!((1..=60).contains(&answer.retry_after.parse::<u32>().unwrap()));
    }
    assert_eq!(service.ask("/open", &[]).await.status, 200);
    assert_eq!(service.ask("/livez", &[]).await.status, 200);
    assert_eq!(service.ask("/readyz", &[]).await.status, 503);
}

// S-29
#[tokio::test]
async fn a_service_becomes_ready_when_its_issuer_is_back() {
    let issuer = TestIssuer::start().await;
    issuer.stop().await;
    let service = Service::around(issuer);
    assert_eq!(service.ask("/readyz", &[]).await.status, 503);
    service.issuer.restart().await;
    assert!(service.verifier.ready_within(PATIENCE).await);
    assert_eq!(service.ask("/readyz", &[]).await.status, 200);
    assert_eq!(service.ask("/whoami", &[&bearer(&service.token(""))]).await.status, 200);
}

// S-29
#[tokio::test]
async fn an_issuer_of_others_that_is_away_does_not_take_a_service_from_its_own_callers() {
    let (ours, theirs) = (TestIssuer::start().await, TestIssuer::start().await);
    theirs.stop().await;
    let builder = Verifier::builder(ours.url(), "https://orders.fleet.test").also_trust(theirs.url());
    let verifier = builder.build().unwrap();
    assert!(verifier.ready_within(PATIENCE).await && verifier.is_ready());
    assert_eq!(readiness(&verifier).await, (200, vec!["ready".to_owned(), missing(&theirs)]));
    theirs.restart().await;
    assert!(verifier.key_sets().nth(1).unwrap().ready_within(PATIENCE).await);
    assert_eq!(readiness(&verifier).await, (200, vec!["ready".to_owned()]));

    // The other way round it is its own issuer that is away.
    ours.stop().await;
    let builder = Verifier::builder(ours.url(), "https://ledger.fleet.test").also_trust(theirs.url());
    let verifier = builder.jwks_url(&ours.jwks_url()).build().unwrap();
    assert!(verifier.key_sets().nth(1).unwrap().ready_within(PATIENCE).await);
    assert!(!verifier.is_ready() && !verifier.ready_within(Duration::from_millis(1)).await);
    assert_eq!(readiness(&verifier).await, (503, vec!["not ready".to_owned(), missing(&ours)]));
}

fn missing(issuer: &TestIssuer) -> String {
    format!("there is no usable key set of {}", issuer.url())
}

async fn readiness(verifier: &Verifier) -> (u16, Vec<String>) {
    let request = Request::get("/readyz").body(Body::empty()).unwrap();
    let answer = health(verifier).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap().lines().map(str::to_owned).collect())
}

/// Counts how often it is read: once for each token that is judged.
#[derive(Debug)]
struct Meter {
    now: NumericDate,
    reads: AtomicUsize,
}

impl Clock for Meter {
    fn now(&self) -> NumericDate {
        self.reads.fetch_add(1, SeqCst);
        self.now
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn a_request_is_verified_once_for_each_verifier() {
    let service = Service::start().await;
    let keys: JwksClient = service.verifier.keys().clone();
    let now = NumericDate::from_secs(1_700_000_000);
    let meter = Arc::new(Meter { now, reads: AtomicUsize::new(0) });
    let orders = Verifier::with_keys(keys.clone(), ORDERS).clock(Arc::clone(&meter) as _).build().unwrap();
    let ledger = Verifier::with_keys(keys, "https://ledger.fleet.test").build().unwrap();

    let token = service.issuer.token(ORDERS).issued_at(now).sign_with(TestKey::es256());
    let request = Request::get("/").header(header::AUTHORIZATION, bearer(&token)).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    for _ in 0..3 {
        let principal =
            <Principal as FromRequestParts<_>>::from_request_parts(&mut parts, &orders).await.unwrap();
        assert_eq!(principal.sub(), "client:test-client");
        let refusal = Authorized::<OrdersRead>::from_request_parts(&mut parts, &orders).await.unwrap_err();
        assert_eq!(refusal.reason(), "insufficient_scope");
    }
    assert_eq!(meter.reads.load(SeqCst), 1);

    let refusal =
        <Principal as FromRequestParts<_>>::from_request_parts(&mut parts, &ledger).await.unwrap_err();
    assert_eq!(refusal.reason(), "wrong_audience");
}

#[tokio::test]
async fn the_answer_says_when_to_come_back_in_whole_seconds() {
    let retry_after = |millis| {
        let refusal = Refusal::KeysUnavailable { retry_after: Duration::from_millis(millis) };
        let response = refusal.response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        response.headers()[header::RETRY_AFTER].to_str().unwrap().to_owned()
    };
    assert_eq!([0, 1, 1000, 1001].map(retry_after), ["1", "1", "1", "2"]);
}

// S-6 S-8
#[tokio::test]
async fn a_configuration_that_cannot_work_is_told_at_start() {
    let build = |issuer: &str, audience: &str, leeway, max_lifetime| {
        let [leeway, max_lifetime] = [leeway, max_lifetime].map(Duration::from_secs);
        let builder = Verifier::builder(issuer, audience).leeway(leeway).max_lifetime(max_lifetime);
        builder.timing(Timing::default()).build()
    };
    let check = |result: Result<Verifier, BuildError>, expected: &str| {
        let error = result.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    let issuer = "https://id.fleet.test";
    assert!(build(issuer, ORDERS, 60, 3600).is_ok());
    assert!(build(issuer, ORDERS, 0, 1).is_ok());
    check(build(issuer, "", 30, 3600), "audience");
    check(build(issuer, "orders", 30, 3600), "absolute URI");
    check(build(issuer, ORDERS, 61, 3600), "at most 60s");
    check(build(issuer, ORDERS, 30, 3601), "from 1s to 3600s");
    check(build(issuer, ORDERS, 30, 0), "from 1s to 3600s");
    check(build("http://id.fleet.test", ORDERS, 30, 3600), "https");
}
