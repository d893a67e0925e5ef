use std::{collections::BTreeMap, time::Duration};

use claviger_jose::NumericDate;
use claviger_jwks_client::KeyError;
use claviger_testkit::{Fault, FeedFault, TestKey};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::{task::yield_now, time::timeout};

use crate::{Rig, feed::Fleet};

/// What was recorded since the last look: counters as their increments, gauges as they stand, histograms as their
/// number of values. Each as `name{labels}`, without the issuer, which is checked.
fn recorded(snapshotter: &Snapshotter, issuer: &str) -> BTreeMap<String, String> {
    let metric = |(key, _, _, value): (metrics_util::CompositeKey, _, _, DebugValue)| {
        let mut name = key.key().name().to_owned();
        for label in key.key().labels() {
            if label.key() == "issuer" {
                assert_eq!(label.value(), issuer);
            } else {
                name.extend(["{", label.key(), "=", label.value(), "}"]);
            }
        }
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(value) => value.into_inner().to_string(),
            DebugValue::Histogram(values) => values.len().to_string(),
        };
        (name, value)
    };
    snapshotter.snapshot().into_vec().into_iter().map(metric).filter(|(_, value)| value != "0").collect()
}

async fn becomes(snapshotter: &Snapshotter, issuer: &str, name: &str, expected: &str) {
    let become_so = async {
        while recorded(snapshotter, issuer).get(name).is_none_or(|value| value != expected) {
            yield_now().await;
        }
    };
    assert!(timeout(Duration::from_secs(10), become_so).await.is_ok(), "{name} should become {expected}");
}

#[tokio::test]
async fn what_happens_is_counted_with_bounded_labels() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start().await;
    let issuer = rig.issuer.url();
    let mut seen = recorded(&snapshotter, issuer);
    // The feed is polled meanwhile.
    seen.retain(|name, _| name.starts_with("jwks_"));
    assert_eq!(seen.remove("jwks_keys"), Some("2".to_owned()));
    assert_eq!(seen.remove("jwks_generation"), Some("1".to_owned()));
    assert_eq!(seen.remove("jwks_fetches_total{outcome=replaced}"), Some("1".to_owned()));
    assert_eq!(seen.remove("jwks_fetch_seconds"), Some("1".to_owned()));
    assert_eq!(seen, BTreeMap::new());

    // A known kid is not counted, not even in passing.
    for _ in 0..1_000 {
        assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    }
    assert_eq!(recorded(&snapshotter, issuer).keys().filter(|name| name.contains("kid")).count(), 0);

    let unknown = |number: usize| format!("{number:043}").parse().unwrap();
    for number in 0..10_000 {
        assert_eq!(rig.client.resolve(&unknown(number)).await.unwrap_err(), KeyError::UnknownKid);
    }
    rig.client.deny_kid(&unknown(0)).unwrap();
    for kid in [unknown(0), "key-1".parse().unwrap()] {
        assert_eq!(rig.client.resolve(&kid).await.unwrap_err(), KeyError::UnknownKid);
    }
    let seen = recorded(&snapshotter, issuer);
    assert_eq!(seen["jwks_fetches_total{outcome=not_modified}"], "2");
    assert_eq!(seen["jwks_unknown_kid_total{action=fetched}"], "2");
    assert_eq!(seen["jwks_unknown_kid_total{action=throttled}"], "9998");
    assert_eq!(seen["jwks_unknown_kid_total{action=denied}"], "1");
    assert_eq!(seen["jwks_unknown_kid_total{action=malformed}"], "1");
    let kids = seen.keys().filter(|name| name.starts_with("jwks_unknown_kid_total")).count();
    assert_eq!(kids, 4, "the network chooses no label");
}

// S-22
#[tokio::test]
async fn an_outage_is_seen_in_the_metrics() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start().await;
    let issuer = rig.issuer.url();
    rig.issuer.fault(Fault::Status(502));
    rig.clock.advance(Duration::from_hours(2));
    assert!(rig.client.refresh_now().await.is_err());
    for _ in 0..10 {
        assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    }
    let seen = recorded(&snapshotter, issuer);
    assert!(seen.contains_key("jwks_fetches_total{outcome=status}"));
    becomes(&snapshotter, issuer, "jwks_age_seconds", "7200").await;
    assert_eq!(rig.client.status().stale_served, 10);
}

#[tokio::test]
async fn keys_served_from_a_stale_set_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start().await;
    rig.issuer.stop().await;
    rig.clock.advance(Duration::from_hours(2));
    for _ in 0..10 {
        assert_eq!(rig.knows(TestKey::es256()).await, Ok(()));
    }
    becomes(&snapshotter, rig.issuer.url(), "jwks_stale_served_total", "10").await;
}

// S-30
#[tokio::test]
async fn a_wall_clock_that_is_set_back_raises_a_metric_and_extends_nothing() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start().await;
    rig.issuer.stop().await;
    rig.clock.advance(Duration::from_hours(23));
    rig.client.refresh_now().await.unwrap_err();
    rig.clock.set_wall(NumericDate::from_secs(1_800_000_000));
    becomes(&snapshotter, rig.issuer.url(), "jwks_clock_set_back_total", "1").await;
    assert_eq!(rig.client.usable_for(), Some(Duration::from_hours(1)));
}

// S-43
#[tokio::test]
async fn what_becomes_of_the_feed_is_counted_with_bounded_labels() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let fleet = Fleet::start().await;
    let issuer = fleet.issuer.url();
    fleet.issuer.revoke_jti("t-1");
    fleet.issuer.revoke_kid(TestKey::rs256().kid());
    assert_eq!(fleet.client.poll_revocations().await, Ok(()));
    let seen = recorded(&snapshotter, issuer);
    let of = |name: &str| seen.get(name).map(String::as_str);
    assert_eq!(of("revocations_entries"), Some("2"));
    assert_eq!(of("revocations_seq"), Some("3"));
    assert!(of("revocations_polls_total{outcome=taken}").is_some(), "{seen:?}");
    // After the one that is true in form, all others would be too old.
    for fault in FeedFault::ALL.into_iter().filter(|fault| *fault != FeedFault::Forgetful) {
        fleet.issuer.feed_fault(fault);
        fleet.clock.advance(Duration::from_secs(31));
        let _ = fleet.client.poll_revocations().await;
    }
    let seen = recorded(&snapshotter, issuer);
    for reason in [
        "malformed",
        "rollback",
        "unknown_signer",
        "signature",
        "dead_signer",
        "lifetime",
        "other_issuer",
        "other_kind",
    ] {
        assert!(
            seen.contains_key(&format!("revocations_refused_total{{reason={reason}}}")),
            "{reason}: {seen:?}"
        );
    }
    for outcome in ["refused", "expired", "from_future", "too_large"] {
        assert!(
            seen.contains_key(&format!("revocations_polls_total{{outcome={outcome}}}")),
            "{outcome}: {seen:?}"
        );
    }
    fleet.issuer.stop().await;
    fleet.clock.advance(Duration::from_hours(1));
    let stale = fleet.client.status().feed.unwrap().age.unwrap().as_secs();
    assert!(stale >= 3_600);
    becomes(&snapshotter, issuer, "revocations_age_seconds", &stale.to_string()).await;
}
