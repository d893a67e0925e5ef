use std::time::Duration;

use claviger_jwks_client::{DenyError, FetchError, KeyError, KeysEvent};
use claviger_testkit::{Fault, TestKey};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::{Rig, is_unavailable};

const SECOND: Duration = Duration::from_secs(1);

fn told(events: &mut Receiver<KeysEvent>) -> Vec<KeysEvent> {
    let next = || match events.try_recv() {
        Ok(event) => Some(event),
        Err(TryRecvError::Empty) => None,
        Err(error) => panic!("{error}"),
    };
    std::iter::from_fn(next).collect()
}

fn changed(added: &[&TestKey], removed: &[&TestKey], generation: u64) -> KeysEvent {
    let kids = |keys: &[&TestKey]| keys.iter().map(|key| *key.kid()).collect();
    KeysEvent::Changed { added: kids(added), removed: kids(removed), generation }
}

#[tokio::test]
async fn a_rotation_is_told_and_one_without_overlap_is_told_apart() {
    let rig = Rig::start().await;
    let (r, e, other) = (TestKey::rs256(), TestKey::es256(), TestKey::es256_other());
    let mut events = rig.client.subscribe();
    let publish = async |keys: &[&'static TestKey]| {
        rig.issuer.set_keys(keys);
        rig.clock.advance(SECOND);
        rig.client.refresh_now().await.unwrap();
    };
    publish(&[e, r]).await;
    assert_eq!(told(&mut events), [], "the order of the keys is no news");
    publish(&[r, e, other]).await;
    assert_eq!(told(&mut events), [changed(&[other], &[], 2)]);
    publish(&[r, other]).await;
    assert_eq!(told(&mut events), [changed(&[], &[e], 3)]);
    publish(&[r, e]).await;
    let gap = KeysEvent::KeyWithoutOverlap { kid: *other.kid() };
    assert_eq!(told(&mut events), [changed(&[e], &[other], 4), gap]);
    assert_eq!((rig.client.generation(), rig.client.status().generation), (4, 4));
}

// S-22
#[tokio::test]
async fn an_outage_is_told_once_when_the_set_is_no_longer_fresh_and_so_is_its_end() {
    let rig = Rig::start().await;
    let mut events = rig.client.subscribe();
    let refresh = async |seconds: u64| {
        rig.clock.advance(Duration::from_secs(seconds));
        rig.client.refresh_now().await
    };
    rig.issuer.fault(Fault::Status(500));
    assert_eq!(refresh(100).await, Err(FetchError::Status(500)));
    assert_eq!(told(&mut events), [], "the set is still fresh");
    assert!(refresh(200).await.is_err());
    assert!(refresh(60).await.is_err());
    assert_eq!(told(&mut events), [KeysEvent::Stale]);
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    assert!(rig.client.status().stale_served > 0);
    rig.issuer.heal();
    assert_eq!(refresh(60).await, Ok(()));
    assert_eq!(told(&mut events), [KeysEvent::Recovered]);
    assert_eq!(rig.client.generation(), 1, "the keys are the same");
}

#[tokio::test]
async fn a_subscriber_who_does_not_listen_hurts_nobody() {
    let rig = Rig::start().await;
    let mut events = rig.client.subscribe();
    for round in 0..100 {
        rig.client.deny_kid(&format!("{round:043}").parse().unwrap()).unwrap();
        let keys = if round % 2 == 0 { [TestKey::rs256_other()] } else { [TestKey::rs256()] };
        rig.issuer.set_keys(&keys);
        rig.clock.advance(SECOND);
        rig.client.refresh_now().await.unwrap();
    }
    assert!(matches!(events.try_recv(), Err(TryRecvError::Lagged(_))));
    assert!(events.try_recv().is_ok());
}

#[tokio::test]
async fn refresh_now_is_outside_the_bucket_and_once_per_second() {
    let rig = Rig::start().await;
    for _ in 0..10 {
        assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    }
    assert_eq!(rig.issuer.fetches(), 3, "the bucket is empty");
    for _ in 0..10 {
        assert_eq!(rig.client.refresh_now().await, Ok(()));
    }
    assert_eq!(rig.issuer.fetches(), 4);
    rig.clock.advance(SECOND);
    rig.issuer.fault(Fault::Html);
    for _ in 0..10 {
        assert!(matches!(rig.client.refresh_now().await, Err(FetchError::Set(_))));
    }
    assert_eq!(rig.issuer.fetches(), 5);
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
}

#[tokio::test]
async fn refresh_now_joins_the_attempt_under_way() {
    let rig = Rig::start().await;
    rig.issuer.fault(Fault::Hang);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let client = rig.client.clone();
        callers.spawn(async move { client.refresh_now().await });
    }
    assert!(callers.join_all().await.iter().all(|result| *result == Err(FetchError::Timeout)));
    assert_eq!(rig.issuer.fetches(), 2);
}

#[tokio::test]
async fn refresh_now_does_not_take_an_older_answer_for_its_own() {
    let rig = Rig::start().await;
    rig.issuer.fault(Fault::Slow(Duration::from_millis(500)));
    let client = rig.client.clone();
    let earlier = tokio::spawn(async move { client.resolve(TestKey::es256_other().kid()).await.is_ok() });
    rig.issuer.wait_for_fetches(2).await;
    rig.client.refresh_now().await.unwrap();
    assert_eq!(rig.issuer.fetches(), 3, "that one was asked before the call");
    assert!(!earlier.await.unwrap());
}

#[tokio::test]
async fn a_denied_key_is_dead_at_once_and_stays_so_whatever_is_published() {
    let rig = Rig::start().await;
    let (e, other) = (TestKey::es256(), TestKey::es256_other());
    let mut events = rig.client.subscribe();
    rig.client.deny_kid(e.kid()).unwrap();
    assert!(rig.client.known(e.kid()).is_none());
    assert_eq!(told(&mut events), [changed(&[], &[e], 2)]);
    assert_eq!(rig.client.generation(), 2);
    assert_eq!(rig.knows(e).await, Err(KeyError::UnknownKid));
    assert_eq!(rig.issuer.fetches(), 1, "a denied kid is not worth a fetch");

    rig.client.deny_kid(e.kid()).unwrap();
    assert_eq!((rig.client.generation(), rig.client.status().denied), (2, 1));
    rig.client.deny_kid(other.kid()).unwrap();
    assert_eq!((rig.client.generation(), rig.client.status().denied), (2, 2), "it was not held");

    rig.issuer.set_keys(&[e, other, TestKey::rs256()]);
    rig.client.refresh_now().await.unwrap();
    for dead in [e, other] {
        assert_eq!(rig.knows(dead).await, Err(KeyError::UnknownKid));
    }
    assert_eq!(rig.knows(TestKey::rs256()).await, Ok(()));
    assert_eq!(told(&mut events), [], "nothing that is accepted has changed");
}

#[tokio::test]
async fn a_client_whose_keys_are_all_denied_is_not_an_outage() {
    let rig = Rig::start().await;
    rig.client.deny_kid(TestKey::es256().kid()).unwrap();
    rig.client.deny_kid(TestKey::rs256().kid()).unwrap();
    assert!(rig.client.is_ready());
    assert_eq!(rig.client.status().keys, 0);
    assert_eq!(rig.knows(TestKey::rs256()).await, Err(KeyError::UnknownKid));
}

#[tokio::test]
async fn more_than_1024_kids_cannot_be_denied() {
    let rig = Rig::start().await;
    let deny = |number: usize| rig.client.deny_kid(&format!("{number:043}").parse().unwrap());
    for number in 0..1024 {
        assert_eq!(deny(number), Ok(()));
    }
    assert_eq!(deny(1024), Err(DenyError::Full));
    assert_eq!(deny(0), Ok(()));
}

#[tokio::test]
async fn what_is_left_of_the_set_is_told() {
    let rig = Rig::start().await;
    let day = Duration::from_hours(24);
    assert_eq!(rig.client.usable_for(), Some(day));
    rig.issuer.stop().await;
    rig.clock.advance(Duration::from_secs(86_399));
    assert_eq!(rig.client.usable_for(), Some(SECOND));
    rig.clock.advance(SECOND);
    assert_eq!(rig.client.usable_for(), None);
    assert!(rig.client.known(TestKey::es256().kid()).is_none());
    assert!(is_unavailable(rig.knows(TestKey::es256()).await.unwrap_err()));
}
