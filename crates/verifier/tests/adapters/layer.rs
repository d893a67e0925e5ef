use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use claviger_testkit::{Fault, TestKey, assert_rejects_all};
use claviger_verifier::{Principal, Refusal, Requirement, Verifier, authorized, principal_of};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{Answer, Bench, ORDERS, OrdersRead, OrdersWrite, ask, bearer, own_answer};

/// A whole router behind one layer; it counts who comes through.
fn guarded(verifier: &Verifier, reached: &Arc<AtomicUsize>) -> Router {
    let reached = Arc::clone(reached);
    Router::new()
        .route(
            "/orders",
            get(async move || {
                reached.fetch_add(1, SeqCst);
                "orders"
            }),
        )
        .layer(verifier.layer().require::<OrdersRead>())
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_service() {
    let bench = Bench::new().await;
    let reached = Arc::new(AtomicUsize::new(0));
    let app = guarded(&bench.verifier, &reached);
    let narrow = bearer(&bench.issuer.token(ORDERS).scope("orders:write"));
    let forged = bearer(&bench.token().claim("aud", "https://ledger.fleet.test"));
    for (authorization, status, challenge) in [
        (None, 401, r#"Bearer realm="service""#),
        (Some(&forged), 401, r#"Bearer error="invalid_token""#),
        (Some(&narrow), 403, r#"Bearer error="insufficient_scope", scope="orders:read""#),
    ] {
        let headers: Vec<_> =
            authorization.map(|value| ("authorization", value.as_str())).into_iter().collect();
        let answer = crate::get(&app, "/orders", &headers).await;
        assert_eq!((answer.status, answer.challenge()), (status, challenge));
    }
    assert_eq!(reached.load(SeqCst), 0);

    let answer = crate::get(&app, "/orders", &[("authorization", &bench.bearer())]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "orders"));
    assert_eq!(reached.load(SeqCst), 1);
}

#[tokio::test]
async fn a_layer_answers_in_the_same_words_as_an_extractor() {
    let bench = Bench::with(|builder| builder.resource_metadata("https://orders.fleet.test/meta")).await;
    let layered = guarded(&bench.verifier, &Arc::default());
    let extracted = Router::new()
        .route("/orders", get(async |_: claviger_verifier::Authorized<OrdersRead>| "orders"))
        .with_state(bench.verifier.clone());
    let narrow = bearer(&bench.issuer.token(ORDERS).scope("orders:write"));
    let repeated = bench.bearer();
    for headers in [
        &[][..],
        &[("authorization", "Bearer a")],
        &[("authorization", &narrow)],
        &[("authorization", &repeated), ("authorization", &repeated)],
    ] {
        let answer = crate::get(&layered, "/orders", headers).await;
        assert_eq!(answer, crate::get(&extracted, "/orders", headers).await);
        assert!(answer.challenge().ends_with(r#", resource_metadata="https://orders.fleet.test/meta""#));
    }
}

// S-13
#[tokio::test]
async fn no_forgery_passes_a_layer() {
    let bench = Bench::new().await;
    assert_rejects_all(guarded(&bench.verifier, &Arc::default()), &bench.token(), "/orders").await;
}

#[tokio::test]
async fn an_optional_layer_is_open_to_all_but_to_bad_tokens() {
    let bench = Bench::new().await;
    let app = Router::new()
        .route("/", get(async |principal: Option<Principal>| principal.map_or("nobody", |_| "a friend")))
        .layer(bench.verifier.layer().require::<OrdersRead>().optional())
        .with_state(bench.verifier.clone());
    let check = async |headers: &[(&str, &str)], status, body| {
        let answer = crate::get(&app, "/", headers).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
    };
    check(&[], 200, "nobody").await;
    check(&[("authorization", &bench.bearer())], 200, "a friend").await;
    check(&[("authorization", "Bearer a")], 401, r#"{"error":"invalid_token"}"#).await;
    let narrow = bearer(&bench.issuer.token(ORDERS));
    check(&[("authorization", &narrow)], 403, r#"{"error":"insufficient_scope"}"#).await;
}

#[tokio::test]
async fn every_requirement_of_a_layer_counts() {
    let bench = Bench::new().await;
    let layer = bench.verifier.layer().require::<(OrdersRead, OrdersWrite)>();
    let layer = layer.require_that(Requirement::Role("clerk"));
    let app = Router::new().route("/", get(async || "in")).layer(layer);
    for (scope, roles, status) in [
        ("orders:read orders:write", &["clerk"][..], 200),
        ("orders:read orders:write", &["guest"], 403),
        ("orders:read", &["clerk"], 403),
        ("orders:write", &["clerk"], 403),
    ] {
        let token = bearer(&bench.issuer.token(ORDERS).scope(scope).claim("roles", roles));
        assert_eq!(
            crate::get(&app, "/", &[("authorization", &token)]).await.status,
            status,
            "{scope} {roles:?}"
        );
    }
}

#[tokio::test]
async fn a_plain_service_learns_who_calls() {
    let bench = Bench::new().await;
    let plain = service_fn(async |request: Request<Empty<&'static [u8]>>| {
        let principal = principal_of(request.extensions()).unwrap();
        let mut told = principal.sub().to_owned();
        if let Err(refused) = authorized::<OrdersWrite>(request.extensions()) {
            told = format!("{told}: {}", refused.reason());
        }
        Ok::<_, Infallible>(Response::new(Full::<axum::body::Bytes>::from(told)))
    });
    let service = bench.verifier.layer().require::<OrdersRead>().layer(plain);
    let request = |authorization: &str| {
        Request::get("/").header("authorization", authorization).body(Empty::new()).unwrap()
    };
    let response = service.clone().oneshot(request(&bench.bearer())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "client:test-client: insufficient_scope");
    let response = service.oneshot(request("Bearer a")).await.unwrap();
    assert_eq!(response.status(), 401);

    assert!(principal_of(request("").extensions()).is_none());
    let refused = authorized::<OrdersRead>(request("").extensions()).unwrap_err();
    assert_eq!(refused.reason(), "no_token");
}

#[tokio::test]
async fn what_the_layer_has_verified_is_not_verified_again() {
    let bench = Bench::new().await;
    let (issuer, verifier) = (&bench.issuer, &bench.verifier);
    // A key that dies between layer and handler shows whether somebody looks twice.
    let dying = verifier.clone();
    let kill = axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
        dying.keys().deny_kid(TestKey::es256().kid()).unwrap();
        next.run(request)
    });
    let other = Verifier::with_keys(verifier.keys().clone(), ORDERS).build().unwrap();
    let handler = async |principal: Principal| principal.sub().to_owned();
    let app = |state: &Verifier| {
        Router::new()
            .route("/", get(handler))
            .layer(kill.clone())
            .layer(verifier.layer())
            .with_state(state.clone())
    };
    let token = bearer(&issuer.token(ORDERS));
    assert_eq!(crate::get(&app(verifier), "/", &[("authorization", &token)]).await.status, 200);
    // Another verifier trusts nobody's word.
    assert_eq!(crate::get(&app(&other), "/", &[("authorization", &token)]).await.status, 401);
}

#[tokio::test]
async fn without_keys_a_layer_answers_503() {
    let bench = Bench::new().await;
    bench.issuer.fault(Fault::StatusWithRetryAfter(503, 7));
    let cold = bench.cold();
    let answer =
        crate::get(&guarded(&cold, &Arc::default()), "/orders", &[("authorization", &bench.bearer())]).await;
    assert_eq!((answer.status, answer.challenge()), (503, ""));
    assert!((1..=60).contains(&answer.header("retry-after").parse::<u32>().unwrap()));
}

#[tokio::test]
async fn a_layer_answers_in_the_service_s_own_way() {
    let bench = Bench::with(|builder| builder.answer_with(own_answer)).await;
    let app = guarded(&bench.verifier, &Arc::default());
    let answer = crate::get(&app, "/orders", &[("authorization", "Bearer a")]).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "no: malformed_jws"));
    assert_eq!(answer.header("x-refused"), "malformed_jws");
}

/// Accepts a call only after it was ready, as tower demands of callers.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "it was not asked whether it is ready");
        std::future::ready(Ok(Response::new(Body::from("in"))))
    }
}

async fn call_twice(
    bench: &Bench,
    mut service: impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
) {
    for _ in 0..2 {
        let request = Request::get("/").header("authorization", bench.bearer()).body(Body::empty()).unwrap();
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(Answer::of(response).await.body, "in");
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let bench = Bench::new().await;
    call_twice(&bench, bench.verifier.layer().layer(Strict::default())).await;
    #[cfg(feature = "tonic")]
    call_twice(&bench, bench.verifier.layer().grpc().layer(Strict::default())).await;
}

#[tokio::test]
async fn bodies_pass_untouched() {
    let bench = Bench::new().await;
    let app = Router::new().route("/", post(async |body: String| body)).layer(bench.verifier.layer());
    let request = Request::post("/").header("authorization", bench.bearer()).body(Body::from("three apples"));
    assert_eq!(ask(&app, request.unwrap()).await.body, "three apples");
}

#[tokio::test]
async fn what_stands_before_a_service_can_be_looked_at() {
    let bench = Bench::new().await;
    let layer = bench.verifier.layer().require::<OrdersRead>().require_that(Requirement::Role("clerk"));
    let shown = format!("{layer:?}");
    assert!(shown.contains("Type(..)") && shown.contains("Role(\"clerk\")"), "{shown}");

    let refused = bench.verifier.refuse(Refusal::NoToken);
    assert_eq!((refused.to_string().as_str(), refused.into_refusal()), ("no access token", Refusal::NoToken));
}
