//! The verifier in the frameworks: what they let through, and what their callers are answered.
#![cfg(all(feature = "axum", feature = "tower"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
};
use claviger_testkit::{TestIssuer, TestKey, TestToken};
use claviger_verifier::{AnswerBody, Refusal, Verifier, VerifierBuilder, required_scope};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tower::ServiceExt;

#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "cookies")]
mod cookies;
#[cfg(feature = "tonic")]
mod grpc;
#[cfg(feature = "test-util")]
mod handlers;
mod layer;
mod lookup;
mod metadata;
mod requirements;

const ORDERS: &str = "https://orders.fleet.test";

required_scope!(OrdersRead = "orders:read");
required_scope!(OrdersWrite = "orders:write");

/// An issuer and a verifier that holds its keys.
struct Bench {
    issuer: TestIssuer,
    verifier: Verifier,
}

/// What a caller is answered.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(configure: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let issuer = TestIssuer::start().await;
        let verifier = configure(Verifier::builder(issuer.url(), ORDERS)).build().unwrap();
        assert!(verifier.ready_within(Duration::from_secs(10)).await);
        Self { issuer, verifier }
    }

    /// Another verifier, whose keys come from elsewhere: it does not share those that are held already.
    fn cold(&self) -> Verifier {
        let builder = Verifier::builder(self.issuer.url(), ORDERS).jwks_url(&self.issuer.jwks_url());
        builder.build().unwrap()
    }

    /// A good token with the scope `orders:read`, in the making.
    fn token(&self) -> TestToken {
        self.issuer.token(ORDERS).scope("orders:read")
    }

    fn bearer(&self) -> String {
        bearer(&self.token())
    }
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, 65_536).await.unwrap().to_vec()).unwrap();
        let mut headers = head.headers;
        headers.remove(header::CONTENT_LENGTH);
        Self { status: head.status.as_u16(), headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn challenge(&self) -> &str {
        self.header("www-authenticate")
    }
}

fn bearer(token: &TestToken) -> String {
    format!("Bearer {}", token.sign_with(TestKey::es256()))
}

async fn ask(app: &Router, request: Request<Body>) -> Answer {
    Answer::of(app.clone().oneshot(request).await.unwrap()).await
}

/// Asks for `path` with these headers.
async fn get(app: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(app, request.body(Body::empty()).unwrap()).await
}

/// A service's own way to answer.
fn own_answer(refusal: &Refusal, mut answer: Response<AnswerBody>) -> Response<AnswerBody> {
    answer.headers_mut().insert("x-refused", HeaderValue::from_static(refusal.reason()));
    *answer.body_mut() = format!("no: {}", refusal.reason()).into();
    answer
}
