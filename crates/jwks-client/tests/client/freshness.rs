use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_jwks_client::{KeyError, Timing};
use claviger_testkit::TestKey;

use crate::{Rig, is_unavailable};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

// S-21
#[tokio::test]
async fn a_set_is_replaced_and_never_merged() {
    let rig = Rig::start().await;
    assert_eq!(rig.knows(TestKey::rs256()).await, Ok(()));
    rig.issuer.set_keys(&[TestKey::es256(), TestKey::es256_other()]);
    assert_eq!(rig.knows(TestKey::es256_other()).await, Ok(()));
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    assert_eq!(rig.knows(TestKey::rs256()).await, Err(KeyError::UnknownKid));
    let status = rig.client.status();
    assert_eq!((status.keys, status.generation), (2, 2));
}

// S-22
#[tokio::test]
async fn the_set_is_refreshed_without_a_request() {
    let rig = Rig::start().await;
    rig.issuer.set_keys(&[TestKey::rs256_other()]);
    assert_eq!(rig.issuer.fetches(), 1);
    rig.clock.advance(270 * SECOND);
    rig.issuer.wait_for_fetches(2).await;
}

// S-22
#[tokio::test]
async fn known_kids_cause_no_fetch_while_the_set_is_fresh() {
    let rig = Rig::start().await;
    rig.clock.advance(200 * SECOND);
    for _ in 0..1_000 {
        assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    }
    assert_eq!(rig.issuer.fetches(), 1);
}

#[tokio::test]
async fn not_modified_renews_the_age() {
    let rig = Rig::start().await;
    rig.clock.advance(200 * SECOND);
    assert_eq!(rig.client.status().age, Some(200 * SECOND));
    assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    let status = rig.client.status();
    assert_eq!((status.age, status.generation), (Some(Duration::ZERO), 1));
    assert_eq!((status.fetches.replaced, status.fetches.not_modified), (1, 1));
    // 24 h from the confirmation, not from the fetch.
    rig.issuer.stop().await;
    rig.clock.advance(23 * HOUR + 59 * MINUTE);
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
}

// S-22
#[tokio::test]
async fn an_outage_is_bridged_for_as_long_as_configured_and_then_answered_503() {
    let timing = Timing::default().with_staleness(2 * HOUR).unwrap();
    let rig = Rig::start_with(|builder| builder.timing(timing)).await;
    rig.issuer.stop().await;
    rig.clock.advance(HOUR + 59 * MINUTE);
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    rig.clock.advance(MINUTE);
    assert!(!rig.client.is_ready());
    assert!(is_unavailable(rig.knows(TestKey::es256()).await.unwrap_err()));
    assert!(is_unavailable(rig.provoke().await), "an unknown kid is not known to be unknown");
    rig.issuer.restart().await;
    rig.clock.advance(HOUR);
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
}

// S-30
#[tokio::test]
async fn the_wall_clock_has_no_say() {
    let rig = Rig::start().await;
    rig.issuer.stop().await;
    rig.clock.advance(12 * HOUR);
    for wall in [0, 4_000_000_000] {
        rig.clock.set_wall(NumericDate::from_secs(wall));
        assert_eq!(rig.client.status().age, Some(12 * HOUR));
        assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    }
    rig.clock.set_wall(NumericDate::from_secs(0));
    rig.clock.advance(12 * HOUR);
    assert!(is_unavailable(rig.knows(TestKey::es256()).await.unwrap_err()));
}

// S-25
#[tokio::test]
async fn a_max_age_of_a_year_is_an_hour() {
    let rig = Rig::start().await;
    rig.issuer.cache_control("max-age=31536000");
    assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    rig.clock.advance(HOUR);
    rig.issuer.wait_for_fetches(3).await;
}

// S-25
#[tokio::test]
async fn a_max_age_of_zero_is_a_second_on_loopback() {
    let rig = Rig::start().await;
    rig.issuer.cache_control("no-store, max-age=0");
    assert_eq!(rig.provoke().await, KeyError::UnknownKid);
    rig.clock.advance(Duration::from_millis(700));
    assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    assert_eq!(rig.issuer.fetches(), 2);
    rig.clock.advance(Duration::from_millis(300));
    rig.issuer.wait_for_fetches(3).await;
}
