//! A damaged row is reported, and harms no other.

use claviger_jose::Algorithm;
use claviger_store::{KeyOp, NewKey, Store, StoreError};

use crate::fixture::{Database, Intruder, active, at, on_each_database, prepared};

struct Keys {
    store: Store,
    intruder: Intruder,
    good: NewKey,
    bad: NewKey,
}

async fn two_keys(database: &Database) -> Keys {
    let store = database.open().await;
    let (good, bad) = (active(), prepared());
    store
        .change_keys(0, &[KeyOp::Insert(good.clone()), KeyOp::Insert(bad.clone())], &[])
        .await
        .expect("applied");
    let intruder = database.intruder().await;
    intruder.remove_guards().await;
    Keys { store, intruder, good, bad }
}

impl Keys {
    async fn damage(&self, set: &str) {
        let sql = format!("UPDATE signing_key SET {set} WHERE kid = '{}'", self.bad.jwk.kid());
        self.intruder.execute(&sql).await.expect("nothing guards the row");
    }

    /// The good key is as good as ever, the other one is reported.
    async fn expect(&self, kid: &str, reason: &str) {
        let snapshot = self.store.load_keys().await.expect("damage is no error");
        let kids: Vec<_> = snapshot.keys.iter().map(|key| key.jwk.kid()).collect();
        assert_eq!(kids, [self.good.jwk.kid()], "{reason}");
        let found = snapshot.unreadable.first().expect("a report");
        assert_eq!((found.kid.as_str(), found.reason.as_str()), (kid, reason));
    }
}

async fn check(set: &str, reason: &str) {
    on_each_database(async |database| {
        let keys = two_keys(&database).await;
        keys.damage(set).await;
        keys.expect(keys.bad.jwk.kid().as_str(), reason).await;
    })
    .await;
}

#[tokio::test]
async fn an_algorithm_that_is_not_the_keys() {
    check("alg = 'RS256'", "alg does not go with public_jwk").await;
}

#[tokio::test]
async fn a_purpose_that_nobody_knows() {
    check("purpose = 'cookies'", "unknown purpose").await;
}

#[tokio::test]
async fn times_before_time() {
    check("since = -1", "since is before 1970").await;
    check("created_at = -1", "created_at is before 1970").await;
}

#[tokio::test]
async fn a_public_key_that_is_none() {
    for jwk in ["", "{}", "null", r#"{"kty":"oct","k":"AAAA"}"#, "{}]}, {\"keys\":[{}"] {
        check(&format!("public_jwk = '{jwk}'"), "public_jwk is not an acceptable public key").await;
    }
}

#[tokio::test]
async fn two_public_keys_in_one_row() {
    let reason = "public_jwk is not an acceptable public key";
    check("public_jwk = public_jwk || ',' || replace(public_jwk, '\"kid\":\"', '\"kid\":\"x')", reason).await;
}

// S-38
#[tokio::test]
async fn a_kid_that_is_not_the_thumbprint() {
    on_each_database(async |database| {
        let keys = two_keys(&database).await;
        keys.damage("kid = 'another'").await;
        keys.expect("another", "kid is not the thumbprint of public_jwk").await;
    })
    .await;
}

#[tokio::test]
async fn two_rows_that_were_swapped_are_both_reported() {
    on_each_database(async |database| {
        let keys = two_keys(&database).await;
        for (kid, jwk) in [(keys.good.jwk.kid(), &keys.bad.jwk), (keys.bad.jwk.kid(), &keys.good.jwk)] {
            let jwk = serde_json::to_string(jwk).expect("JSON");
            let swap = format!("UPDATE signing_key SET public_jwk = '{jwk}' WHERE kid = '{kid}'");
            keys.intruder.execute(&swap).await.expect("nothing guards the rows");
        }
        let snapshot = keys.store.load_keys().await.expect("damage is no error");
        assert_eq!((snapshot.keys.len(), snapshot.unreadable.len()), (0, 2));
    })
    .await;
}

#[tokio::test]
async fn bytes_where_text_should_be() {
    let database = Database::sqlite();
    let keys = two_keys(&database).await;
    keys.damage("public_jwk = X'ff00fe'").await;
    keys.expect(keys.bad.jwk.kid().as_str(), "a column has the wrong type").await;
    keys.damage("kid = X'ff00fe'").await;
    keys.expect("(no text)", "a column has the wrong type").await;
}

#[tokio::test]
async fn a_state_that_is_none() {
    let database = Database::sqlite();
    let keys = two_keys(&database).await;
    keys.intruder.execute("PRAGMA ignore_check_constraints = ON").await.expect("ours");
    for set in ["state = 'master'", "state = 'retiring'", "state = 'prepared', until = 9"] {
        keys.damage("state = 'prepared', until = NULL").await;
        keys.damage(set).await;
        keys.expect(keys.bad.jwk.kid().as_str(), "state, since and until do not go together").await;
    }
}

// Fault F9: whatever byte of a public key is flipped, the row is never taken for another key.
#[tokio::test]
async fn every_flipped_byte_of_a_public_key_is_noticed() {
    let database = Database::sqlite();
    let keys = two_keys(&database).await;
    let text = serde_json::to_vec(&keys.bad.jwk).expect("JSON");
    for position in 0..text.len() {
        let mut damaged = text.clone();
        damaged[position] ^= 1 << (position % 7);
        let hex = damaged.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        keys.damage(&format!("public_jwk = CAST(X'{hex}' AS TEXT)")).await;
        let snapshot = keys.store.load_keys().await.expect("damage is no error");
        assert!(snapshot.keys.iter().any(|key| key.jwk == keys.good.jwk), "byte {position}");
        let others = snapshot.keys.iter().filter(|key| key.jwk != keys.good.jwk);
        assert!(others.into_iter().all(|key| key.jwk == keys.bad.jwk), "byte {position} made another key");
    }
}

// S-53
#[tokio::test]
async fn an_unreadable_row_stands_for_its_algorithm_until_it_is_buried() {
    on_each_database(async |database| {
        let store = database.open().await;
        let bad = active();
        store.change_keys(0, &[KeyOp::Insert(bad.clone())], &[]).await.expect("applied");
        let intruder = database.intruder().await;
        intruder.execute("UPDATE signing_key SET public_jwk = '{}'").await.expect_err("it is guarded");
        // Damage below the database goes past its guards, and they are there again afterwards.
        let kid = bad.jwk.kid().to_string();
        let damaged = damaged_beside_its_guards(&intruder, database.is_sqlite()).await;
        assert!(damaged, "one row");
        let snapshot = store.load_keys().await.expect("damage is no error");
        let row = &snapshot.unreadable[0];
        assert!(row.kid == kid && row.stands_for(Algorithm::Es256) && !row.stands_for(Algorithm::Rs256));
        let successor = [KeyOp::Insert(active())];
        let refused = store.change_keys(snapshot.revision, &successor, &[]).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");

        let sequence = store.revisions().await.expect("they are there").revocations;
        let bury = KeyOp::Bury { kid: kid.clone(), at: at(200) };
        let [new] = successor;
        store.change_keys(snapshot.revision, &[bury.clone(), new], &[]).await.expect("the way is clear");
        let snapshot = store.load_keys().await.expect("it loads");
        assert!(snapshot.keys.len() == 1 && snapshot.unreadable[0].is_revoked());
        let feed = store.load_revocations().await.expect("it loads");
        assert!(feed.sequence > sequence && feed.kids == [*bad.jwk.kid()]);
        let again = store.change_keys(snapshot.revision, &[bury], &[]).await;
        assert!(matches!(again, Err(StoreError::Corrupt(_))), "its time of death stays: {again:?}");
    })
    .await;
}

async fn damaged_beside_its_guards(intruder: &Intruder, is_sqlite: bool) -> bool {
    let damage = "UPDATE signing_key SET public_jwk = '{}'";
    if !is_sqlite {
        intruder.execute("ALTER TABLE signing_key DISABLE TRIGGER ALL").await.expect("a superuser may");
        let rows = intruder.execute(damage).await.expect("nothing guards the row");
        intruder.execute("ALTER TABLE signing_key ENABLE TRIGGER ALL").await.expect("a superuser may");
        return rows == 1;
    }
    let guard = intruder.read("SELECT sql FROM sqlite_master WHERE name = 'signing_key_forward'").await;
    intruder.execute("DROP TRIGGER signing_key_forward").await.expect("a writer may");
    let rows = intruder.execute(damage).await.expect("nothing guards the row");
    intruder.execute(&guard).await.expect("as it was");
    rows == 1
}
