//! A feed that lies, is old, huge or signed by somebody else: no revocation is lost, and none is believed.

use std::time::Duration;

use claviger_jwks_client::{FeedError, FetchError, JwksClient, KeysEvent, StatementFault, TokenFacts};
use claviger_testkit::{Endpoint, Fault, FeedFault, TestKey};

use crate::feed::{Fleet, SECOND, client_of, copied, eventually, token};

/// What each lie is answered with. `None`: it is true in form, and is taken without lifting anything.
fn verdict(fault: FeedFault, held: u64) -> Option<FeedError> {
    let refused = FeedError::Refused;
    Some(match fault {
        FeedFault::Garbage => refused(StatementFault::Malformed),
        FeedFault::Rollback => refused(StatementFault::Rollback { held, offered: held - 1 }),
        FeedFault::WrongSigner => refused(StatementFault::UnknownSigner),
        FeedFault::Forged => refused(StatementFault::Signature),
        FeedFault::RevokedSigner => refused(StatementFault::DeadSigner),
        FeedFault::Frozen => FeedError::Expired,
        FeedFault::FromFuture => FeedError::FromFuture,
        FeedFault::LongLived => refused(StatementFault::Lifetime),
        FeedFault::OtherIssuer => refused(StatementFault::OtherIssuer),
        FeedFault::OtherKind => refused(StatementFault::OtherKind),
        FeedFault::TooLarge => FeedError::Fetch(FetchError::TooLarge),
        FeedFault::Forgetful => return None,
        other => panic!("{other:?} has no verdict"),
    })
}

/// How many of the four revocations this client has lost.
fn lost(client: &JwksClient) -> usize {
    let nobody = TokenFacts { jti: None, sid: None, sub: "x", client_id: "x", iat: token(0).iat };
    let alive = [
        client.known(TestKey::rs256().kid()).is_some(),
        !client.is_revoked(&TokenFacts { jti: Some("t-1"), ..nobody }),
        !client.is_revoked(&TokenFacts { sid: Some("s-1"), ..nobody }),
        !client.is_revoked(&TokenFacts { sub: "user:alice", ..nobody }),
    ];
    alive.into_iter().filter(|alive| *alive).count()
}

/// F17, and a restart in between.
// S-43
#[tokio::test]
async fn no_lie_of_the_feed_loses_a_revocation_before_and_after_a_restart() {
    for fault in FeedFault::ALL {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jwks");
        let Fleet { issuer, clock, client } = Fleet::start_with(|builder| builder.disk_copy(&path)).await;
        issuer.revoke_kid(TestKey::rs256().kid());
        issuer.revoke_jti("t-1");
        issuer.revoke_sid("s-1");
        issuer.revoke_sub("user:alice");
        assert_eq!(client.poll_revocations().await, Ok(()));
        let held = issuer.feed_sequence();
        copied(&path, held).await;
        issuer.feed_fault(fault);
        let expected = verdict(fault, held);
        clock.advance(Duration::from_secs(31));
        assert_eq!(client.poll_revocations().await.err(), expected, "{fault:?}");
        assert_eq!(lost(&client), 0, "{fault:?}");
        drop(client);
        let client = client_of(&issuer, &clock, |builder| builder.disk_copy(&path));
        assert!(client.refresh_now().await.is_ok(), "{fault:?}");
        assert_eq!(client.poll_revocations().await.err(), expected, "{fault:?}, after a restart");
        assert_eq!(lost(&client), 0, "{fault:?}, after a restart");
        issuer.heal();
        issuer.revoke_client("web");
        if expected.is_none() || fault == FeedFault::FromFuture {
            issuer.revoke_client("web"); // its statement was the one with the next number
        }
        clock.advance(Duration::from_secs(31));
        assert_eq!(client.poll_revocations().await, Ok(()), "{fault:?}, healed");
        assert!(client.is_revoked(&token(31)) && lost(&client) == 0, "{fault:?}, healed");
    }
}

// S-43
#[tokio::test]
async fn what_any_server_can_do_wrong_loses_none_either() {
    let faults = [
        Fault::Down,
        Fault::Status(500),
        Fault::RedirectTo("http://127.0.0.1:1/".to_owned()),
        Fault::UnaskedNotModified,
        Fault::TruncatedJson,
        Fault::CutOff,
        Fault::Html,
        Fault::Garbage,
        Fault::Huge,
        Fault::GzipBomb,
    ];
    let fleet = Fleet::start().await;
    fleet.issuer.revoke_kid(TestKey::rs256().kid());
    fleet.issuer.revoke_jti("t-1");
    fleet.issuer.revoke_sid("s-1");
    fleet.issuer.revoke_sub("user:alice");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    for fault in faults {
        fleet.issuer.fault_at(Endpoint::Revocations, fault.clone());
        fleet.clock.advance(SECOND);
        let result = fleet.client.poll_revocations().await;
        // A 304 without an entity tag, to a request that has one, is an answer to it (RFC 9110 section 15.4.5).
        assert!(result.is_err() || fault == Fault::UnaskedNotModified, "{fault:?}");
        assert_eq!(lost(&fleet.client), 0, "{fault:?}");
        assert!(fleet.client.known(TestKey::es256().kid()).is_some(), "{fault:?}");
    }
}

// S-43
#[tokio::test]
async fn that_the_feed_was_rolled_back_is_told_once() {
    let fleet = Fleet::start().await;
    fleet.issuer.revoke_jti("t-1");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    let mut events = fleet.client.subscribe();
    fleet.issuer.feed_fault(FeedFault::Rollback);
    for _ in 0..3 {
        assert!(fleet.client.poll_revocations().await.is_err());
    }
    assert_eq!(events.try_recv(), Ok(KeysEvent::RevocationsRolledBack { held: 2, offered: 1 }));
    assert!(events.try_recv().is_err());
}

/// The thief of a key signs statements with a number that the issuer does not reach. Nobody helps: the client itself asks
/// for the set when a statement is older, and what the issuer says is heard again.
// S-42 S-43
#[tokio::test]
async fn a_thief_cannot_keep_the_feed_silent() {
    let fleet = Fleet::start().await;
    fleet.issuer.feed_fault(FeedFault::Forgetful);
    for _ in 0..3 {
        assert_eq!(fleet.client.poll_revocations().await, Ok(()), "the number 2, by the key of ES256");
    }
    fleet.issuer.heal();
    fleet.clock.advance(SECOND);
    fleet.issuer.set_keys(&[TestKey::rs256()]);
    assert!(fleet.client.known(TestKey::es256().kid()).is_some());
    // The number 1, by the other key.
    let refused = fleet.client.poll_revocations().await;
    assert_eq!(refused, Err(FeedError::Refused(StatementFault::Rollback { held: 2, offered: 1 })));
    fleet.clock.advance(2 * SECOND);
    eventually(|| fleet.client.known(TestKey::es256().kid()).is_none()).await;
    fleet.issuer.revoke_jti("t-1");
    fleet.clock.advance(SECOND);
    eventually(|| fleet.client.is_revoked(&token(0))).await;
}
