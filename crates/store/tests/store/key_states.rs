//! The life of a key as the database itself enforces it, whoever writes: no call of the store is involved.

use claviger_store::Store;

use crate::fixture::{Database, Intruder, on_each_database};

const STATES: [&str; 5] = ["prepared", "active", "retiring", "removed", "revoked"];
const LEGAL: [(&str, &str); 7] = [
    ("prepared", "active"),
    ("active", "retiring"),
    ("retiring", "removed"),
    ("prepared", "revoked"),
    ("active", "revoked"),
    ("retiring", "revoked"),
    ("removed", "revoked"),
];

struct Table {
    _store: Store,
    intruder: Intruder,
    blob: &'static str,
}

impl Table {
    async fn of(database: &Database) -> Self {
        let blob = if database.is_sqlite() { "X'0102'" } else { r"'\x0102'" };
        Self { _store: database.open().await, intruder: database.intruder().await, blob }
    }

    /// A key in this state. It has a purpose of its own, so that no refusal is the index's.
    async fn insert(&self, kid: &str, state: &str) {
        self.insert_for(kid, kid, state).await;
    }

    async fn insert_for(&self, purpose: &str, kid: &str, state: &str) {
        let sealed = if ["removed", "revoked"].contains(&state) { "NULL" } else { self.blob };
        let (until, blob) = (until(state), self.blob);
        let row = format!(
            "'{kid}', 'ES256', '{purpose}', '{state}', 1, {until}, 1, 'jwk', {sealed}, 'kek', {blob}"
        );
        let insert = format!(
            "INSERT INTO signing_key (kid, alg, purpose, state, since, until, created_at, public_jwk, sealed, kek_id, state_seal) VALUES ({row})"
        );
        assert_eq!(self.intruder.execute(&insert).await.expect("a row"), 1);
    }

    async fn row(&self, kid: &str) -> String {
        let columns = "kid || alg || purpose || state || since || ' ' || coalesce(until, 0) || ' ' || created_at || public_jwk
            || CASE WHEN sealed IS NULL THEN ' gone' ELSE ' sealed' END";
        self.intruder.read(&format!("SELECT {columns} FROM signing_key WHERE kid = '{kid}'")).await
    }

    async fn update(&self, kid: &str, set: &str) -> bool {
        self.intruder.execute(&format!("UPDATE signing_key SET {set} WHERE kid = '{kid}'")).await.is_ok()
    }

    async fn refuses(&self, kid: &str, statement: &str) {
        let before = self.row(kid).await;
        assert!(self.intruder.execute(statement).await.is_err(), "{statement}");
        assert_eq!(self.row(kid).await, before, "{statement}");
    }
}

fn until(state: &str) -> &'static str {
    if state == "retiring" { "9" } else { "NULL" }
}

fn to(state: &str) -> String {
    let sealed = if ["removed", "revoked"].contains(&state) { ", sealed = NULL" } else { "" };
    format!("state = '{state}', since = 2, until = {}{sealed}", until(state))
}

// S-31
#[tokio::test]
async fn every_legal_transition_is_made() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        for (from, next) in LEGAL {
            let kid = format!("{from:.3}-{next:.3}");
            table.insert(&kid, from).await;
            assert!(table.update(&kid, &to(next)).await, "{kid}");
        }
    })
    .await;
}

// S-31
#[tokio::test]
async fn every_illegal_transition_is_refused_and_leaves_the_row_as_it_was() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        let mut refused = 0;
        for (from, next) in STATES.iter().flat_map(|from| STATES.map(|next| (*from, next))) {
            if LEGAL.contains(&(from, next)) {
                continue;
            }
            let kid = format!("{from:.3}-{next:.3}");
            table.insert(&kid, from).await;
            table.refuses(&kid, &format!("UPDATE signing_key SET {} WHERE kid = '{kid}'", to(next))).await;
            refused += 1;
        }
        // Of the 25 pairs, a state and itself included: a key cannot enter the state it is in once more.
        assert_eq!(refused, 18);
    })
    .await;
}

// S-31
#[tokio::test]
async fn a_state_that_does_not_exist_is_refused() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        table.insert("k", "prepared").await;
        table.refuses("k", "UPDATE signing_key SET state = 'master' WHERE kid = 'k'").await;
        table.refuses("k", "UPDATE signing_key SET state = 'active', until = 9 WHERE kid = 'k'").await;
    })
    .await;
}

// S-31 S-53
#[tokio::test]
async fn a_key_stays_what_it_was_made_as() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        table.insert("k", "retiring").await;
        for set in [
            "kid = 'other'",
            "alg = 'RS256'",
            "purpose = 'feed'",
            "public_jwk = 'other'",
            "created_at = 2",
            "since = 2",
            "until = 99",
        ] {
            table.refuses("k", &format!("UPDATE signing_key SET {set} WHERE kid = 'k'")).await;
        }
    })
    .await;
}

// S-38
#[tokio::test]
async fn no_key_is_ever_deleted() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        for state in STATES {
            table.insert(state, state).await;
            table.refuses(state, &format!("DELETE FROM signing_key WHERE kid = '{state}'")).await;
        }
        if !database.is_sqlite() {
            table.refuses("removed", "TRUNCATE signing_key").await;
        }
    })
    .await;
}

// S-38
#[tokio::test]
async fn the_private_half_dies_with_the_key_and_never_returns() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        let blob = table.blob;
        table.insert("live", "retiring").await;
        table
            .refuses("live", "UPDATE signing_key SET state = 'removed', until = NULL WHERE kid = 'live'")
            .await;
        table.insert("dead", "removed").await;
        table.refuses("dead", &format!("UPDATE signing_key SET sealed = {blob} WHERE kid = 'dead'")).await;
    })
    .await;
}

// S-50
#[tokio::test]
async fn a_key_may_be_sealed_anew_while_it_keeps_its_state() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        let blob = table.blob;
        table.insert("k", "active").await;
        assert!(table.update("k", &format!("sealed = {blob}, kek_id = 'new', state_seal = {blob}")).await);
    })
    .await;
}

// S-32
#[tokio::test]
async fn of_two_activations_at_once_one_wins() {
    on_each_database(async |database| {
        let table = Table::of(&database).await;
        let rival = database.intruder().await;
        for round in 0..200 {
            for side in ["a", "b"] {
                table.insert_for("token", &format!("{side}{round}"), "prepared").await;
            }
            let activate = |side: &str| {
                format!("UPDATE signing_key SET state = 'active', since = 2 WHERE kid = '{side}{round}'")
            };
            let (a, b) = (activate("a"), activate("b"));
            let (a, b) = tokio::join!(table.intruder.execute(&a), rival.execute(&b));
            assert_ne!(a.is_ok(), b.is_ok(), "round {round}: {a:?} {b:?}");
            let winner = if a.is_ok() { "a" } else { "b" };
            assert!(table.update(&format!("{winner}{round}"), &to("revoked")).await);
        }
    })
    .await;
}
