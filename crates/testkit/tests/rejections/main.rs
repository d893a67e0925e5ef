//! Every forgery by name, before a sound verifier and before sloppy ones.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use claviger_jose::{Algorithm, UnverifiedJws, base64url};
use claviger_testkit::{
    Attack, RejectionCheck, Tamper, TestIssuer, TestToken, assert_rejects_all, assert_rejects_all_at,
};
use claviger_verifier::{Principal, Verifier};
use tokio::net::TcpListener;

const ORDERS: &str = "https://orders.fleet.test";

fn token(issuer: &TestIssuer) -> TestToken {
    issuer.token(ORDERS).scope("orders:read")
}

async fn verifier(issuer: &TestIssuer) -> Verifier {
    let verifier = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);
    verifier
}

fn guarded(verifier: Verifier) -> Router {
    Router::new()
        .route("/orders", get(async |caller: Principal| caller.sub().to_owned()))
        .with_state(verifier)
}

/// A service that looks at the Authorization header in its own way.
fn service(accepts: impl Fn(&str) -> bool + Clone + Send + Sync + 'static) -> Router {
    let handler = async move |headers: HeaderMap| -> Response {
        let value = headers[header::AUTHORIZATION].to_str().unwrap_or_default();
        if accepts(value.trim_start_matches("Bearer ")) { "welcome".into_response() } else { rejection("no") }
    };
    Router::new().route("/orders", get(handler))
}

fn rejection(body: &'static str) -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
    (StatusCode::UNAUTHORIZED, challenge, body).into_response()
}

async fn failures(app: Router, token: &TestToken) -> Vec<&'static str> {
    let failed = RejectionCheck::of(token).run(app, "/orders").await.unwrap_err();
    assert!(failed.names().iter().all(|name| failed.to_string().contains(name)));
    failed.names()
}

// S-1 S-2 S-3 S-4 S-5 S-6 S-7 S-8 S-9 S-10 S-12 S-16
#[tokio::test]
async fn every_forgery_differs_from_the_good_token_and_is_refused() {
    let issuer = TestIssuer::start().await;
    let verifier = verifier(&issuer).await;
    for alg in [Algorithm::Es256, Algorithm::Rs256] {
        let token = token(&issuer).alg(alg);
        let good = token.sign();
        assert!(verifier.verify(&good).await.is_ok());
        for tamper in Tamper::all() {
            let forged = tamper.apply(&token);
            assert_ne!(forged, good, "{}", tamper.name());
            let refusal = verifier.verify(&forged).await.expect_err(tamper.name());
            assert_ne!(refusal.reason(), "unavailable", "{}", tamper.name());
        }
    }
}

/// A second opinion: the signature of what attacks the content is good by the crypto library itself.
#[test]
fn an_attack_in_the_content_is_truly_signed() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    for alg in [Algorithm::Es256, Algorithm::Rs256] {
        let token = token(&issuer).alg(alg);
        let verification: &'static dyn VerificationAlgorithm = match alg {
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        let key = UnparsedPublicKey::new(verification, token.key().spki());
        for tamper in Tamper::all() {
            let elsewhere =
                [Attack::Algorithm, Attack::EmbeddedKey, Attack::Issuer, Attack::Form, Attack::Signature];
            if !elsewhere.contains(&tamper.attack()) {
                let forged = tamper.apply(&token);
                let (signed, signature) = forged.rsplit_once('.').unwrap();
                let signature = base64url::decode(signature).unwrap();
                assert!(key.verify(signed.as_bytes(), &signature).is_ok(), "{} ({alg})", tamper.name());
            }
        }
    }
}

#[tokio::test]
async fn a_sound_service_passes_in_this_process_and_over_http() {
    let issuer = TestIssuer::start().await;
    let app = guarded(verifier(&issuer).await);
    assert_rejects_all(app.clone(), &token(&issuer), "/orders").await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/orders", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_rejects_all_at(&url, &token(&issuer)).await;
}

#[tokio::test]
async fn a_service_that_is_not_warm_yet_is_waited_for() {
    let issuer = TestIssuer::start().await;
    let verifier = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
    assert_rejects_all(guarded(verifier), &token(&issuer), "/orders").await;
}

#[tokio::test]
async fn a_service_that_accepts_everything_is_named_row_by_row() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    let all: Vec<&str> = Tamper::all().iter().map(Tamper::name).collect();
    assert_eq!(failures(service(|_| true), &token(&issuer)).await, all);
}

#[tokio::test]
#[should_panic(expected = "alg-none (ES256): accepted: 200 OK; body \"welcome\"")]
async fn the_one_line_panics_with_the_names() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    assert_rejects_all(service(|_| true), &token(&issuer), "/orders").await;
}

#[tokio::test]
async fn a_service_that_looks_at_the_signature_alone_is_found_out() {
    let issuer = TestIssuer::start().await;
    let (ec, rsa) = (token(&issuer).alg(Algorithm::Es256).key(), token(&issuer).alg(Algorithm::Rs256).key());
    let keys = std::sync::Arc::new([ec, rsa].map(|key| key.jwk().verifying_key().unwrap()));
    let signed = move |token: &str| {
        let Ok(jws) = UnverifiedJws::parse(token) else { return false };
        keys.iter().any(|key| key.verify::<Anything>(&jws).is_ok())
    };
    let found = failures(service(signed), &token(&issuer)).await;
    for name in
        ["aud-another", "iss-another", "expired", "sub-absent", "cnf-of-a-dpop-key", "exp-in-ten-years"]
    {
        assert!(found.contains(&name), "{name}");
    }
    for name in ["alg-none", "signed-by-a-stranger", "jku", "typ-jwt", "one-bit-off"] {
        assert!(!found.contains(&name), "{name}");
    }
}

struct Anything;

impl<'de> serde::Deserialize<'de> for Anything {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl claviger_jose::Payload for Anything {
    const TYP: claviger_jose::Typ = claviger_jose::Typ::AtJwt;
}

#[tokio::test]
async fn a_service_that_does_not_look_at_the_signature_is_found_out() {
    let issuer = TestIssuer::start().await;
    let url = issuer.url().to_owned();
    let claims_only = move |token: &str| {
        let payload = token.split('.').nth(1).unwrap_or_default();
        let claims: serde_json::Value =
            serde_json::from_slice(&base64url::decode(payload).unwrap_or_default()).unwrap_or_default();
        claims["iss"] == url.as_str() && claims["aud"] == ORDERS
    };
    let found = failures(service(claims_only), &token(&issuer)).await;
    for name in ["alg-none-with-an-empty-tag", "signed-by-a-stranger", "payload-replaced", "ec-r-the-order"] {
        assert!(found.contains(&name), "{name}");
    }
    assert!(!found.contains(&"aud-another"));
}

#[tokio::test]
async fn an_answer_that_tells_the_reason_is_found_out() {
    let issuer = TestIssuer::start().await;
    let verifier = verifier(&issuer).await;
    let handler = async move |headers: HeaderMap| -> Response {
        let value = headers[header::AUTHORIZATION].to_str().unwrap_or_default();
        match verifier.verify(value.trim_start_matches("Bearer ")).await {
            Ok(_) => "welcome".into_response(),
            Err(refusal) if refusal.reason() == "expired" => rejection("your token has expired"),
            Err(refusal) if refusal.reason() == "wrong_audience" => StatusCode::FORBIDDEN.into_response(),
            Err(_) => rejection("no"),
        }
    };
    let found = failures(Router::new().route("/orders", get(handler)), &token(&issuer)).await;
    assert!(found.contains(&"expired") && found.contains(&"aud-another"), "{found:?}");
    assert!(!found.contains(&"exp-before-iat") && !found.contains(&"alg-none"), "{found:?}");
}

#[tokio::test]
async fn nothing_is_shown_by_a_service_that_refuses_all_or_has_no_such_route() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    let failed = RejectionCheck::of(&token(&issuer)).run(service(|_| false), "/orders").await.unwrap_err();
    let text = failed.to_string();
    assert!(text.starts_with("the good token is not accepted, so nothing can be shown"), "{text}");
    assert!(text.contains("the good token (ES256): 401 Unauthorized"), "{text}");
    let failed = RejectionCheck::of(&token(&issuer)).run(service(|_| true), "/nowhere").await.unwrap_err();
    assert!(failed.to_string().contains("404 Not Found: there is no such route"), "{failed}");
}

#[tokio::test]
async fn what_differs_on_purpose_is_left_out() {
    let issuer = TestIssuer::start().await;
    let verifier = verifier(&issuer).await;
    let check = RejectionCheck::of(&token(&issuer)).except(["typ-jwt"]);
    let names: Vec<_> = Tamper::all().iter().map(Tamper::name).filter(|name| *name != "typ-jwt").collect();
    let app = service(|_| true);
    assert_eq!(check.clone().run(app, "/orders").await.unwrap_err().names(), names);
    check.run(guarded(verifier), "/orders").await.unwrap();
}

#[test]
#[should_panic(expected = "no forgery has the name \"alg-nine\"")]
fn an_exception_has_a_name() {
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    let _ = RejectionCheck::of(&token(&issuer)).except(["alg-nine"]);
}
