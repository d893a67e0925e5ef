//! Tokens of one issuer before the verifier of another: what is good for one is not for the other.

use std::time::Duration;

use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::Verifier;
use serde_json::{Value, json};

use crate::{ORDERS, Service, Shape, shapes};

/// The shape of a token for the service, by whatever name.
fn for_orders(mut shape: Shape) -> Shape {
    shape.claims["aud"] = ORDERS.into();
    shape.audience = ORDERS;
    shape
}

async fn reason_of(verifier: &Verifier, header: &Value, claims: &Value) -> &'static str {
    let verdict = verifier.verify(&TestKey::rs256().jws(header, &claims.to_string())).await;
    verdict.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

// S-4
#[tokio::test]
async fn a_token_of_another_form_is_none_of_this_house() {
    let issuer = TestIssuer::start().await;
    let house = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
    assert!(house.ready_within(Duration::from_secs(10)).await);
    // As it is; under a name of this house's key; and called an access token of RFC 9068, too.
    let expected = [
        ["malformed_kid", "accepted", "accepted"],
        ["wrong_type", "wrong_type", "malformed_claims"],
        ["malformed_kid", "wrong_type", "malformed_claims"],
        ["embedded_key", "wrong_type", "malformed_claims"],
        // With an audience and all, nothing is left that would tell it apart.
        ["malformed_kid", "wrong_type", "accepted"],
        ["malformed_kid", "wrong_type", "malformed_claims"],
        ["wrong_type", "wrong_type", "malformed_claims"],
    ];
    for (shape, expected) in shapes::all().into_iter().zip(expected) {
        let service = Service::trusting(for_orders(shape)).await;
        let claims = service.claims(&json!({ "iss": issuer.url() }));
        let mut header = service.shape.header.clone();
        let as_it_is = reason_of(&house, &header, &claims).await;
        header["kid"] = json!(TestKey::rs256().kid());
        header.as_object_mut().unwrap().remove("x5t");
        let renamed = reason_of(&house, &header, &claims).await;
        header["typ"] = "at+jwt".into();
        let retyped = reason_of(&house, &header, &claims).await;
        assert_eq!([as_it_is, renamed, retyped], expected, "{claims}");
    }
}

// S-4
#[tokio::test]
async fn a_token_of_this_house_is_none_of_an_issuer_that_writes_others() {
    // Auth0 also has a profile that is RFC 9068.
    let expected = [
        "accepted",
        "no_access_token",
        "accepted",
        "no_access_token",
        "wrong_type",
        "no_access_token",
        "wrong_type",
    ];
    for (shape, expected) in shapes::all().into_iter().zip(expected) {
        let service = Service::trusting(for_orders(shape)).await;
        let token = service.issuer.token(ORDERS);
        let as_it_is = token.sign_with(TestKey::rs256());
        assert!(service.verifier.verify(&as_it_is).await.is_err(), "{}", service.shape.kid);
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": service.shape.kid });
        assert_eq!(
            reason_of(&service.verifier, &header, &token.claims()).await,
            expected,
            "{}",
            service.shape.kid
        );
    }
}

// S-4 S-5
#[tokio::test]
async fn side_by_side_each_issuer_is_judged_by_its_own_keys_and_form() {
    for shape in shapes::all() {
        let theirs = Service::trusting(for_orders(shape)).await;
        let ours = TestIssuer::start().await;
        ours.set_keys(&[TestKey::es256()]);
        let both =
            Verifier::builder(ours.url(), ORDERS).also_trust((theirs.shape.preset)(theirs.issuer.url()));
        let both = both.build().unwrap();
        for keys in both.key_sets() {
            assert!(keys.ready_within(Duration::from_secs(10)).await);
        }
        let reason = async |token: &str| match both.verify(token).await {
            Ok(principal) => principal.iss().to_owned(),
            Err(refusal) => refusal.reason().to_owned(),
        };
        let kid = theirs.shape.kid;
        assert_eq!(reason(&ours.token(ORDERS).sign_with(TestKey::es256())).await, ours.url(), "{kid}");
        assert_eq!(reason(&theirs.token(&json!({}))).await, theirs.issuer.url(), "{kid}");

        let in_our_name = reason(&theirs.token(&json!({ "iss": ours.url() }))).await;
        assert!(
            ["wrong_type", "malformed_kid", "embedded_key"].contains(&&*in_our_name),
            "{kid}: {in_our_name}"
        );
        let mut typed = json!({ "alg": "RS256", "typ": "at+jwt", "kid": TestKey::rs256().kid() });
        let claims = ours.token(ORDERS).claims();
        assert_eq!(reason_of(&both, &typed, &claims).await, "unknown_kid", "{kid}");
        typed["kid"] = json!(TestKey::es256().kid());
        assert_eq!(reason_of(&both, &typed, &claims).await, "wrong_algorithm", "{kid}");
        let mut header = theirs.shape.header.clone();
        (header["alg"], header["kid"]) = ("ES256".into(), json!(TestKey::es256().kid()));
        let in_their_name = TestKey::es256().jws(&header, &theirs.claims(&json!({})).to_string());
        assert_eq!(reason(&in_their_name).await, "unknown_kid", "{kid}");
        for iss in [json!(["a"]), json!(7), json!({}), Value::Null] {
            let token = theirs.sign(&theirs.claims(&json!({ "iss": iss })).to_string());
            assert_eq!(reason(&token).await, "untrusted_issuer", "{kid} {iss}");
        }
        assert_eq!(
            reason(&theirs.token(&json!({ "iss": "https://c.test" }))).await,
            "untrusted_issuer",
            "{kid}"
        );
    }
}
