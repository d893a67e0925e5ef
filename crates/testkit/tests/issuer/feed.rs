use claviger_jose::{Mark, Marked, Revocations, UnverifiedJws, Verified};
use claviger_testkit::{Endpoint, Fault, FeedFault, TestIssuer, TestKey};

use crate::fetch;

/// The statement that is served, verified with the key that signs.
async fn statement(issuer: &TestIssuer) -> Revocations {
    let text = fetch(&issuer.revocations_url()).await.unwrap().text().await.unwrap();
    let jws = UnverifiedJws::parse_statement(&text).unwrap();
    TestKey::es256().jwk().verifying_key().unwrap().verify::<Revocations>(&jws).unwrap().into_inner()
}

#[tokio::test]
async fn what_is_revoked_is_in_the_next_statement() {
    let issuer = TestIssuer::start().await;
    let first = statement(&issuer).await;
    assert_eq!((first.iss.as_str(), first.seq), (issuer.url(), issuer.feed_sequence()));
    issuer.revoke_kid(TestKey::rs256().kid());
    issuer.revoke_jti("t-1");
    issuer.revoke_sub("user:alice");
    let last = statement(&issuer).await;
    assert_eq!((last.seq, &last.kid[..]), (first.seq + 3, &[*TestKey::rs256().kid()][..]));
    assert_eq!(last.jti, [Mark::of(Marked::Jti, "t-1")]);
    assert_eq!(last.sub[0].0, Mark::of(Marked::Sub, "user:alice"));
    assert!(last.sub[0].1 > first.iat, "issued before that time is in the very second, too");
    assert_ne!(last.jwks, first.jwks, "the key has left the set");
    assert!(!issuer.jwks().contains(TestKey::rs256().kid().as_str()));
    issuer.wait_for_polls(2).await;
}

#[tokio::test]
async fn the_statement_names_the_set_as_it_is_served() {
    let issuer = TestIssuer::start().await;
    let served = fetch(&issuer.jwks_url()).await.unwrap();
    let tag = served.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
    assert_eq!(statement(&issuer).await.jwks, tag);
    assert_eq!(statement(&issuer).await, statement(&issuer).await, "it is not signed anew for each");
}

#[tokio::test]
async fn the_feed_lies_until_it_is_healed() {
    let issuer = TestIssuer::start().await;
    let right = statement(&issuer).await;
    for fault in FeedFault::ALL {
        issuer.feed_fault(fault);
        let text = fetch(&issuer.revocations_url()).await.unwrap().text().await.unwrap();
        let read = UnverifiedJws::parse_statement(&text).ok().and_then(|jws| {
            let key = TestKey::es256().jwk().verifying_key().unwrap();
            key.verify::<Revocations>(&jws).ok()
        });
        assert_ne!(read.map(Verified::into_inner).as_ref(), Some(&right), "{fault:?}");
    }
    issuer.heal();
    assert_eq!(statement(&issuer).await, right);
    issuer.fault_at(Endpoint::Revocations, Fault::Status(500));
    assert_eq!(fetch(&issuer.revocations_url()).await.unwrap().status(), 500);
}
