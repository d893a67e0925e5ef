//! Client certificates, from the TLS layer and from proxies (RFC 8705, RFC 9440), through axum.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, Request},
    routing::get,
};
use claviger_testkit::TestKey;
use claviger_verifier::{ClientCertificate, ClientCertificateFromProxy, PeerAddress, Principal};
use serde_json::json;
use tower::ServiceExt;

use crate::Bench;

const PROXY: &str = "10.0.0.7:4000";
const HEADER: HeaderName = HeaderName::from_static("x-client-cert");
/// `der of the client`, as RFC 9440 writes it.
const GOOD: &str = ":ZGVyIG9mIHRoZSBjbGllbnQ=:";

/// Answers what became of the header on its way, if the token of the client is accepted.
fn service(bench: &Bench) -> Router {
    let proxies = ["10.0.0.7".parse().unwrap()];
    Router::new()
        .route("/", get(async |_: Principal, headers: HeaderMap| headers.contains_key(HEADER).to_string()))
        .with_state(bench.verifier.clone())
        .layer(ClientCertificateFromProxy::new(HEADER, proxies))
}

async fn ask(bench: &Bench, prepare: impl FnOnce(&mut Request<Body>)) -> (u16, String) {
    ask_as(bench, b"der of the client", prepare).await
}

/// Asks with a token that is bound to this certificate.
async fn ask_as(bench: &Bench, der: &[u8], prepare: impl FnOnce(&mut Request<Body>)) -> (u16, String) {
    let thumbprint = ClientCertificate::from_der(der).thumbprint();
    let token = bench.token().claim("cnf", json!({ "x5t#S256": thumbprint })).sign_with(TestKey::es256());
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let mut request = request.body(Body::empty()).unwrap();
    prepare(&mut request);
    let answer = service(bench).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn from(peer: &str, values: &[&str]) -> impl FnOnce(&mut Request<Body>) {
    move |request| {
        request.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
        for value in values {
            request.headers_mut().append(HEADER, value.parse().unwrap());
        }
    }
}

// S-16 S-58
#[tokio::test]
async fn a_certificate_is_taken_from_the_proxy_and_from_nobody_else() {
    let bench = Bench::new(|verifier| verifier).await;
    let accepted = (200, "false".to_owned());
    let refused = (401, r#"{"error":"invalid_token"}"#.to_owned());
    assert_eq!(ask(&bench, from(PROXY, &[GOOD])).await, accepted);
    assert_eq!(ask(&bench, from("10.0.0.8:4000", &[GOOD])).await, refused);
    assert_eq!(ask(&bench, from("127.0.0.1:4000", &[GOOD])).await, refused);
    assert_eq!(ask(&bench, from(PROXY, &[])).await, refused);
    assert_eq!(ask(&bench, from(PROXY, &[GOOD, GOOD])).await, refused);
    assert_eq!(ask(&bench, from(PROXY, &[":b3RoZXI=:"])).await, refused);
    assert_eq!(ask(&bench, from(PROXY, &[&GOOD.to_lowercase()])).await, refused);
}

#[tokio::test]
async fn a_certificate_may_be_as_long_as_they_are_and_no_longer() {
    let bench = Bench::new(|verifier| verifier).await;
    for (characters, status) in [(4096, 200), (16 * 1024, 200), (16 * 1024 + 4, 401)] {
        let header = format!(":{}:", "A".repeat(characters));
        let der = vec![0; characters / 4 * 3];
        assert_eq!(ask_as(&bench, &der, from(PROXY, &[&header])).await.0, status, "{characters}");
    }
}

// S-58
#[tokio::test]
async fn the_address_may_come_from_axum() {
    let bench = Bench::new(|verifier| verifier).await;
    for (peer, status) in [(PROXY, 200), ("10.0.0.8:4000", 401)] {
        let prepare = |request: &mut Request<Body>| {
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            request.headers_mut().append(HEADER, GOOD.parse().unwrap());
        };
        assert_eq!(ask(&bench, prepare).await.0, status, "{peer}");
    }
    let unknown = |request: &mut Request<Body>| {
        request.headers_mut().append(HEADER, GOOD.parse().unwrap());
    };
    assert_eq!(ask(&bench, unknown).await.0, 401);
}

// S-16 S-58
#[tokio::test]
async fn the_tls_layer_is_believed_and_a_proxy_is_not_its_client() {
    let bench = Bench::new(|verifier| verifier).await;
    let with = |peer: &'static str| {
        move |request: &mut Request<Body>| {
            request.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
            request.extensions_mut().insert(ClientCertificate::from_der(b"der of the client"));
        }
    };
    assert_eq!(ask(&bench, with("10.0.0.8:4000")).await.0, 200);
    assert_eq!(ask(&bench, with(PROXY)).await.0, 401);
}
