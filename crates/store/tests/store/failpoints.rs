//! A process that is killed in the middle of a rotation: `cargo test -p claviger-store --features failpoints`.

use std::{env, process::Command};

use claviger_keyring::KeyState;
use claviger_store::{Act, AuditVerdict, KeyOp, Outcome, Store};
use migrations::Migrator;

use crate::fixture::{active, at, move_to, new_key, on_each_database, prepared};

const URL: &str = "CLAVIGER_TEST_KILLED_URL";

/// The process that is killed: it retires the active key, activates the prepared one and adds the next.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn rotate() {
    let store = Store::open::<Migrator>(&env::var(URL).expect("a URL")).await.expect("it opens");
    let snapshot = store.load_keys().await.expect("they load");
    let rotated = |name: &str, to: KeyState| {
        let stored = snapshot.keys.iter().find(|key| key.state.name() == name).expect("a key");
        let mut key = prepared();
        (key.jwk, key.state) = (stored.jwk.clone(), stored.state);
        move_to(&key, to)
    };
    let operations = [
        rotated("active", KeyState::Retiring { since: at(500), until: at(900) }),
        rotated("prepared", KeyState::Active { since: at(500) }),
        KeyOp::Insert(new_key(KeyState::Prepared { since: at(500) })),
    ];
    let acts = ["key.retire", "key.activate", "key.create"].map(act);
    let outcome = store.change_keys(snapshot.revision, &operations, &acts).await.expect("no error");
    assert_eq!(outcome, Outcome::Applied);
}

fn act(act: &str) -> Act {
    Act {
        actor: "replica:1".to_owned(),
        origin: "ticker host".to_owned(),
        act: act.to_owned(),
        subject: "a key".to_owned(),
        detail: serde_json::Value::Null,
        request_id: None,
    }
}

// S-100, fault F1
#[tokio::test]
async fn a_rotation_that_is_killed_is_whole_or_did_not_happen() {
    on_each_database(async |database| {
        let store = database.open().await;
        store
            .change_keys(0, &[KeyOp::Insert(active()), KeyOp::Insert(prepared())], &[])
            .await
            .expect("applied");
        for point in ["before_begin", "after_version", "after_first_move", "after_insert", "before_commit"] {
            kill_at(&database.url, point);
            assert_eq!(states(&store).await, (1, vec!["active", "prepared"], 0), "{point}");
        }
        kill_at(&database.url, "after_commit");
        assert_eq!(states(&store).await, (2, vec!["active", "prepared", "retiring"], 3));
    })
    .await;
}

fn kill_at(url: &str, point: &str) {
    let status = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "failpoints::rotate", "--ignored"])
        .env(URL, url)
        .env("CLAVIGER_FAILPOINT", format!("keys.{point}"))
        .output()
        .expect("it starts")
        .status;
    assert_eq!(status.code(), None, "{point}: the process was to be killed by a signal");
}

/// The revision, the states of the keys and the number of records in the log.
async fn states(store: &Store) -> (u64, Vec<&'static str>, u64) {
    let snapshot = store.load_keys().await.expect("they load");
    let mut names: Vec<_> = snapshot.keys.iter().map(|key| key.state.name()).collect();
    names.sort_unstable();
    let verdict = store.verify_audit(|_| ()).await.expect("it is read");
    let AuditVerdict::Whole { records, .. } = verdict else { panic!("{verdict:?}") };
    (snapshot.revision, names, records)
}
