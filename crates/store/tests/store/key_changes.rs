use claviger_keyring::KeyState;
use claviger_store::{KeyOp, Outcome, Store, StoreError, StoredKey};

use crate::fixture::{Database, active, at, move_to, new_key, on_each_database, prepared};

async fn keys(store: &Store) -> Vec<StoredKey> {
    let snapshot = store.load_keys().await.expect("they load");
    assert_eq!(snapshot.unreadable, []);
    snapshot.keys
}

async fn keyring(store: &Store) -> u64 {
    store.revisions().await.expect("they are there").keyring
}

#[tokio::test]
async fn keys_come_back_as_they_were_written() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (first, second) = (active(), new_key(KeyState::Prepared { since: at(200) }));
        let inserts = [KeyOp::Insert(first.clone()), KeyOp::Insert(second.clone())];
        assert_eq!(store.change_keys(0, &inserts, &[]).await.expect("applied"), Outcome::Applied);
        let expected = [first, second].map(|key| StoredKey {
            jwk: key.jwk,
            state: key.state,
            created_at: key.created_at,
            kek_id: key.sealed.kek_id.clone(),
            sealed: Some(key.sealed),
            state_seal: key.state_seal,
        });
        assert_eq!(keys(&store).await, expected);
        assert_eq!(store.load_keys().await.expect("they load").revision, 1);
        assert_eq!(keyring(&store).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_is_one_change() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (old, next) = (active(), prepared());
        store
            .change_keys(0, &[KeyOp::Insert(old.clone()), KeyOp::Insert(next.clone())], &[])
            .await
            .expect("applied");
        let rotation = [
            move_to(&old, KeyState::Retiring { since: at(500), until: at(900) }),
            move_to(&next, KeyState::Active { since: at(500) }),
            KeyOp::Insert(new_key(KeyState::Prepared { since: at(500) })),
        ];
        assert_eq!(store.change_keys(1, &rotation, &[]).await.expect("applied"), Outcome::Applied);
        let states: Vec<_> =
            keys(&store).await.iter().map(|key| (key.state.name(), key.state_seal.clone())).collect();
        assert!(states.contains(&("retiring", b"second".to_vec())), "{states:?}");
        assert!(states.contains(&("active", b"second".to_vec())), "{states:?}");
        assert!(states.contains(&("prepared", b"first".to_vec())), "{states:?}");
        assert_eq!(keyring(&store).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_plan_from_an_old_revision_changes_nothing() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.change_keys(0, &[KeyOp::Insert(prepared())], &[]).await.expect("applied");
        for stale in [0, 2, u64::MAX] {
            let outcome =
                store.change_keys(stale, &[KeyOp::Insert(prepared())], &[]).await.expect("not an error");
            assert_eq!(outcome, Outcome::AlreadyRotated);
        }
        assert_eq!(keys(&store).await.len(), 1);
        assert_eq!(keyring(&store).await, 1);
    })
    .await;
}

// S-38
#[tokio::test]
async fn a_kid_never_returns() {
    on_each_database(async |database| {
        let store = database.open().await;
        let key = prepared();
        store.change_keys(0, &[KeyOp::Insert(key.clone())], &[]).await.expect("applied");
        let again = store.change_keys(1, &[KeyOp::Insert(key.clone())], &[]).await;
        assert!(matches!(&again, Err(StoreError::KidExists(kid)) if kid == key.jwk.kid()), "{again:?}");
        store
            .change_keys(1, &[move_to(&key, KeyState::Revoked { at: at(300) })], &[])
            .await
            .expect("applied");
        let again = store.change_keys(2, &[KeyOp::Insert(key.clone())], &[]).await;
        assert!(matches!(&again, Err(StoreError::KidExists(kid)) if kid == key.jwk.kid()), "{again:?}");
        assert_eq!(keyring(&store).await, 2);
    })
    .await;
}

// S-38
#[tokio::test]
async fn a_key_that_leaves_the_set_loses_its_private_half() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (removed, revoked) = (new_key(KeyState::Retiring { since: at(1), until: at(2) }), active());
        let inserts = [KeyOp::Insert(removed.clone()), KeyOp::Insert(revoked.clone())];
        store.change_keys(0, &inserts, &[]).await.expect("applied");
        let moves = [
            move_to(&removed, KeyState::Removed { at: at(3) }),
            move_to(&revoked, KeyState::Revoked { at: at(3) }),
        ];
        store.change_keys(1, &moves, &[]).await.expect("applied");
        let keys = keys(&store).await;
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().all(|key| key.sealed.is_none() && key.kek_id == "kek"), "{keys:?}");
    })
    .await;
}

// S-31
#[tokio::test]
async fn a_move_from_another_state_changes_nothing() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (key, mut mistaken, unknown) = (prepared(), prepared(), prepared());
        store.change_keys(0, &[KeyOp::Insert(key.clone())], &[]).await.expect("applied");
        mistaken.jwk = key.jwk.clone();
        mistaken.state = KeyState::Prepared { since: at(101) };
        for (key, to) in
            [(&mistaken, KeyState::Active { since: at(500) }), (&unknown, KeyState::Revoked { at: at(5) })]
        {
            let operations = [KeyOp::Insert(prepared()), move_to(key, to)];
            let refused = store.change_keys(1, &operations, &[]).await;
            assert!(
                matches!(&refused, Err(StoreError::NotInState(kid)) if kid == key.jwk.kid()),
                "{refused:?}"
            );
        }
        assert_eq!(keys(&store).await.len(), 1);
        assert_eq!(keyring(&store).await, 1);
    })
    .await;
}

// S-31 S-32
#[tokio::test]
async fn the_rules_of_the_database_are_a_refusal() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (first, second) = (active(), prepared());
        store
            .change_keys(0, &[KeyOp::Insert(first.clone()), KeyOp::Insert(second.clone())], &[])
            .await
            .expect("applied");
        for forbidden in [
            move_to(&second, KeyState::Active { since: at(500) }),
            move_to(&second, KeyState::Removed { at: at(500) }),
            move_to(&first, KeyState::Prepared { since: at(500) }),
            KeyOp::Insert(active()),
        ] {
            let refused = store.change_keys(1, &[forbidden], &[]).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        assert_eq!(keyring(&store).await, 1);
    })
    .await;
}

// S-32
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_who_rotate_at_once_rotate_once() {
    on_each_database(async |database: Database| {
        let (one, two) = (database.open().await, database.open().await);
        let mut revision = 0;
        for round in 0..500 {
            let (a, b) = (prepared(), prepared());
            one.change_keys(revision, &[KeyOp::Insert(a.clone()), KeyOp::Insert(b.clone())], &[])
                .await
                .expect("applied");
            revision += 1;
            let to = KeyState::Active { since: at(500) };
            let (activate_a, activate_b) = ([move_to(&a, to)], [move_to(&b, to)]);
            let (first, second) = tokio::join!(
                one.change_keys(revision, &activate_a, &[]),
                two.change_keys(revision, &activate_b, &[])
            );
            let outcomes = [first.expect("not an error"), second.expect("not an error")];
            assert!(outcomes.contains(&Outcome::Applied), "round {round}");
            assert!(outcomes.contains(&Outcome::AlreadyRotated), "round {round}");
            let mut winner = if outcomes[0] == Outcome::Applied { a } else { b };
            winner.state = to;
            revision += 1;
            let over = [move_to(&winner, KeyState::Revoked { at: at(600) })];
            one.change_keys(revision, &over, &[]).await.expect("applied");
            revision += 1;
        }
    })
    .await;
}

// S-110
#[tokio::test]
async fn a_lock_that_is_held_too_long_is_a_failure_that_passes() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let store = database.open().await;
    let intruder = database.intruder().await;
    let hold = "BEGIN; UPDATE revision SET keyring = keyring";
    intruder.execute(hold).await.expect("held");
    let late = store.change_keys(0, &[], &[]).await;
    assert!(late.as_ref().is_err_and(StoreError::is_transient), "{late:?}");
    assert_eq!(keyring(&store).await, 0, "readers do not wait");
}
