use claviger_jose::Algorithm;
use claviger_store::AuditVerdict;

use crate::fixture::House;

// S-100
#[tokio::test]
async fn each_change_of_a_key_has_its_act_with_before_and_after() {
    let house = House::new().await;
    house.rotation().force(&[Algorithm::Es256], None).await.expect("forced");
    assert_eq!(
        house.act_names(100).await,
        "key.create key.create key.create key.create key.retire key.activate"
    );
    let acts = house.acts(2).await;
    let (retired, activated) = (&acts[0].act.detail, &acts[1].act.detail);
    assert_eq!(
        (retired["before"]["state"].as_str(), retired["after"]["state"].as_str()),
        (Some("active"), Some("retiring"))
    );
    assert!(retired["after"]["until"].as_u64() > retired["after"]["since"].as_u64());
    assert_eq!((activated["known_by"].as_str(), activated["alg"].as_str()), (Some("force"), Some("ES256")));
    assert!(matches!(
        house.store.verify_audit(|_| ()).await.expect("it can be read"),
        AuditVerdict::Whole { records: 6, .. }
    ));
}

// S-100
#[tokio::test]
async fn what_cannot_be_written_down_does_not_happen() {
    let house = House::new().await;
    let before = house.keys().await;
    let intruder = house.intruder().await;
    intruder
        .execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END")
        .await;
    let victim = house.active(Algorithm::Es256).await;
    house.rotation().revoke(victim).await.expect_err("no act, no change");
    assert_eq!(house.keys().await, before);
    intruder.execute("DROP TRIGGER full").await;
    house.rotation().revoke(victim).await.expect("now it is");
}
