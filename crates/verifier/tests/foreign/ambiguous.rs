//! Payloads that are truly signed and of which two readers could think differently.

use serde_json::{Value, json};

use crate::{
    Service,
    shapes::{self, keycloak, kubernetes},
};

async fn check(service: &Service, payload: &str) {
    let verdict = service.verifier.verify(&service.sign(payload)).await;
    assert_eq!(verdict.unwrap_err().reason(), "malformed_claims", "{payload}");
}

async fn check_good(service: &Service, payload: &str) {
    assert!(service.verifier.verify(&service.sign(payload)).await.is_ok(), "{payload}");
}

/// One more member in front, its name as it is written here: serde keeps the last one, others the first.
fn with_front(claims: &Value, name: &str, value: &Value) -> String {
    let claims = claims.to_string();
    format!("{{\"{name}\":{value},{}", &claims[1..])
}

/// The good claims with this text for one of them.
fn with(service: &Service, name: &str, text: &str) -> String {
    let claims = service.claims(&json!({ name: "@" })).to_string();
    claims.replace("\"@\"", text)
}

// S-7
#[tokio::test]
async fn no_claim_of_any_issuer_stands_twice() {
    for shape in shapes::all() {
        let service = Service::trusting(shape).await;
        let claims = service.claims(&json!({}));
        check_good(&service, &with_front(&claims, "\\u0078", &json!(1))).await;
        for (name, value) in claims.as_object().unwrap() {
            check(&service, &with_front(&claims, name, value)).await;
            let escaped = format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
            check(&service, &with_front(&claims, &escaped, value)).await;
        }
        for payload in ["[]", "7", "null", "\"a\"", ""] {
            check(&service, payload).await;
        }
    }
}

// S-7
#[tokio::test]
async fn no_member_within_a_claim_stands_twice() {
    let service = Service::trusting(keycloak()).await;
    check_good(&service, &with(&service, "realm_access", r#"{"r\u006fles":["admin"]}"#)).await;
    for (name, twice) in [
        ("realm_access", r#"{"roles":["admin"],"roles":[]}"#),
        ("realm_access", r#"{"roles":["admin"],"r\u006fles":[]}"#),
        ("cnf", r#"{"jkt":"a","jkt":"b"}"#),
        ("cnf", r#"{"kc-jkt-type":"DPoP","kc-jkt-type":"another","jkt":"a"}"#),
    ] {
        check(&service, &with(&service, name, twice)).await;
    }
    let service = Service::trusting(kubernetes()).await;
    let twice = r#"{"namespace":"shop","namespace":"kube-system"}"#;
    check(&service, &with(&service, "kubernetes.io", twice)).await;
}

// S-5 S-6 S-7
#[tokio::test]
async fn claims_of_another_type_are_none() {
    for shape in shapes::all() {
        let service = Service::trusting(shape).await;
        let issuer = service.issuer.url();
        let mut wrong =
            vec![("iss", json!([issuer])), ("iss", json!({ "a": issuer })), ("sub", json!(["a"]))];
        wrong.extend(["iss", "sub", "aud", "exp", "iat"].map(|name| (name, Value::Null)));
        wrong.extend(["iss", "sub", "aud", "exp", "iat", "nbf"].map(|name| (name, json!(true))));
        wrong.extend(["exp", "iat", "nbf"].map(|name| (name, json!("1700000000"))));
        wrong.extend([
            ("iss", json!(7)),
            ("sub", json!(7)),
            ("aud", json!(7)),
            ("aud", json!("")),
            ("aud", json!([])),
            ("aud", json!({ "0": service.shape.audience })),
            ("aud", json!([service.shape.audience, 7])),
            ("aud", json!([service.shape.audience, ""])),
            ("aud", json!([[service.shape.audience]])),
            ("aud", json!(vec![service.shape.audience; 9])),
            ("cnf", json!("a")),
            ("cnf", Value::Null),
        ]);
        for (name, value) in wrong {
            check(&service, &service.claims(&json!({ name: value })).to_string()).await;
        }
        for other in [
            String::new(),
            format!("{issuer}/"),
            issuer.to_uppercase(),
            issuer[..issuer.len() - 1].to_owned(),
        ] {
            service.check(json!({ "iss": other }), "wrong_issuer").await;
        }
    }
}
