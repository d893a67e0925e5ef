//! Who holds what, by the time of the database.

use std::time::Duration;

use claviger_jose::VerifierReport;
use claviger_store::{Heartbeat, MAX_INSTANCES, Store};

use crate::fixture::{new_jwk, on_each_database};

const MINUTE: Duration = Duration::from_mins(1);

fn heartbeat(replica: &str) -> Heartbeat {
    Heartbeat {
        replica: replica.to_owned(),
        place: format!("host-{replica}"),
        keys: "etag".to_owned(),
        sequence: 17,
        version: "0.1.0".to_owned(),
        refusal: None,
    }
}

fn report(audience: &str, instance: &str) -> VerifierReport {
    format!("https://{audience}.fleet.test; {instance}; etag; 17; 0.1.0").parse().expect("a report")
}

fn reports(audience: &str, count: u32) -> Vec<VerifierReport> {
    (0..count).map(|number| report(audience, &format!("i{number}"))).collect()
}

async fn names(store: &Store) -> Vec<String> {
    let replicas = store.replicas(MINUTE).await.expect("read");
    replicas.into_iter().map(|replica| replica.said.replica).collect()
}

// S-36
#[tokio::test]
async fn a_replica_is_as_it_last_said() {
    on_each_database(async |database| {
        let store = database.open().await;
        let before = store.now().await.expect("a time");
        for replica in ["b", "a", "b"] {
            store.beat(&heartbeat(replica)).await.expect("heard");
        }
        let later =
            Heartbeat { keys: "next".to_owned(), refusal: Some("its clock".to_owned()), ..heartbeat("a") };
        store.beat(&later).await.expect("heard");
        let replicas = store.replicas(MINUTE).await.expect("read");
        assert_eq!(
            replicas.iter().map(|replica| &replica.said).collect::<Vec<_>>(),
            [&later, &heartbeat("b")]
        );
        let after = store.now().await.expect("a time");
        assert!(replicas.iter().all(|replica| before <= replica.seen && replica.seen <= after));
    })
    .await;
}

// S-36 S-111
#[tokio::test]
async fn a_replica_that_left_or_is_silent_is_forgotten() {
    on_each_database(async |database| {
        let store = database.open().await;
        for replica in ["a", "b", "c"] {
            store.beat(&heartbeat(replica)).await.expect("heard");
        }
        store.leave("b").await.expect("left");
        let intruder = database.intruder().await;
        intruder.execute("UPDATE replica SET seen = seen - 61 WHERE id = 'c'").await.expect("long ago");
        assert_eq!(names(&store).await, ["a"]);
        assert_eq!(intruder.count("replica").await, 1);
        store.beat(&heartbeat("c")).await.expect("heard");
        assert_eq!(names(&store).await, ["a", "c"]);
    })
    .await;
}

// S-40
#[tokio::test]
async fn one_replica_has_the_duty_until_its_time_is_over_or_it_leaves() {
    on_each_database(async |database| {
        let store = database.open().await;
        let take = async |replica| store.take_duty(replica, MINUTE).await.expect("asked");
        assert!(take("a").await);
        assert!(take("a").await, "it keeps it");
        assert!(!take("b").await);
        let intruder = database.intruder().await;
        intruder.execute("UPDATE duty SET until = until - 61").await.expect("its time is over");
        assert!(take("b").await);
        assert!(!take("a").await);
        store.leave("a").await.expect("left");
        assert!(!take("a").await, "it was not a's to give up");
        store.leave("b").await.expect("left");
        assert!(take("a").await);
    })
    .await;
}

// S-40
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_ask_at_once_one_gets_the_duty() {
    on_each_database(async |database| {
        let stores = [database.open().await, database.open().await];
        for round in 0..20 {
            database.intruder().await.execute("UPDATE duty SET until = 0").await.expect("over");
            let asked: Vec<_> = (0..8)
                .map(|replica| {
                    let store = stores[replica % 2].clone();
                    tokio::spawn(async move { store.take_duty(&replica.to_string(), MINUTE).await })
                })
                .collect();
            let mut taken = 0;
            for asked in asked {
                taken += u32::from(asked.await.expect("no panic").expect("asked"));
            }
            assert_eq!(taken, 1, "round {round}");
        }
    })
    .await;
}

// S-36
#[tokio::test]
async fn a_break_in_which_nobody_was_ready_is_remembered_and_a_short_one_is_not() {
    on_each_database(async |database| {
        let store = database.open().await;
        let intruder = database.intruder().await;
        assert_eq!(store.serving().await.expect("read"), None);
        let times = async || {
            store.note_serving(MINUTE).await.expect("noted");
            let serving = store.serving().await.expect("read").expect("noted");
            assert!(serving.seen.since(store.now().await.expect("a time")).is_zero());
            serving.seen.since(serving.since).as_secs()
        };
        assert!(times().await <= 1, "it begins");
        intruder
            .execute("UPDATE serving SET since = since - 7000, seen = seen - 50")
            .await
            .expect("long ago");
        assert!((7000..7010).contains(&times().await), "it goes on");
        intruder.execute("UPDATE serving SET seen = seen - 62").await.expect("long ago");
        assert!(times().await <= 1, "it begins anew");
        intruder
            .execute("UPDATE serving SET since = since + 9000, seen = seen + 9000")
            .await
            .expect("a clock");
        assert!(times().await <= 1, "what a clock that was ahead has left is forgotten");
        assert_eq!(intruder.count("serving").await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_last_sets_are_kept() {
    on_each_database(async |database| {
        let store = database.open().await;
        let kids: Vec<_> = (0..3).map(|_| *new_jwk().kid()).collect();
        store.keep_key_set("first", &kids).await.expect("kept");
        store.keep_key_set("empty", &[]).await.expect("kept");
        for number in 0..62 {
            store.keep_key_set(&number.to_string(), &kids[..1]).await.expect("kept");
        }
        let sets = store.key_sets().await.expect("read");
        assert_eq!((sets.len(), &*sets["first"], sets["empty"].len()), (64, &kids[..], 0));
        store.keep_key_set("first", &kids).await.expect("kept, and now the newest");
        store.keep_key_set("more", &kids).await.expect("kept");
        let sets = store.key_sets().await.expect("read");
        assert!(sets.len() <= 64 && sets.contains_key("first") && sets.contains_key("more"));
        assert!(!sets.contains_key("empty"));
    })
    .await;
}

#[tokio::test]
async fn a_verifier_is_as_it_last_said() {
    on_each_database(async |database| {
        let store = database.open().await;
        let earlier = report("orders", "one");
        let later = VerifierReport { keys: "next".to_owned(), sequence: None, ..earlier.clone() };
        let other = VerifierReport { sequence: Some(u64::MAX), ..report("billing", "one") };
        store.note_verifiers(&[]).await.expect("noted");
        store.note_verifiers(&[earlier.clone(), other.clone(), later.clone()]).await.expect("noted");
        let seen = store.verifiers(MINUTE).await.expect("read");
        let said: Vec<_> = seen.verifiers.iter().map(|seen| &seen.said).collect();
        let bounded = VerifierReport { sequence: Some(i64::MAX as u64), ..other };
        assert_eq!((said, seen.overflowed), (vec![&bounded, &later], None));
        store.note_verifiers(std::slice::from_ref(&earlier)).await.expect("noted");
        assert_eq!(store.verifiers(MINUTE).await.expect("read").verifiers[1].said, earlier);
    })
    .await;
}

#[tokio::test]
async fn a_verifier_that_is_silent_is_forgotten() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.note_verifiers(&reports("orders", 3)).await.expect("noted");
        let intruder = database.intruder().await;
        let set = "UPDATE verifier SET seen = seen - 61 WHERE instance = 'i1'";
        intruder.execute(set).await.expect("long ago");
        assert_eq!(store.verifiers(MINUTE).await.expect("read").verifiers.len(), 2);
        assert_eq!(intruder.count("verifier").await, 2);
        let set = "UPDATE verifier SET seen = seen - 90000 WHERE instance = 'i2'";
        intruder.execute(set).await.expect("more than a day ago");
        store.note_verifiers(&[report("orders", "new")]).await.expect("noted");
        assert_eq!(intruder.count("verifier").await, 2, "one went, one came");
    })
    .await;
}

// S-85
#[tokio::test]
async fn more_verifiers_than_are_remembered_are_turned_away_and_the_known_ones_stay() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.note_verifiers(&reports("orders", MAX_INSTANCES - 1)).await.expect("noted");
        assert_eq!(store.verifiers(MINUTE).await.expect("read").overflowed, None);
        let before = store.now().await.expect("a time");
        let crowd = reports("orders", MAX_INSTANCES + 50);
        store.note_verifiers(&crowd).await.expect("noted");
        store.note_verifiers(&[report("billing", "one")]).await.expect("another audience has room");
        let seen = store.verifiers(MINUTE).await.expect("read");
        assert_eq!(seen.verifiers.len(), 1 + MAX_INSTANCES as usize);
        assert!(seen.overflowed.is_some_and(|at| at >= before));
        for known in reports("orders", MAX_INSTANCES - 1) {
            assert!(seen.verifiers.iter().any(|seen| seen.said == known), "{known}");
        }
    })
    .await;
}

// S-85
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_hear_of_new_verifiers_at_once_keep_the_bound() {
    on_each_database(async |database| {
        let stores = [database.open().await, database.open().await];
        stores[0].note_verifiers(&reports("orders", MAX_INSTANCES - 10)).await.expect("noted");
        let crowds = (0..4).map(|crowd| {
            let store = stores[crowd % 2].clone();
            let new: Vec<_> = (0..8).map(|number| report("orders", &format!("{crowd}-{number}"))).collect();
            tokio::spawn(async move { store.note_verifiers(&new).await })
        });
        for noted in crowds.collect::<Vec<_>>() {
            noted.await.expect("no panic").expect("noted");
        }
        let seen = stores[0].verifiers(MINUTE).await.expect("read");
        assert_eq!((seen.verifiers.len(), seen.overflowed.is_some()), (MAX_INSTANCES as usize, true));
    })
    .await;
}
