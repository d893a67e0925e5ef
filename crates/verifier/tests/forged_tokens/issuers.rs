//! What one of several issuers may not do in the name of another.

use std::time::Duration;

use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::{TrustedIssuer, Verifier};

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

#[tokio::test]
async fn a_subject_of_others_is_no_client_of_this_house_whatever_it_is_called() {
    let issuer = TestIssuer::start().await;
    for (trusted, is_client) in
        [(TrustedIssuer::new(issuer.url()), true), (TrustedIssuer::rfc9068(issuer.url()), false)]
    {
        let verifier = Verifier::builder(trusted, ORDERS).build().unwrap();
        assert!(verifier.ready_within(Duration::from_secs(10)).await);
        let token = issuer.token(ORDERS).sub("client:payroll").sign_with(TestKey::es256());
        assert_eq!(verifier.verify(&token).await.unwrap().is_client(), is_client);
        let token = issuer.token(ORDERS).sub("alice").sign_with(TestKey::es256());
        assert!(!verifier.verify(&token).await.unwrap().is_client());
    }
}
