//! Random secrets of the issuer's own.

use claviger_keyring::SealedKey;

use crate::{fixture::on_each_database, granted::act};

fn sealed(kek: &str, bytes: &[u8]) -> SealedKey {
    SealedKey { kek_id: kek.to_owned(), bytes: bytes.to_vec() }
}

#[tokio::test]
async fn of_two_replicas_that_start_at_once_one_makes_the_secret_and_both_have_it() {
    on_each_database(async |database| {
        let (one, other) = (database.open().await, database.open().await);
        assert_eq!(one.server_secret("pepper").await.expect("it answers"), None);
        let (mine, yours) = (sealed("kek", b"mine"), sealed("kek", b"yours"));
        let kept = tokio::join!(
            one.keep_server_secret("pepper", &mine),
            other.keep_server_secret("pepper", &yours),
        );
        let kept = [kept.0.expect("it answers"), kept.1.expect("it answers")];
        assert_eq!(kept[0], kept[1]);
        assert!(kept[0] == mine || kept[0] == yours);
        assert_eq!(one.server_secrets().await.expect("it answers"), [("pepper".to_owned(), kept[0].clone())]);
    })
    .await;
}

// S-50
#[tokio::test]
async fn a_seal_is_replaced_if_it_is_still_the_one_that_was_read() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (old, new) = (sealed("old", b"1"), sealed("new", b"2"));
        store.keep_server_secret("pepper", &old).await.expect("it answers");
        let acts = [act("key.rewrap")];
        assert!(store.rewrap_server_secret("pepper", (&old, &new), &acts).await.expect("it answers"));
        assert!(!store.rewrap_server_secret("pepper", (&old, &new), &acts).await.expect("it answers"));
        assert_eq!(store.server_secret("pepper").await.expect("it answers"), Some(new));
        assert_eq!(store.audit_tail(9).await.expect("it is read").len(), 1);
    })
    .await;
}
