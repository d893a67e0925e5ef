use std::time::Duration;

use claviger_jose::Kid;
use claviger_jwks_client::{JwksClient, KeyError};
use claviger_testkit::{TestIssuer, TestKey};
use serde_json::json;

use crate::Rig;

fn named(keys: &[(&TestKey, &str)]) -> String {
    let named = |(key, kid): &(&TestKey, &str)| {
        let mut jwk = json!(key.jwk());
        jwk["kid"] = (*kid).into();
        jwk
    };
    json!({ "keys": keys.iter().map(named).collect::<Vec<_>>() }).to_string()
}

fn kid(text: &str) -> Kid {
    text.parse().unwrap()
}

// S-23
#[tokio::test]
async fn a_kid_that_is_no_thumbprint_costs_nothing() {
    let rig = Rig::start().await;
    for number in 0..1_000 {
        let found = rig.client.resolve(&kid(&format!("key/{number}"))).await;
        assert_eq!(found.unwrap_err(), KeyError::UnknownKid);
    }
    assert_eq!(rig.issuer.fetches(), 1);
    rig.issuer.set_keys(&[TestKey::rs256_other()]);
    assert_eq!(rig.knows(TestKey::rs256_other()).await, Ok(()), "and leaves the bucket full for others");
}

// S-23
#[tokio::test]
async fn a_kid_that_is_no_thumbprint_is_refused_although_nothing_is_held() {
    let issuer = TestIssuer::start().await;
    issuer.stop().await;
    let client = JwksClient::builder(issuer.url()).build().unwrap();
    assert_eq!(client.resolve(&kid("key-1")).await.unwrap_err(), KeyError::UnknownKid);
}

// S-26
#[tokio::test]
async fn foreign_names_are_taken_only_where_they_are_allowed() {
    let issuer = TestIssuer::start().await;
    issuer.set_raw_jwks(named(&[(TestKey::es256(), "key-1")]));
    let strict = JwksClient::builder(issuer.url()).build().unwrap();
    assert!(strict.resolve(TestKey::es256().kid()).await.is_err());
    assert_eq!(strict.status().last_error.unwrap().to_string(), "no usable key in the set");
    assert!(strict.status().last_error.unwrap().remedy().contains("allow foreign kids"));

    let client = JwksClient::builder(issuer.url()).foreign_kids().build().unwrap();
    assert!(client.resolve(&kid("key-1")).await.is_ok());
    assert_eq!(client.resolve(&kid("key-2")).await.unwrap_err(), KeyError::UnknownKid);
    assert_eq!(
        client.status().fetches.replaced + client.status().fetches.not_modified,
        2,
        "it was looked for"
    );
}

// S-21
#[tokio::test]
async fn another_key_under_a_known_name_takes_its_place() {
    let issuer = TestIssuer::start().await;
    issuer.set_raw_jwks(named(&[(TestKey::es256(), "current")]));
    let client = JwksClient::builder(issuer.url()).foreign_kids().build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    issuer.set_raw_jwks(named(&[(TestKey::rs256(), "current")]));
    client.refresh_now().await.unwrap();
    assert_eq!(client.generation(), 2);
    assert_eq!(client.known(&kid("current")).unwrap().alg(), TestKey::rs256().alg());
}
