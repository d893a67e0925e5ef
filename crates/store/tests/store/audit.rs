//! The log of all that was done: written with the change, and a chain.

use claviger_keyring::KeyState;
use claviger_store::{
    Act, AuditVerdict, Checkpoint, KeyOp, MAX_REFUSALS, Outcome, Registry, Store, StoreError,
};
use serde_json::json;

use crate::fixture::{Database, Intruder, active, at, move_to, on_each_database, prepared};

fn act(act: &str, subject: &str) -> Act {
    Act {
        actor: "operator:ada".to_owned(),
        origin: "cli host".to_owned(),
        act: act.to_owned(),
        subject: subject.to_owned(),
        detail: json!({"from": "prepared", "to": ["active", 1, null]}),
        request_id: Some("01J".to_owned()),
    }
}

async fn verdict(store: &Store) -> AuditVerdict {
    store.verify_audit(|_| ()).await.expect("it is read")
}

/// A log of five records.
async fn logged(database: &Database) -> Store {
    let store = database.open().await;
    for subject in ["1", "2", "3", "4", "5"] {
        store.note(&[act("keys.refused", subject)]).await.expect("noted");
    }
    store
}

async fn remove_guards(intruder: &Intruder, database: &Database) {
    let statements: &[&str] = if database.is_sqlite() {
        &["DROP TRIGGER audit_update", "DROP TRIGGER audit_delete", "DROP TRIGGER audit_replace"]
    } else {
        &["ALTER TABLE audit DISABLE TRIGGER ALL"]
    };
    for statement in statements {
        intruder.execute(statement).await.expect("a superuser may");
    }
}

// S-100
#[tokio::test]
async fn who_is_refused_again_and_again_does_not_fill_the_log() {
    on_each_database(async |database| {
        let store = database.open().await;
        let refusal = |actor: &str, subject: u64| {
            let detail = serde_json::json!({});
            Act { actor: actor.to_owned(), detail, ..act("keys.refused", &subject.to_string()) }
        };
        for number in 0..MAX_REFUSALS + 5 {
            let noted = store.note_refusal(refusal("client:a", number)).await.expect("asked");
            assert_eq!(noted, number < MAX_REFUSALS, "{number}");
        }
        assert!(store.note_refusal(refusal("client:b", 0)).await.expect("asked"), "another one is heard");
        let log = store.audit_tail(100).await.expect("read");
        assert_eq!(log.len() as u64, MAX_REFUSALS + 1);
        let last = &log[log.len() - 2].act.detail;
        assert_eq!(last["more"], "not noted within a minute");
        assert!(matches!(store.verify_audit(|_| ()).await.expect("read"), AuditVerdict::Whole { .. }));
    })
    .await;
}

// S-100
#[tokio::test]
async fn what_is_done_is_in_the_log_with_the_time_of_the_database() {
    on_each_database(async |database| {
        let store = database.open().await;
        assert_eq!(store.audit_head().await.expect("read"), None);
        let before = store.now().await.expect("a time");
        let key = active();
        let acts = [act("key.create", "a"), act("key.activate", "a")];
        store.change_keys(0, &[KeyOp::Insert(key)], &acts).await.expect("applied");
        store
            .replace_registry(0, &Registry::default(), &[act("registry.apply", "r")])
            .await
            .expect("applied");
        store.note(&[act("keys.refused", "nul \0 here")]).await.expect("noted");
        let after = store.now().await.expect("a time");
        let records = store.audit_after(0, 100).await.expect("read");
        assert_eq!(records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(records.iter().all(|record| before <= record.at && record.at <= after));
        assert_eq!([&records[0].act, &records[1].act], [&acts[0], &acts[1]]);
        assert_eq!(records[3].act.subject, "nul \u{fffd} here");
        assert_eq!(store.audit_after(1, 2).await.expect("read"), records[1..3]);
        assert_eq!(store.audit_tail(2).await.expect("read"), records[2..]);
        assert_eq!(store.audit_head().await.expect("read"), Some((4, records[3].hash)));
        assert_eq!(verdict(&store).await, AuditVerdict::Whole { records: 4, head: records[3].hash });
    })
    .await;
}

// S-100
#[tokio::test]
async fn what_is_not_done_is_not_in_the_log() {
    on_each_database(async |database| {
        let store = database.open().await;
        let key = prepared();
        store
            .change_keys(0, &[KeyOp::Insert(key.clone())], &[act("key.create", "a")])
            .await
            .expect("applied");
        let late = store.change_keys(0, &[], &[act("key.create", "b")]).await.expect("not an error");
        assert_eq!(late, Outcome::AlreadyRotated);
        let skip = [move_to(&key, KeyState::Removed { at: at(9) })];
        store.change_keys(1, &skip, &[act("key.remove", "a")]).await.expect_err("refused");
        assert_eq!(store.audit_tail(9).await.expect("read").len(), 1);
    })
    .await;
}

// S-100
#[tokio::test]
async fn what_cannot_be_logged_is_not_done() {
    on_each_database(async |database| {
        let store = database.open().await;
        let intruder = database.intruder().await;
        intruder.execute("ALTER TABLE audit RENAME TO audit_away").await.expect("renamed");
        let insert = [KeyOp::Insert(prepared())];
        store.change_keys(0, &insert, &[act("key.create", "a")]).await.expect_err("no log, no key");
        let registry = Registry::default();
        store.replace_registry(0, &registry, &[act("registry.apply", "r")]).await.expect_err("no log");
        store.note(&[act("keys.refused", "a")]).await.expect_err("no log");
        let revisions = store.revisions().await.expect("they are there");
        assert_eq!((revisions.keyring, revisions.registry), (0, 0));
        assert_eq!(store.load_keys().await.expect("they load").keys, []);
    })
    .await;
}

// S-100
#[tokio::test]
async fn the_database_itself_only_adds_to_the_log() {
    on_each_database(async |database| {
        let store = logged(&database).await;
        store
            .keep_checkpoint(&Checkpoint { sequence: 3, jws: "first".to_owned() })
            .await
            .expect("kept");
        let intruder = database.intruder().await;
        let empty: &[&str] = if database.is_sqlite() {
            &[
                "REPLACE INTO audit SELECT 3, at, 'operator:eve', origin, act, subject, detail, request_id, hash \
                 FROM audit WHERE sequence = 3",
                "DELETE FROM audit",
            ]
        } else {
            &["TRUNCATE audit", "TRUNCATE audit_checkpoint"]
        };
        let others = [
            "UPDATE audit SET actor = 'operator:eve' WHERE sequence = 3",
            "DELETE FROM audit WHERE sequence = 5",
            "UPDATE audit_checkpoint SET sequence = 2",
            "DELETE FROM audit_checkpoint",
        ];
        for sql in empty.iter().chain(&others) {
            let error = intruder.execute(sql).await.expect_err(sql);
            assert!(error.to_string().contains("the audit log is only added to"), "{error}");
        }
        assert!(matches!(verdict(&store).await, AuditVerdict::Whole { records: 5, .. }));
    })
    .await;
}

async fn check_named(sql: &str, sequence: u64, reason: &str) {
    on_each_database(async |database| {
        let store = logged(&database).await;
        let intruder = database.intruder().await;
        remove_guards(&intruder, &database).await;
        for statement in sql.split(';') {
            intruder.execute(statement).await.expect("nothing guards the log");
        }
        let verdict = verdict(&store).await;
        let AuditVerdict::Broken { sequence: found, reason: why } = &verdict else { panic!("{verdict:?}") };
        assert_eq!(*found, sequence, "{why}");
        assert!(why.contains(reason), "{why}");
    })
    .await;
}

// S-100
#[tokio::test]
async fn a_row_that_was_altered_is_named() {
    check_named("UPDATE audit SET actor = 'operator:eve' WHERE sequence = 3", 3, "hash").await;
    check_named("UPDATE audit SET detail = '' WHERE sequence = 2", 2, "hash").await;
    check_named("UPDATE audit SET at = at - 1 WHERE sequence = 5", 5, "hash").await;
}

// S-100
#[tokio::test]
async fn a_row_that_was_removed_is_named() {
    check_named("DELETE FROM audit WHERE sequence = 1", 1, "missing").await;
    check_named("DELETE FROM audit WHERE sequence = 3", 3, "missing").await;
    check_named("DELETE FROM audit WHERE sequence = 5", 5, "missing").await;
    check_named("DELETE FROM audit", 1, "missing").await;
}

// S-100
#[tokio::test]
async fn rows_that_changed_places_are_named() {
    let swap = "UPDATE audit SET sequence = 99 WHERE sequence = 2;
        UPDATE audit SET sequence = 2 WHERE sequence = 4;
        UPDATE audit SET sequence = 4 WHERE sequence = 99";
    check_named(swap, 2, "hash").await;
}

// S-100
#[tokio::test]
async fn a_row_that_was_put_in_is_named() {
    let copy = "SELECT {to}, at, actor, origin, act, subject, detail, request_id, hash FROM audit \
                WHERE sequence = 5";
    for (to, sequence, reason) in [("6", 6, "hash"), ("0", 0, "put in")] {
        check_named(&format!("INSERT INTO audit {}", copy.replace("{to}", to)), sequence, reason).await;
    }
}

// S-100
#[tokio::test]
async fn a_log_that_was_cut_goes_on_and_shows_the_cut() {
    on_each_database(async |database| {
        let store = logged(&database).await;
        let intruder = database.intruder().await;
        remove_guards(&intruder, &database).await;
        intruder.execute("DELETE FROM audit WHERE sequence > 2").await.expect("nothing guards the log");
        store.note(&[act("key.revoke", "k")]).await.expect("damage prevents nothing");
        assert_eq!(store.audit_tail(1).await.expect("read")[0].sequence, 6);
        assert!(matches!(verdict(&store).await, AuditVerdict::Broken { sequence: 3, .. }));
    })
    .await;
}

// S-100
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_make_one_chain() {
    on_each_database(async |database| {
        let store = database.open().await;
        let writers = (0..4).map(|writer| {
            let url = database.url.clone();
            tokio::spawn(async move {
                let store = Store::open::<migrations::Migrator>(&url).await.expect("it opens");
                for record in 0..25 {
                    store.note(&[act("keys.refused", &format!("{writer} {record}"))]).await.expect("noted");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("no panic");
        }
        assert!(matches!(verdict(&store).await, AuditVerdict::Whole { records: 100, .. }));
    })
    .await;
}

// S-100
#[tokio::test]
async fn a_long_log_is_read_in_pages_and_tells_of_each_record() {
    on_each_database(async |database| {
        let store = database.open().await;
        let acts: Vec<Act> = (0..2500).map(|number| act("keys.refused", &number.to_string())).collect();
        store.note(&acts).await.expect("noted");
        let last = std::sync::atomic::AtomicU64::new(0);
        let order = std::sync::atomic::Ordering::Relaxed;
        let verdict = store.verify_audit(|sequence| assert_eq!(last.swap(sequence, order), sequence - 1));
        assert!(matches!(verdict.await.expect("read"), AuditVerdict::Whole { records: 2500, .. }));
        assert_eq!(last.load(order), 2500);
    })
    .await;
}

// S-100
#[tokio::test]
async fn checkpoints_are_kept_and_the_first_of_one_place_stays() {
    on_each_database(async |database| {
        let store = logged(&database).await;
        for (sequence, jws) in [(5, "later"), (2, "earlier"), (5, "another")] {
            let checkpoint = Checkpoint { sequence, jws: jws.to_owned() };
            store.keep_checkpoint(&checkpoint).await.expect("kept");
        }
        let kept = store.checkpoints().await.expect("read");
        let kept: Vec<_> = kept.iter().map(|kept| (kept.sequence, kept.jws.as_str())).collect();
        assert_eq!(kept, [(2, "earlier"), (5, "later")]);
    })
    .await;
}

// S-38
#[tokio::test]
async fn a_tombstone_is_never_replaced() {
    let database = Database::sqlite();
    let store = database.open().await;
    let key = prepared();
    store.change_keys(0, &[KeyOp::Insert(key.clone())], &[]).await.expect("applied");
    let replace = format!(
        "REPLACE INTO signing_key SELECT kid, alg, purpose, 'active', since, until, created_at, public_jwk, \
         sealed, kek_id, state_seal FROM signing_key WHERE kid = '{}'",
        key.jwk.kid()
    );
    let error = database.intruder().await.execute(&replace).await.expect_err("guarded");
    assert!(error.to_string().contains("never replaced"), "{error}");
    let again = store.change_keys(1, &[KeyOp::Insert(key)], &[]).await;
    assert!(matches!(again, Err(StoreError::KidExists(_))), "{again:?}");
}
