//! Claims that say less, or something else, than they seem to.

use serde_json::{Value, json};

use crate::{
    Service,
    shapes::{auth0, cognito, entra_id, keycloak, kubernetes, okta, rfc9068},
};

// S-4
#[tokio::test]
async fn a_preset_takes_the_kinds_that_its_issuer_writes_and_no_other() {
    let table = [
        (rfc9068(), [false, false, true]),
        (keycloak(), [false, true, true]),
        (auth0(), [false, true, true]),
        (entra_id(), [false, true, true]),
        (cognito(), [true, false, false]),
        (okta(), [true, true, true]),
        (kubernetes(), [true, false, false]),
    ];
    for (shape, taken) in table {
        let mut service = Service::trusting(shape).await;
        for (typ, taken) in [Value::Null, "JWT".into(), "at+jwt".into()].into_iter().zip(taken) {
            let header = service.shape.header.as_object_mut().unwrap();
            header.remove("typ");
            if !typ.is_null() {
                header.insert("typ".to_owned(), typ);
            }
            let expected = if taken { Ok(()) } else { Err("wrong_type") };
            assert_eq!(service.verify(json!({})).await.map(drop), expected, "{}", service.shape.header);
        }
    }
}

// S-6
#[tokio::test]
async fn a_token_of_cognito_that_names_a_resource_is_for_that_resource_alone() {
    let mut shape = cognito();
    shape.audience = "https://orders.fleet.test";
    shape.claims["aud"] = shape.audience.into();
    let service = Service::trusting(shape).await;
    let principal = service.verify(json!({})).await.unwrap();
    assert_eq!(principal.client_id(), "xxxxxxxxxxxxexample");
    assert!(service.verify(json!({ "aud": ["https://orders.fleet.test"] })).await.is_ok());
    service.check(json!({ "aud": null }), "wrong_audience").await;

    // The service's name is the client's id: that counts only where nothing else is named.
    let service = Service::trusting(cognito()).await;
    for aud in [json!("https://billing.fleet.test"), json!(["https://billing.fleet.test"])] {
        service.check(json!({ "aud": aud }), "wrong_audience").await;
    }
    for aud in [json!(7), json!(""), json!([]), json!({}), json!([null])] {
        service.check(json!({ "aud": aud }), "malformed_claims").await;
    }
}

#[tokio::test]
async fn a_scope_of_an_array_is_one_scope() {
    let service = Service::trusting(okta()).await;
    for scp in [
        json!(["x orders:write"]),
        json!(["openid", "x orders:write"]),
        json!([" openid"]),
        json!(["openid "]),
        json!(["openid", ""]),
        json!([""]),
        json!(["a\tb"]),
        json!(["a\""]),
        json!(["a\\"]),
        json!(["\u{e9}"]),
        json!([["openid"]]),
        json!([1]),
        json!(["openid", null]),
        json!({}),
        json!(7),
        json!(vec!["a".repeat(128); 16]),
    ] {
        service.check(json!({ "scp": scp }), "malformed_claims").await;
    }
    let scope_of = async |changes: Value| {
        let principal = service.verify(changes).await.unwrap();
        principal.scope().map(ToString::to_string)
    };
    assert_eq!(scope_of(json!({ "scp": [] })).await.as_deref(), Some(""));
    assert_eq!(scope_of(json!({ "scp": ["orders:write"] })).await.as_deref(), Some("orders:write"));
    assert_eq!(
        scope_of(json!({ "scp": "openid orders:write" })).await.as_deref(),
        Some("openid orders:write")
    );
    // What this issuer does not write is not read.
    assert_eq!(scope_of(json!({ "scp": null, "scope": "orders:write" })).await, None);
    assert_eq!(scope_of(json!({ "scope": "orders:write" })).await.as_deref(), Some("openid email"));
}

// S-4 S-6
#[tokio::test]
async fn an_id_token_of_auth0_is_refused_by_a_service_that_is_configured_with_the_client_s_name() {
    let mut shape = auth0();
    shape.audience = "my_client_id";
    shape.claims["aud"] = shape.audience.into();
    let service = Service::trusting(shape).await;
    service
        .check(json!({ "azp": null, "scope": null, "permissions": null, "nonce": "n" }), "no_access_token")
        .await;
}
