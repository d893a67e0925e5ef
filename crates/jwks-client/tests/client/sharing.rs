use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use claviger_jose::{Clock, NumericDate};
use claviger_jwks_client::{JwksClient, KeyError};
use claviger_testkit::{Fault, TestClock, TestIssuer, TestKey};
use tokio::{task::JoinSet, time::timeout};

use crate::{Rig, is_unavailable};

/// Two hundred requests at once; answers how many found the key.
async fn crowd(client: &JwksClient, key: &'static TestKey) -> usize {
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        let client = client.clone();
        crowd.spawn(async move { client.resolve(key.kid()).await });
    }
    crowd.join_all().await.iter().filter(|found| found.is_ok()).count()
}

// S-23
#[tokio::test(flavor = "multi_thread")]
async fn many_requests_for_a_new_kid_share_one_fetch() {
    let rig = Rig::start().await;
    rig.issuer.set_keys(&[TestKey::es256(), TestKey::es256_other()]);
    assert_eq!(crowd(&rig.client, TestKey::es256_other()).await, 200);
    assert_eq!(rig.issuer.fetches(), 2);
}

// S-29
#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_a_cold_start_share_one_fetch() {
    let issuer = TestIssuer::start().await;
    let client = JwksClient::builder(issuer.url()).build().unwrap();
    assert_eq!(crowd(&client, TestKey::rs256()).await, 200);
    assert_eq!((issuer.metadata_fetches(), issuer.fetches()), (1, 1));
}

// S-23
#[tokio::test]
async fn unknown_kids_cause_two_fetches_and_then_one_per_interval() {
    let rig = Rig::start().await;
    for _ in 0..500 {
        assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    }
    assert_eq!(rig.issuer.fetches(), 3);
    rig.clock.advance(Duration::from_secs(30));
    for _ in 0..500 {
        assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    }
    assert_eq!(rig.issuer.fetches(), 4);
}

// S-23
#[tokio::test]
async fn a_new_key_is_learned_within_the_interval_although_the_bucket_was_emptied() {
    let rig = Rig::start().await;
    for _ in 0..500 {
        assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    }
    rig.issuer.set_keys(&[TestKey::es256_other()]);
    assert_eq!(rig.knows(TestKey::es256_other()).await, Err(KeyError::UnknownKid));
    rig.clock.advance(Duration::from_secs(30));
    assert_eq!(rig.knows(TestKey::es256_other()).await, Ok(()));
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_no_fetch_with_it() {
    let rig = Rig::start().await;
    rig.issuer.fault(Fault::Hang);
    let client = rig.client.clone();
    let caller = tokio::spawn(async move { client.resolve(TestKey::es256_other().kid()).await });
    rig.issuer.wait_for_fetches(2).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    let failed = async {
        while rig.client.status().fetches.failed == 0 {
            assert!(is_unavailable(rig.provoke().await));
        }
    };
    timeout(Duration::from_secs(20), failed).await.expect("the attempt ends");
    assert_eq!(rig.issuer.fetches(), 2, "the others joined the attempt of the one who left");
}

async fn is_gone(clock: &Weak<dyn Clock>) -> bool {
    let gone = async {
        while clock.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.is_ok()
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle() {
    let issuer = TestIssuer::start().await;
    for fault in [None, Some(Fault::Hang)] {
        if let Some(fault) = fault {
            issuer.fault(fault);
        }
        let before = issuer.fetches();
        // The task holds the clock for as long as it lives.
        let clock: Arc<dyn Clock> = Arc::new(TestClock::at(NumericDate::from_secs(0)));
        let life = Arc::downgrade(&clock);
        let client = JwksClient::builder(issuer.url()).clock(clock).build().unwrap();
        issuer.wait_for_fetches(before + 1).await;
        let clone = client.clone();
        drop(client);
        let _ = clone.resolve(TestKey::es256().kid()).await;
        assert!(life.strong_count() > 0);
        drop(clone);
        assert!(is_gone(&life).await);
    }
}
