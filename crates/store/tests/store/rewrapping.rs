//! Another key-encryption key, the same keys.

use claviger_keyring::{KeyState, SealedKey};
use claviger_store::{KeyOp, Outcome, StoreError};

use crate::fixture::{active, at, move_to, on_each_database, prepared};

fn sealed(bytes: &[u8]) -> SealedKey {
    SealedKey { kek_id: "next".to_owned(), bytes: bytes.to_vec() }
}

// S-50
#[tokio::test]
async fn seals_are_replaced_and_nothing_else() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (lives, gone) = (active(), prepared());
        let inserts = [KeyOp::Insert(lives.clone()), KeyOp::Insert(gone.clone())];
        store.change_keys(0, &inserts, &[]).await.expect("applied");
        store
            .change_keys(1, &[move_to(&gone, KeyState::Revoked { at: at(300) })], &[])
            .await
            .expect("applied");
        let before = store.load_keys().await.expect("they load");
        let seals = [&lives, &gone].map(|key| (*key.jwk.kid(), sealed(b"again"), b"third".to_vec()));
        assert_eq!(store.rewrap_keys(1, &seals, &[]).await.expect("not an error"), Outcome::AlreadyRotated);
        assert_eq!(store.load_keys().await.expect("they load").keys, before.keys);
        assert_eq!(store.rewrap_keys(2, &seals, &[]).await.expect("applied"), Outcome::Applied);
        let after = store.load_keys().await.expect("they load");
        assert_eq!(after.revision, 3);
        for (old, new) in before.keys.iter().zip(&after.keys) {
            assert_eq!((&old.jwk, old.state, old.created_at), (&new.jwk, new.state, new.created_at));
            assert_eq!((new.kek_id.as_str(), new.state_seal.as_slice()), ("next", &b"third"[..]));
            assert_eq!(new.sealed, old.sealed.as_ref().map(|_| sealed(b"again")));
        }
        assert_eq!(after.keys.iter().filter(|key| key.sealed.is_some()).count(), 1);
    })
    .await;
}

// S-50
#[tokio::test]
async fn one_key_that_is_not_there_and_none_is_changed() {
    on_each_database(async |database| {
        let store = database.open().await;
        let key = active();
        store.change_keys(0, &[KeyOp::Insert(key.clone())], &[]).await.expect("applied");
        let seals = [&key, &prepared()].map(|key| (*key.jwk.kid(), sealed(b"again"), b"third".to_vec()));
        let refused = store.rewrap_keys(1, &seals, &[]).await;
        assert!(matches!(refused, Err(StoreError::NotInState(_))), "{refused:?}");
        let after = store.load_keys().await.expect("they load");
        assert_eq!((after.revision, after.keys[0].kek_id.as_str()), (1, "kek"));
    })
    .await;
}
