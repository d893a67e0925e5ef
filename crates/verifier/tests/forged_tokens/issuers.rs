//! What one of several issuers may not do in the name of another.

use std::time::Duration;

use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::Verifier;

use crate::ORDERS;

async fn issuer_with(key: &'static TestKey) -> TestIssuer {
    TestIssuer::builder().keys([key]).start().await
}

async fn reason(verifier: &Verifier, issuer: &TestIssuer, key: &TestKey) -> &'static str {
    let verdict = verifier.verify(&issuer.token(ORDERS).sign_with(key)).await;
    verdict.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

// S-5
#[tokio::test]
async fn a_key_set_elsewhere_is_that_of_the_first_issuer_whoever_else_is_trusted() {
    let (first, second, mirror) = (TestKey::es256_other(), TestKey::es256(), TestKey::rs256());
    let (partner, house) = (issuer_with(first).await, issuer_with(second).await);
    let elsewhere = issuer_with(mirror).await;
    let builder = Verifier::builder(partner.url(), ORDERS).also_trust(house.url());
    let verifier = builder.jwks_url(&elsewhere.jwks_url()).build().unwrap();
    for keys in verifier.key_sets() {
        assert!(keys.ready_within(Duration::from_secs(10)).await);
    }
    assert_eq!(reason(&verifier, &partner, mirror).await, "accepted");
    assert_eq!(reason(&verifier, &partner, first).await, "unknown_kid");
    assert_eq!(reason(&verifier, &house, second).await, "accepted");
    assert_eq!(reason(&verifier, &house, mirror).await, "unknown_kid");
}
