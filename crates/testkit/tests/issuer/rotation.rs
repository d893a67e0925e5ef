use claviger_jose::{Algorithm, JwkSet, Kid};
use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::Verifier;

use crate::fetch;

const ORDERS: &str = "https://orders.fleet.test";

async fn published(issuer: &TestIssuer) -> Vec<Kid> {
    let set = fetch(&issuer.jwks_url()).await.unwrap().bytes().await.unwrap();
    JwkSet::parse(&set).unwrap().keys().iter().map(|key| *key.kid()).collect()
}

#[tokio::test]
async fn the_set_follows_the_life_of_the_keys() {
    let issuer = TestIssuer::start().await;
    let (rsa, first) = (TestKey::rs256().kid(), TestKey::es256().kid());
    let next = issuer.publish_next(Algorithm::Es256).kid();
    assert_eq!(published(&issuer).await, [*rsa, *first, *next]);
    assert_eq!(issuer.promote(Algorithm::Es256).kid(), next);
    assert_eq!(published(&issuer).await.len(), 3);
    issuer.retire(Algorithm::Es256);
    assert_eq!(published(&issuer).await, [*rsa, *next]);
    issuer.set_raw_jwks("nonsense".to_owned());
    issuer.revoke(rsa);
    let set = published(&issuer).await;
    assert!(set.len() == 2 && !set.contains(rsa), "another key signs RS256 in its place");
}

#[tokio::test]
#[should_panic(expected = "no RS256 key is prepared: publish the next one first")]
async fn a_key_is_not_promoted_before_it_is_published() {
    TestIssuer::start().await.promote(Algorithm::Rs256);
}

#[tokio::test]
async fn a_verifier_that_fetched_before_the_promotion_rejects_nothing() {
    let issuer = TestIssuer::start().await;
    issuer.publish_next(Algorithm::Es256);
    let verifier = Verifier::builder(issuer.url(), ORDERS).build().unwrap();
    let before = issuer.token(ORDERS).sign_with(TestKey::es256());
    assert!(verifier.verify(&before).await.is_ok());
    let fetches = issuer.fetches();
    let next = issuer.promote(Algorithm::Es256);
    assert!(verifier.verify(&issuer.token(ORDERS).sign_with(next)).await.is_ok());
    assert!(verifier.verify(&before).await.is_ok());
    issuer.expect_fetches(fetches);
}

#[tokio::test]
async fn issuers_side_by_side_have_keys_of_their_own() {
    let ours = TestIssuer::builder().name("ours").start().await;
    let theirs =
        TestIssuer::builder().name("/theirs/").keys([TestKey::nth(Algorithm::Es256, 2)]).start().await;
    assert!(ours.url().ends_with("/ours") && theirs.url().ends_with("/theirs"));
    let verifier = Verifier::builder(theirs.url(), ORDERS).build().unwrap();
    let key = theirs.token(ORDERS).key();
    assert!(verifier.verify(&theirs.token(ORDERS).sign_with(key)).await.is_ok());
    let forged = theirs.token(ORDERS).sign_with(ours.token(ORDERS).key());
    assert_eq!(verifier.verify(&forged).await.unwrap_err().reason(), "unknown_kid");
}
