//! `private_key_jwt`, signed and mis-signed.

use std::{net::IpAddr, sync::Arc};

use claviger_testkit::TestKey;
use serde_json::json;
use tokio::task::JoinSet;

use super::{House, ISSUER, by_assertion, claims, sign};
use crate::clock::wall_clock;

// S-55
#[tokio::test]
async fn an_assertion_names_the_client_and_this_issuer_alone() {
    let house = House::new().await;
    for (member, value, reason) in [
        ("aud", json!(format!("{ISSUER}/oauth2/token")), "aud"),
        ("aud", json!(format!("{ISSUER}/oauth2/par")), "aud"),
        ("aud", json!([ISSUER, "https://other.test"]), "aud"),
        ("aud", json!([ISSUER]), "aud"),
        ("sub", json!("basic"), "iss and sub"),
        ("exp", json!(wall_clock().as_secs() + 600), "five minutes"),
        ("exp", json!(wall_clock().as_secs() - 600), "expired"),
        ("jti", json!(null), "malformed payload"),
        ("exp", json!("soon"), "malformed payload"),
    ] {
        let mut claims = claims("j");
        claims[member] = value;
        house.refuses(&sign(TestKey::es256(), &claims), reason).await;
    }
    let mut of_another = claims("j");
    (of_another["iss"], of_another["sub"]) = ("public".into(), "public".into());
    house.refuses(&sign(TestKey::es256(), &of_another), "not the method").await;
    of_another["iss"] = "no client".into();
    house.refuses(&sign(TestKey::es256(), &of_another), "names no client").await;
    assert!(house.authenticate(&by_assertion(&sign(TestKey::es256(), &claims("j")))).await.is_ok());
}

// S-55
#[tokio::test]
async fn an_assertion_is_signed_with_a_registered_key_and_its_one_algorithm() {
    let house = House::new().await;
    let (es256, rs256) = (TestKey::es256(), TestKey::rs256());
    let claims = |jti: &str| claims(jti).to_string();
    let header = |alg: &str, key: &TestKey, typ: &str| json!({ "alg": alg, "kid": key.kid(), "typ": typ });
    let good = "client-authentication+jwt";
    house.refuses(&sign(TestKey::es256_other(), &super::claims("j")), "no key of this kid").await;
    let forged = TestKey::es256_other().jws(header("ES256", es256, good), &claims("j"));
    house.refuses(&forged, "bad signature").await;
    house.refuses(&rs256.jws(header("RS256", es256, good), &claims("j")), "wrong algorithm").await;
    house.refuses(&es256.jws(header("none", es256, good), &claims("j")), "wrong algorithm").await;
    house.refuses(&es256.jws(header("HS256", es256, good), &claims("j")), "wrong algorithm").await;
    for typ in ["at+jwt", "dpop+jwt", "logout+jwt", "anything"] {
        house.refuses(&es256.jws(header("ES256", es256, typ), &claims("j")), "wrong typ").await;
    }
    let embedded =
        json!({ "alg": "ES256", "kid": es256.kid(), "typ": good, "jwk": TestKey::es256_other().jwk() });
    house.refuses(&TestKey::es256_other().jws(embedded, &claims("j")), "a key in the header").await;
    let nameless = json!({ "alg": "ES256", "typ": good });
    house.refuses(&es256.jws(nameless, &claims("j")), "no kid").await;
    for (key, typ) in [(es256, good), (rs256, "JWT")] {
        let assertion = key.jws(header(key.alg().as_str(), key, typ), &claims(typ));
        assert_eq!(house.authenticate(&by_assertion(&assertion)).await.unwrap(), "robot");
    }
    let untyped = es256.jws(json!({ "alg": "ES256", "kid": es256.kid() }), &claims("untyped"));
    assert_eq!(house.authenticate(&by_assertion(&untyped)).await.unwrap(), "robot");
}

// S-55
#[tokio::test]
async fn of_two_replicas_that_get_one_assertion_at_once_one_accepts_it() {
    let house = Arc::new(House::new().await);
    for number in 0..200 {
        let assertion = sign(TestKey::es256(), &claims(&format!("j{number}")));
        let mut asked = JoinSet::new();
        for replica in [false, true] {
            let (house, presented) = (Arc::clone(&house), by_assertion(&assertion));
            asked.spawn(async move {
                let auth = if replica { &house.replica } else { &house.auth };
                // Each time from another address: nobody is to wait here.
                let from = IpAddr::from([192, 0, 2, u8::try_from(number).unwrap()]);
                auth.authenticate(&house.registry, &presented, from).await.is_ok()
            });
        }
        let accepted = asked.join_all().await.into_iter().filter(|accepted| *accepted).count();
        assert_eq!(accepted, 1, "assertion {number}");
    }
}
