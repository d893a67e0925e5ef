//! What each preset takes, and what it does not.

use serde_json::{Value, json};

use crate::{Expected, Service, shapes};

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_rfc_9068_are_taken_under_keys_of_any_name() {
    let service = Service::trusting(shapes::rfc9068()).await;
    let expected = Expected {
        sub: "5ba552d67",
        client_id: "s6BhdRkqt3",
        jti: Some("dbe39bf3a3ba4238a513f51d6e1691c4"),
        scope: Some("openid profile reademail"),
        role: Some("clerk"),
        clientless: Some("malformed_claims"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, Value::Null).await;
    for name in ["client_id", "jti"] {
        for value in [json!(""), json!(7), json!([])] {
            service.check(json!({ name: value }), "malformed_claims").await;
        }
    }
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_keycloak_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(shapes::keycloak()).await;
    let expected = Expected {
        sub: "f4aa5d2e-9a3b-4a4f-8e0c-1a8e7b0c6c1b",
        client_id: "shop-web",
        jti: Some("onrtac:9b0bd2d6"),
        scope: Some("openid profile email"),
        role: Some("admin"),
        clientless: Some("malformed_claims"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, json!({ "typ": "ID" })).await;
    service.check(json!({ "typ": "Refresh" }), "no_access_token").await;
    let principal = service.verify(json!({})).await.unwrap();
    assert_eq!(principal.claim("preferred_username"), Some("alice".to_owned()));
    assert_eq!(principal.acr(), Some("1"));
}

// S-6
#[tokio::test]
async fn access_tokens_of_auth0_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(shapes::auth0()).await;
    let expected = Expected {
        sub: "auth0|5f7c8ec7c33c6c004bbafe82",
        client_id: "my_client_id",
        jti: None,
        scope: Some("openid profile read:orders"),
        role: Some("delete:orders"),
        clientless: Some("no_access_token"),
        nameless: None,
    };
    // An ID token's audience is the client: nothing else tells it apart, and nothing else is needed.
    service.check_all(expected, Value::Null).await;
    service.check(json!({ "aud": "my_client_id", "nonce": "n" }), "wrong_audience").await;
    let of_profile_9068 =
        json!({ "azp": null, "client_id": "my_client_id", "jti": "73WakrfVbNJBaAmhQtEeDv" });
    let principal = service.verify(of_profile_9068).await.unwrap();
    assert_eq!((principal.client_id(), principal.jti()), ("my_client_id", Some("73WakrfVbNJBaAmhQtEeDv")));
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_entra_id_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(shapes::entra_id()).await;
    let expected = Expected {
        sub: "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        client_id: "1a2b3c4d-be56-4843-9ff4-e66a39bb12e3",
        jti: Some("fqiBqXLPj0eQa82S-IYFAA"),
        scope: Some("access_as_user"),
        role: Some("Orders.Admin"),
        clientless: Some("no_access_token"),
        nameless: None,
    };
    service.check_all(expected, json!({ "azp": null, "azpacr": null, "scp": null, "nonce": "n" })).await;
    let of_version_1 = service.verify(json!({ "azp": null, "appid": "old", "ver": "1.0" })).await.unwrap();
    assert_eq!(of_version_1.client_id(), "old");
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_cognito_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(shapes::cognito()).await;
    let expected = Expected {
        sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        client_id: "xxxxxxxxxxxxexample",
        jti: Some("aaaaaaaa-2"),
        scope: Some("phone openid profile"),
        role: Some("testgroup"),
        clientless: Some("malformed_claims"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, json!({ "token_use": "id" })).await;
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_okta_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(shapes::okta()).await;
    let expected = Expected {
        sub: "alice@fleet.test",
        client_id: "nmdP1fcyvdVO11AL7ECm",
        jti: Some("AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE"),
        scope: Some("openid email"),
        role: Some("Everyone"),
        clientless: Some("no_access_token"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, json!({ "cid": null, "uid": null, "scp": null })).await;
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_kubernetes_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(shapes::kubernetes()).await;
    let expected = Expected {
        sub: "system:serviceaccount:shop:web",
        client_id: "system:serviceaccount:shop:web",
        jti: Some("ea28ed49-2e11-4280-9ec5-bc3d1d84661a"),
        scope: None,
        role: None,
        clientless: None,
        nameless: None,
    };
    service.check_all(expected, json!({ "kubernetes.io": null })).await;
    assert_eq!(service.verify(json!({ "jti": null })).await.unwrap().jti(), None);
}
