use claviger_issuer::keys::RotationError;
use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{KeyState, StepRefused};
use serde_json::json;

use crate::fixture::{House, vault};

const ES256: &[Algorithm] = &[Algorithm::Es256];
const STRANGER: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

// S-33 S-100
#[tokio::test]
async fn a_rotation_too_early_changes_nothing_and_is_noted_with_state_reason_and_earliest_time() {
    let house = House::new().await;
    let before = house.keys().await;
    let next = house.prepared(Algorithm::Es256).await;
    let error = house.rotation().rotate_now(ES256, None).await.expect_err("too early");
    let RotationError::Refused(refusal) = error else { panic!("{error}") };
    let Some((kid, KeyState::Prepared { since })) = refusal.key else { panic!("{refusal:?}") };
    assert_eq!(kid, next);
    assert_eq!(refusal.earliest, Some(since + house.policy.lifetimes().lead));
    assert!(matches!(refusal.reason, StepRefused::TooEarly { alg: Algorithm::Es256, .. }));
    assert_eq!(house.keys().await, before);

    let noted = house.acts(1).await.remove(0).act;
    assert_eq!((noted.act.as_str(), noted.subject.as_str()), ("keys.refused", next.as_str()));
    assert_eq!((noted.actor.as_str(), noted.request_id.as_deref()), ("client:operator", Some("r-1")));
    assert_eq!(noted.detail["asked"], "rotate");
    assert_eq!(noted.detail["state"], json!({ "state": "prepared", "since": since }));
    assert_eq!(noted.detail["earliest"], json!(refusal.earliest));
    let reason = noted.detail["reason"].as_str().expect("words");
    assert!(reason.contains("may sign from") && reason.contains("is prepared since"), "{reason}");
}

// S-31 S-100
#[tokio::test]
async fn a_key_that_is_unknown_or_dead_already_is_refused_and_noted() {
    let house = House::new().await;
    let rotation = house.rotation();
    let stranger: Kid = STRANGER.parse().expect("a kid");
    let before = house.keys().await;
    let unknown = rotation.revoke(stranger).await.expect_err("no such key").to_string();
    assert_eq!(unknown, format!("there is no key {STRANGER}"));
    assert_eq!(house.acts(1).await[0].act.subject, STRANGER);
    assert_eq!(house.keys().await, before);

    let dead = house.prepared(Algorithm::Es256).await;
    rotation.revoke(dead).await.expect("revoked");
    let before = house.keys().await;
    let twice = rotation.revoke(dead).await.expect_err("dead already").to_string();
    assert!(twice.contains("cannot be revoked again") && twice.contains("is revoked since"), "{twice}");
    assert_eq!(house.keys().await, before, "its time of death stays");
    let noted = &house.acts(1).await[0].act;
    assert_eq!(
        (noted.act.as_str(), noted.detail["state"]["state"].as_str()),
        ("keys.refused", Some("revoked"))
    );

    let nothing = rotation.rotate_now(ES256, None).await.expect_err("nothing is prepared");
    assert!(nothing.to_string().contains("no ES256 key is prepared"), "{nothing}");
    assert_eq!(house.acts(1).await[0].act.subject, "ES256");
    assert_eq!(house.keys().await, before);
}

// S-32 S-99
#[tokio::test]
async fn of_many_operators_at_once_one_rotates_and_every_other_is_refused_and_noted() {
    let house = House::new().await;
    let (revision, before) = house.keys().await;
    let asked = (0..12).map(|_| {
        let rotation = house.rotation();
        tokio::spawn(async move { rotation.force(ES256, Some(revision)).await })
    });
    let mut refused = 0;
    for asked in asked.collect::<Vec<_>>() {
        match asked.await.expect("no panic") {
            Ok(_) => {}
            Err(RotationError::Busy | RotationError::Changed { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 11);
    let (after, keys) = house.keys().await;
    assert_eq!((after, keys.len()), (revision + 1, before.len()), "one change, and no key of a loser");
    let acts = house.acts(100).await;
    let count = |name: &str| acts.iter().filter(|record| record.act.act == name).count();
    assert_eq!((count("key.activate"), count("key.retire"), count("keys.refused")), (1, 1, 11));
}

// S-99
#[tokio::test]
async fn what_was_asked_of_other_keys_than_there_are_is_refused() {
    let house = House::new().await;
    let (revision, _) = house.keys().await;
    let stale = house.rotation().force(ES256, Some(revision - 1)).await.expect_err("stale");
    assert!(matches!(stale, RotationError::Changed { expected, found } if expected + 1 == found));
    assert_eq!(house.act_names(1).await, "keys.refused");
    house.rotation().force(ES256, Some(revision)).await.expect("these are the keys");
}

// S-49 S-100
#[tokio::test]
async fn under_another_key_encryption_key_nothing_is_changed_and_that_is_noted() {
    let house = House::new().await;
    let before = house.keys().await;
    let other = house.rotation_under(&vault(11));
    let victim = house.active(Algorithm::Es256).await;
    assert!(matches!(other.revoke(victim).await, Err(RotationError::VerifyOnly(_))));
    assert!(matches!(other.rotate_now(ES256, None).await, Err(RotationError::VerifyOnly(_))));
    assert!(matches!(other.take_due_steps().await, Err(RotationError::VerifyOnly(_))));
    assert_eq!(house.keys().await, before);
    assert_eq!(house.act_names(3).await, "key.create keys.refused keys.refused", "the clock is no operator");
}

// S-109
#[tokio::test]
async fn by_a_clock_that_differs_from_the_databases_keys_only_die() {
    let house = House::new().await;
    let before = house.keys().await;
    let early = house.rotation().with_clock(|| NumericDate::from_secs(1_000_000_000));
    assert!(matches!(early.take_due_steps().await, Err(RotationError::ClockOff { .. })));
    assert!(matches!(early.force(ES256, None).await, Err(RotationError::ClockOff { .. })));
    assert_eq!(house.keys().await, before);
    assert_eq!(house.act_names(1).await, "keys.refused");
    early
        .revoke(house.active(Algorithm::Es256).await)
        .await
        .expect("an emergency does not wait for the time");
}
