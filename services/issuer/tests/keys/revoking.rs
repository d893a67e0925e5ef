use claviger_issuer::keys::Taken;
use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{KeyState, Step};

use crate::fixture::{House, crippled, steps};

async fn state(house: &House, kid: Kid) -> &'static str {
    let (_, keys) = house.keys().await;
    keys.iter().find(|key| key.jwk.kid() == &kid).expect("it is there").state.name()
}

// S-42
#[tokio::test]
async fn a_revocation_promotes_the_prepared_key_in_one_transaction_and_makes_no_key() {
    let house = House::new().await;
    let (stolen, next) = (house.active(Algorithm::Rs256).await, house.prepared(Algorithm::Rs256).await);
    let (revision, before) = house.keys().await;
    let sequence = house.store.revisions().await.expect("they are there").revocations;
    assert_eq!(steps(house.rotation().revoke(stolen).await.expect("revoked")), 2);
    let (after, keys) = house.keys().await;
    assert_eq!((after, keys.len()), (revision + 1, before.len()), "one change, and nothing that takes long");
    assert_eq!((state(&house, stolen).await, state(&house, next).await), ("revoked", "active"));
    assert_eq!(house.act_names(2).await, "key.revoke key.activate");
    let detail = &house.acts(2).await[0].act.detail;
    assert_eq!(
        (detail["before"]["state"].as_str(), detail["after"]["state"].as_str()),
        (Some("active"), Some("revoked"))
    );

    let feed = house.store.load_revocations().await.expect("it loads");
    assert!(feed.sequence > sequence && feed.kids == [stolen]);
    assert!(matches!(house.rotation().take_due_steps().await.expect("due"), Taken::Steps(steps)
        if matches!(steps[..], [Step::Create { alg: Algorithm::Rs256, active: false }])));
}

// S-42
#[tokio::test]
async fn with_nothing_prepared_a_new_key_signs_in_the_same_transaction() {
    let house = House::new().await;
    let rotation = house.rotation();
    rotation.revoke(house.prepared(Algorithm::Es256).await).await.expect("revoked");
    let (stolen, (revision, _)) = (house.active(Algorithm::Es256).await, house.keys().await);
    let Taken::Steps(steps) = rotation.revoke(stolen).await.expect("revoked") else { panic!("nothing") };
    assert!(matches!(steps[..], [Step::Revoke { .. }, Step::Create { alg: Algorithm::Es256, active: true }]));
    assert_eq!(house.keys().await.0, revision + 1);
    assert_eq!(house.act_names(2).await, "key.revoke key.create");
    assert_ne!(house.active(Algorithm::Es256).await, stolen);
}

// S-45
#[tokio::test]
async fn everything_is_revoked_in_one_transaction_and_a_new_pair_signs() {
    let house = House::new().await;
    house.rotation().force(&[Algorithm::Es256], None).await.expect("one retires");
    let (revision, before) = house.keys().await;
    let taken = house.rotation().revoke_all().await.expect("revoked");
    assert_eq!(steps(taken), before.len() + 2);
    let (after, keys) = house.keys().await;
    assert_eq!((after, keys.len()), (revision + 1, before.len() + 2));
    for old in before {
        assert_eq!(state(&house, *old.jwk.kid()).await, "revoked");
    }
    let opened = house.opened().await;
    assert_eq!(opened.signers.len(), 2);
    assert_eq!(opened.keyring.published().count(), 2);
    let feed = house.store.load_revocations().await.expect("it loads");
    assert_eq!(feed.kids.len(), keys.len() - 2);
}

// S-31 S-99
#[tokio::test]
async fn of_many_revocations_at_once_none_is_lost() {
    let house = House::new().await;
    let (_, keys) = house.keys().await;
    let asked = keys.iter().map(|key| {
        let (rotation, kid) = (house.rotation(), *key.jwk.kid());
        tokio::spawn(async move { rotation.revoke(kid).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.expect("no panic").expect("revoked");
    }
    for key in &keys {
        assert_eq!(state(&house, *key.jwk.kid()).await, "revoked");
    }
    assert_eq!(house.opened().await.signers.len(), 2, "and something signs all the same");
}

// S-42 S-53
#[tokio::test]
async fn a_damaged_active_key_dies_and_the_prepared_one_takes_over_at_once() {
    let house = House::new().await;
    let (damaged, next) = (house.active(Algorithm::Es256).await, house.prepared(Algorithm::Es256).await);
    let (revision, _) = house.keys().await;
    let intruder = house.intruder().await;
    intruder.execute(&format!("UPDATE signing_key SET state_seal = x'00' WHERE kid = '{damaged}'")).await;
    assert!(house.opened().await.keyring.active(Algorithm::Es256).is_none());
    house.rotation().revoke(damaged).await.expect("revoked");
    assert_eq!(house.keys().await.0, revision + 1);
    assert_eq!(house.active(Algorithm::Es256).await, next);
    let (_, keys) = house.keys().await;
    let dead = keys.iter().find(|key| key.jwk.kid() == &damaged).expect("a tombstone");
    assert!(matches!(dead.state, KeyState::Revoked { .. }) && dead.sealed.is_none());
}

// S-42 S-45
#[tokio::test]
async fn keys_die_although_no_new_one_can_be_made() {
    let house = House::new().await;
    let rotation = house.rotation_under(&crippled());
    rotation.revoke(house.prepared(Algorithm::Es256).await).await.expect("revoked");
    let Taken::Steps(steps) = rotation.revoke(house.active(Algorithm::Es256).await).await.expect("revoked")
    else {
        panic!("nothing")
    };
    assert!(matches!(steps[..], [Step::Revoke { .. }]), "{steps:?}");
    rotation.revoke_all().await.expect("revoked");
    let (_, keys) = house.keys().await;
    assert!(keys.iter().all(|key| matches!(key.state, KeyState::Revoked { .. })));
    rotation.take_due_steps().await.expect_err("nothing else is due");
    house.rotation().take_due_steps().await.expect("a replica that can makes them");
    assert_eq!(house.opened().await.signers.len(), 2);
}

// S-53
#[tokio::test]
async fn a_damaged_active_key_does_not_keep_another_one_from_being_revoked() {
    let house = House::new().await;
    let (damaged, next) = (house.active(Algorithm::Es256).await, house.prepared(Algorithm::Es256).await);
    let intruder = house.intruder().await;
    intruder.execute(&format!("UPDATE signing_key SET state_seal = x'00' WHERE kid = '{damaged}'")).await;
    house.rotation().revoke(next).await.expect("revoked");
    assert_eq!((state(&house, next).await, state(&house, damaged).await), ("revoked", "active"));
}

// S-53
#[tokio::test]
async fn an_active_row_beyond_reading_is_no_end_and_dies_by_its_name() {
    for everything in [false, true] {
        let house = House::new().await;
        let (damaged, next) = (house.active(Algorithm::Es256).await, house.prepared(Algorithm::Es256).await);
        let intruder = house.intruder().await;
        intruder.execute("DROP TRIGGER signing_key_forward").await;
        intruder
            .execute(&format!("UPDATE signing_key SET public_jwk = '{{}}' WHERE kid = '{damaged}'"))
            .await;
        let due = house.rotation().take_due_steps().await.expect("what cannot be is left out");
        assert_eq!(due, Taken::Nothing);
        assert_eq!(house.opened().await.unreadable[0].kid, damaged.to_string());
        let taken = if everything {
            house.rotation().revoke_all().await
        } else {
            house.rotation().revoke(damaged).await
        };
        let Taken::Steps(steps) = taken.expect("revoked") else { panic!("nothing") };
        assert_eq!(steps[0], Step::Revoke { kid: damaged });
        assert!(house.store.load_revocations().await.expect("it loads").kids.contains(&damaged));
        house.rotation().take_due_steps().await.expect("the way is clear");
        assert_eq!(house.active(Algorithm::Es256).await == next, !everything);
        assert_eq!(house.opened().await.signers.len(), 2);
    }
}

// S-42
#[tokio::test]
async fn a_revocation_outlasts_a_database_that_is_busy_for_longer_than_it_waits() {
    let house = House::new().await;
    let (kid, rotation) = (house.active(Algorithm::Es256).await, house.rotation());
    let held = house.intruder().await.hold().await;
    let asked = tokio::spawn(async move { rotation.revoke(kid).await });
    // Longer than the five seconds after which a writer is told that the database is busy.
    tokio::time::sleep(std::time::Duration::from_millis(5500)).await;
    held.rollback().await.expect("it lets go");
    asked.await.expect("no panic").expect("revoked");
    assert_eq!(state(&house, kid).await, "revoked");
}
