//! What the issuer has revoked is dead here, at once and for good.

use std::{path::Path, sync::Arc, time::Duration};

use claviger_jose::{Algorithm, Clock, NumericDate};
use claviger_jwks_client::{FeedError, JwksClient, JwksClientBuilder, KeyError, KeysEvent, TokenFacts};
use claviger_testkit::{Endpoint, Fault, TestClock, TestIssuer, TestKey};
use tokio::{task::yield_now, time::timeout};

pub(crate) const BEGIN: u64 = 1_800_000_000;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An issuer and a client of it that go by one clock.
pub(crate) struct Fleet {
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: TestClock,
    pub(crate) client: JwksClient,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder) -> Self {
        let clock = TestClock::at(NumericDate::from_secs(BEGIN));
        let issuer = TestIssuer::builder().clock(&clock).start().await;
        let client = client_of(&issuer, &clock, configure);
        assert!(client.ready_within(PATIENCE).await, "{client:?}");
        assert_eq!(client.poll_revocations().await, Ok(()));
        Self { issuer, clock, client }
    }

    pub(crate) fn covers(&self, token: TokenFacts<'_>) -> bool {
        self.client.is_revoked(&token)
    }
}

pub(crate) fn client_of(
    issuer: &TestIssuer,
    clock: &TestClock,
    configure: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder,
) -> JwksClient {
    configure(JwksClient::builder(issuer.url()).clock(Arc::new(clock.clone()))).build().unwrap()
}

/// A token that was issued so long after the beginning.
pub(crate) fn token(after: u64) -> TokenFacts<'static> {
    let iat = NumericDate::from_secs(BEGIN + after);
    TokenFacts { jti: Some("t-1"), sid: Some("s-1"), sub: "user:alice", client_id: "web", iat }
}

pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "it has not come true");
}

/// Waits until the copy says so.
pub(crate) async fn copied(path: &Path, sequence: u64) {
    let text = format!("\"seq\":{sequence},");
    eventually(|| std::fs::read_to_string(path).is_ok_and(|copy| copy.contains(&text))).await;
}

// S-42 S-43
#[tokio::test]
async fn a_revoked_key_is_dead_after_the_next_poll_also_where_the_set_still_has_it() {
    let fleet = Fleet::start().await;
    let stolen = TestKey::rs256();
    fleet.issuer.fault(Fault::StaleCopy);
    let mut events = fleet.client.subscribe();
    let before = fleet.client.generation();
    fleet.issuer.revoke_kid(stolen.kid());
    fleet.clock.advance(17 * SECOND);
    eventually(|| fleet.client.known(stolen.kid()).is_none()).await;
    assert_eq!(fleet.client.resolve(stolen.kid()).await.map(drop), Err(KeyError::UnknownKid));
    assert!(fleet.client.generation() > before);
    let KeysEvent::Changed { removed, .. } = events.recv().await.unwrap() else { panic!("not changed") };
    assert_eq!(removed, [*stolen.kid()]);
    let KeysEvent::Revoked { kids, entries: 1, generation } = events.recv().await.unwrap() else {
        panic!("not told")
    };
    assert_eq!((kids.as_slice(), generation), ([*stolen.kid()].as_slice(), fleet.client.generation()));
    fleet.clock.advance(Duration::from_mins(5));
    let _ = fleet.client.refresh_now().await;
    assert!(fleet.client.known(stolen.kid()).is_none(), "a copy of the set brings it back");
}

// S-43
#[tokio::test]
async fn what_is_revoked_for_a_token_a_session_a_subject_a_client_or_all_is_dead() {
    type Revoke = fn(&TestIssuer);
    let table: [(Revoke, bool); 5] = [
        (|issuer| issuer.revoke_jti("t-1"), true),
        (|issuer| issuer.revoke_sid("s-1"), false),
        (|issuer| issuer.revoke_sub("user:alice"), false),
        (|issuer| issuer.revoke_client("web"), false),
        (TestIssuer::revoke_all, false),
    ];
    for (revoke, whenever) in table {
        let fleet = Fleet::start().await;
        assert!(!fleet.covers(token(0)));
        let before = fleet.client.generation();
        revoke(&fleet.issuer);
        assert_eq!(fleet.client.poll_revocations().await, Ok(()));
        assert!(fleet.covers(token(0)), "issued in the very second");
        assert_eq!(fleet.covers(token(1)), whenever);
        assert_eq!(fleet.client.generation(), before + 1);
        assert_eq!(fleet.client.poll_revocations().await, Ok(()));
        assert_eq!(fleet.client.generation(), before + 1, "nothing has changed since");
    }
}

// S-43
#[tokio::test]
async fn more_keys_are_revoked_than_can_be_denied_by_hand() {
    let fleet = Fleet::start().await;
    for number in 0..2_000 {
        fleet.issuer.revoke_kid(&format!("{number:0>43}").parse().unwrap());
    }
    fleet.issuer.revoke_kid(TestKey::rs256().kid());
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    assert!(fleet.client.known(TestKey::rs256().kid()).is_none());
    assert_eq!(fleet.client.status().feed.unwrap().entries, 2_001);
    assert!(
        fleet.client.deny_kid(TestKey::es256().kid()).is_ok(),
        "and the list of the operator is not full"
    );
}

#[tokio::test]
async fn one_poll_keeps_feed_and_key_set_fresh() {
    let fleet = Fleet::start().await;
    assert_eq!((fleet.issuer.fetches(), fleet.client.status().keys), (1, 2));
    for _ in 0..10 {
        fleet.clock.advance(Duration::from_mins(1));
        assert_eq!(fleet.client.poll_revocations().await, Ok(()));
        let status = fleet.client.status();
        assert!(
            status.age.unwrap() < Duration::from_mins(5),
            "the statement is signed anew by then: {status:?}"
        );
        assert_eq!(status.feed.unwrap().age, Some(Duration::ZERO));
    }
    fleet.issuer.expect_fetches(1);
    let conditional = |request: &claviger_testkit::SeenRequest| {
        (request.endpoint == Endpoint::Revocations).then_some((request.conditional, request.status))
    };
    let polls: Vec<_> = fleet.issuer.requests().iter().filter_map(conditional).collect();
    assert!(polls[1..].iter().all(|(conditional, _)| *conditional), "{polls:?}");
    assert!(polls.contains(&(true, Some(304))), "{polls:?}");
    let next = fleet.issuer.publish_next(Algorithm::Es256);
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    fleet.clock.advance(SECOND);
    eventually(|| fleet.client.known(next.kid()).is_some()).await;
    fleet.issuer.expect_fetches(2);
}

#[tokio::test]
async fn the_set_itself_is_fetched_once_an_hour_all_the_same() {
    let fleet = Fleet::start().await;
    for _ in 0..65 {
        fleet.clock.advance(Duration::from_mins(1));
        let _ = fleet.client.poll_revocations().await;
    }
    fleet.issuer.wait_for_fetches(2).await;
    assert!(fleet.issuer.metadata_fetches() <= 2);
}

// S-43
#[tokio::test]
async fn a_statement_by_a_key_that_is_not_known_yet_has_the_set_fetched_once() {
    let fleet = Fleet::start().await;
    fleet.issuer.set_keys(&[TestKey::es256_other()]);
    fleet.issuer.revoke_jti("t-1");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    assert!(fleet.covers(token(0)));
    assert!(fleet.client.known(TestKey::es256_other().kid()).is_some());
    fleet.issuer.expect_fetches(2);
}

// S-43
#[tokio::test]
async fn a_feed_that_stands_still_is_seen_and_lifts_nothing() {
    let fleet = Fleet::start().await;
    fleet.issuer.revoke_jti("t-1");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    fleet.issuer.feed_fault(claviger_testkit::FeedFault::Frozen);
    fleet.clock.advance(Duration::from_mins(5));
    assert_eq!(fleet.client.poll_revocations().await, Err(FeedError::Expired));
    let feed = fleet.client.status().feed.unwrap();
    assert_eq!((feed.age, feed.last_error), (Some(Duration::from_mins(5)), Some(FeedError::Expired)));
    assert!(fleet.covers(token(0)) && fleet.client.is_ready());
}

/// A cache on the way answers 304 for ever, and says nothing of its age: that is the statement's own.
// S-22 S-43
#[tokio::test]
async fn an_unchanged_statement_is_news_until_it_expires_and_does_not_put_off_the_set() {
    let theirs = TestClock::at(NumericDate::from_secs(BEGIN));
    let issuer = TestIssuer::builder().clock(&theirs).start().await;
    let clock = TestClock::at(NumericDate::from_secs(BEGIN));
    let client = client_of(&issuer, &clock, |builder| builder);
    assert!(client.ready_within(PATIENCE).await);
    for minutes in 0..12 {
        let expected = if minutes < 11 { Ok(()) } else { Err(FeedError::Expired) };
        assert_eq!(client.poll_revocations().await, expected, "after {minutes} minutes");
        let age = client.status().age.unwrap();
        assert!(
            issuer.fetches() > 1 || age == Duration::from_mins(minutes),
            "{age:?} after {minutes} minutes"
        );
        clock.advance(Duration::from_mins(1));
    }
    assert_eq!(theirs.now(), NumericDate::from_secs(BEGIN));
    assert!(issuer.fetches() > 1, "the set was asked for");
}

/// The wall clock is set back by two days, and something on the way answers "not modified".
// S-30 S-43
#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_old_statement_news() {
    let theirs = TestClock::at(NumericDate::from_secs(BEGIN));
    let issuer = TestIssuer::builder().clock(&theirs).start().await;
    let clock = TestClock::at(NumericDate::from_secs(BEGIN));
    let client = client_of(&issuer, &clock, |builder| builder);
    assert!(client.ready_within(PATIENCE).await);
    assert_eq!(client.poll_revocations().await, Ok(()));
    for _ in 0..11 {
        clock.advance(Duration::from_mins(1));
        clock.set_wall(NumericDate::from_secs(BEGIN));
        let _ = client.poll_revocations().await;
    }
    assert_eq!(client.poll_revocations().await, Err(FeedError::Expired));
}

/// The verifier's clock is an hour slow.
// S-30 S-43
#[tokio::test]
async fn a_slow_clock_hides_no_revocation() {
    let theirs = TestClock::at(NumericDate::from_secs(BEGIN + 3600));
    let issuer = TestIssuer::builder().clock(&theirs).start().await;
    let clock = TestClock::at(NumericDate::from_secs(BEGIN));
    let client = client_of(&issuer, &clock, |builder| builder);
    assert!(client.ready_within(PATIENCE).await);
    issuer.revoke_jti("t-1");
    issuer.revoke_kid(TestKey::rs256().kid());
    assert_eq!(client.poll_revocations().await, Err(FeedError::FromFuture));
    assert!(client.is_revoked(&token(0)) && client.known(TestKey::rs256().kid()).is_none());
    assert_eq!(client.status().feed.unwrap().age, None, "it confirms nothing");
}

/// A statement as large as they come is read on another thread.
// S-43 S-85
#[tokio::test]
async fn a_large_statement_is_taken_while_others_go_on() {
    let fleet = Fleet::start().await;
    for number in 0..20_000 {
        fleet.issuer.revoke_jti(&number.to_string());
    }
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    assert_eq!(fleet.client.status().feed.unwrap().entries, 20_000);
    fleet.issuer.revoke_jti("t-1");
    fleet.clock.advance(SECOND);
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    assert!(fleet.covers(token(0)));
}

// S-27
#[tokio::test]
async fn an_empty_set_replaces_a_good_one_only_where_all_is_revoked() {
    let fleet = Fleet::start().await;
    fleet.issuer.fault(Fault::EmptySet);
    assert!(fleet.client.refresh_now().await.is_err());
    assert!(fleet.client.known(TestKey::es256().kid()).is_some(), "an accident");
    for key in [TestKey::rs256(), TestKey::es256()] {
        fleet.issuer.revoke_kid(key.kid());
    }
    // The set is empty, and what signs the statement is not in it: it is signed by nobody who is known.
    assert!(fleet.client.poll_revocations().await.is_err());
    fleet.issuer.heal();
    fleet.clock.advance(Duration::from_mins(1));
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    fleet.issuer.fault(Fault::EmptySet);
    fleet.clock.advance(SECOND);
    assert!(fleet.client.refresh_now().await.is_err());
    for key in [TestKey::rs256(), TestKey::es256()] {
        assert!(fleet.client.known(key.kid()).is_none());
        assert_eq!(fleet.client.resolve(key.kid()).await.map(drop), Err(KeyError::UnknownKid));
    }
}

// S-43
#[tokio::test]
async fn a_restart_forgets_no_revocation_while_the_issuer_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks");
    let fleet = Fleet::start_with(|builder| builder.disk_copy(&path)).await;
    fleet.issuer.revoke_kid(TestKey::rs256().kid());
    fleet.issuer.revoke_sub("user:alice");
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    copied(&path, fleet.issuer.feed_sequence()).await;
    let Fleet { issuer, clock, client } = fleet;
    drop(client);
    issuer.stop().await;
    let client = client_of(&issuer, &clock, |builder| builder.disk_copy(&path));
    assert!(client.is_ready() && client.known(TestKey::es256().kid()).is_some());
    assert!(client.known(TestKey::rs256().kid()).is_none());
    assert!(client.is_revoked(&token(0)) && !client.is_revoked(&token(1)));
    assert_eq!(client.status().feed.unwrap().sequence, Some(issuer.feed_sequence()));
}

#[tokio::test]
async fn where_no_feed_is_announced_none_is_polled_unless_its_url_is_given() {
    let clock = TestClock::at(NumericDate::from_secs(BEGIN));
    let issuer = TestIssuer::builder().clock(&clock).start().await;
    let without: [fn(JwksClientBuilder, &TestIssuer) -> JwksClientBuilder; 3] = [
        |builder, issuer| builder.jwks_url(&issuer.jwks_url()),
        |builder, issuer| builder.fixed_set(issuer.jwks()),
        |builder, _| builder.foreign_kids(),
    ];
    for configure in without {
        let client = client_of(&issuer, &clock, |builder| configure(builder, &issuer));
        assert!(client.ready_within(PATIENCE).await);
        assert_eq!(client.poll_revocations().await, Err(FeedError::NoFeed));
        assert_eq!(client.status().feed, None);
    }
    assert_eq!(issuer.polls(), 0);
    issuer.revoke_jti("t-1");
    for configure in &without[..2] {
        let with_url = |builder| configure(builder, &issuer).revocations_url(&issuer.revocations_url());
        let client = client_of(&issuer, &clock, with_url);
        assert!(client.ready_within(PATIENCE).await);
        assert_eq!(client.poll_revocations().await, Ok(()));
        assert!(client.is_revoked(&token(0)));
    }
    let refused = JwksClient::builder(issuer.url()).revocations_url("http://id.example.com/feed").build();
    let reason = refused.unwrap_err().to_string();
    assert!(reason.starts_with("the revocations URL is not acceptable"), "{reason}");
}
