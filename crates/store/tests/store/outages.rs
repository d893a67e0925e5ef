//! A server that is away, silent or slow holds nobody, and comes back by itself.

use std::time::{Duration, Instant};

use claviger_store::{Act, KeyOp, Store, StoreError};
use migrations::Migrator;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use crate::{
    fixture::{Database, Intruder, prepared},
    relay::Relay,
};

/// What all but the machine itself takes must stay far below.
const SOON: Duration = Duration::from_secs(5);
/// For so long has a connection at rest not answered, at least.
const AT_REST: Duration = Duration::from_millis(50);

fn act() -> Act {
    Act {
        actor: "operator:ada".to_owned(),
        origin: "cli host".to_owned(),
        act: "keys.refused".to_owned(),
        subject: "x".to_owned(),
        detail: serde_json::Value::Null,
        request_id: None,
    }
}

async fn recovered(store: &Store) -> Duration {
    let started = Instant::now();
    while let Err(error) = store.revisions().await {
        assert!(error.is_transient(), "{error:?}");
        assert!(started.elapsed() < SOON, "{error:?}");
    }
    started.elapsed()
}

// S-110
#[tokio::test]
async fn a_host_that_accepts_and_says_nothing_holds_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("postgres://claviger@{}/claviger", listener.local_addr().expect("bound"));
    let started = Instant::now();
    let error = Store::open::<Migrator>(&url).await.expect_err("nobody answers");
    assert!(error.is_transient(), "{error:?}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

/// A store behind a relay, with all places of its pool taken by changes that wait for a lock.
struct Crowded {
    store: Store,
    relay: Relay,
    /// Holds the lock until its transaction ends.
    intruder: Intruder,
    changes: Vec<JoinHandle<Result<(), StoreError>>>,
}

async fn crowded(database: &Database) -> Option<Crowded> {
    let relay = Relay::before(&database.url).await?;
    let store = Store::open::<Migrator>(&relay.url).await.expect("it opens");
    let intruder = database.intruder().await;
    intruder.execute("BEGIN; UPDATE revision SET keyring = keyring").await.expect("held");
    let changes = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.note(&[act()]).await })
    });
    let changes = changes.collect();
    // One for the check of the server, which is closed by now, one for the migration, the pool's eight.
    let started = Instant::now();
    while relay.connected() < 10 {
        assert!(started.elapsed() < SOON, "{} connections", relay.connected());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Some(Crowded { store, relay, intruder, changes })
}

// S-108 S-110
#[tokio::test]
async fn connections_that_go_silent_in_the_midst_end_in_time_and_leave_their_places() {
    let Some(database) = Database::postgres() else { return };
    let Some(Crowded { store, relay, intruder, changes }) = crowded(&database).await else { return };
    relay.fall_silent();
    let started = Instant::now();
    for change in changes {
        let error = change.await.expect("no panic").expect_err("nobody answers");
        assert!(error.is_transient(), "{error:?}");
    }
    let error = store.revisions().await.expect_err("nobody answers");
    assert!(error.is_transient(), "{error:?}");
    assert!(started.elapsed() < 2 * SOON, "{:?}", started.elapsed());
    relay.recover();
    intruder.execute("ROLLBACK").await.expect("released");
    println!("recovered in {:?}", recovered(&store).await);
}

// S-110
#[tokio::test]
async fn connections_that_went_silent_at_rest_are_found_out_before_they_are_used() {
    let Some(database) = Database::postgres() else { return };
    let Some(Crowded { store, relay, intruder, changes }) = crowded(&database).await else { return };
    intruder.execute("ROLLBACK").await.expect("released");
    for change in changes {
        // On a slow machine it may have waited too long for the lock; the connection is at rest all the same.
        let _ = change.await.expect("no panic");
    }
    // Those that have just answered are not asked again.
    tokio::time::sleep(AT_REST).await;
    relay.fall_silent();
    relay.recover();
    let started = Instant::now();
    for _ in 0..8 {
        recovered(&store).await;
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

// S-110
#[tokio::test]
async fn a_server_that_ended_all_connections_is_met_again_at_once() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.intruder().await.execute(end).await.expect("ended");
    recovered(&store).await;
    store.change_keys(0, &[KeyOp::Insert(prepared())], &[act()]).await.expect("applied");
}

// S-108
#[tokio::test]
async fn a_connection_that_would_lose_what_it_acknowledges_is_not_used() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    let intruder = database.intruder().await;
    let name = intruder.read("current_database()::text").await;
    intruder
        .execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off"))
        .await
        .expect("a superuser may");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    intruder.execute(end).await.expect("ended");
    let error = store.note(&[act()]).await.expect_err("it is as if nobody answered");
    assert!(error.is_transient(), "{error:?}");
    let error = database.try_open().await.expect_err("and a new one is told why");
    assert!(matches!(error, StoreError::Durability { .. }), "{error:?}");
    intruder.execute(&format!("ALTER DATABASE {name} RESET synchronous_commit")).await.expect("as it was");
    recovered(&store).await;
}

// S-110
#[tokio::test]
async fn a_change_is_heard_of_by_all_who_wait_and_by_who_was_busy() {
    let Some(database) = Database::postgres() else { return };
    let (one, two) = (database.open().await, database.open().await);
    // The first word is that the connection stands.
    timeout(SOON, one.changed()).await.expect("it stands");
    for revision in 0..5 {
        two.change_keys(revision, &[KeyOp::Insert(prepared())], &[]).await.expect("applied");
        timeout(SOON, one.changed()).await.expect("heard");
    }
    let waiting = [one.clone(), one.clone()].map(|store| tokio::spawn(async move { store.changed().await }));
    for waiting in waiting {
        two.revoke(&[], claviger_jose::NumericDate::from_secs(1), &[]).await.expect("revoked");
        timeout(SOON, waiting).await.expect("heard").expect("no panic");
    }
}

// S-110
#[tokio::test]
async fn a_lost_connection_is_listened_on_again_without_haste() {
    let Some(database) = Database::postgres() else { return };
    let Some(relay) = Relay::before(&database.url).await else { return };
    let store = Store::open::<Migrator>(&relay.url).await.expect("it opens");
    timeout(SOON, store.changed()).await.expect("it stands");
    // A permit may be left of the first word.
    let _ = timeout(Duration::from_millis(100), store.changed()).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    database.intruder().await.execute(end).await.expect("ended");
    timeout(SOON, store.changed()).await.expect("it stands again, and who waits looks");
    let _ = timeout(Duration::from_millis(100), store.changed()).await;
    database.open().await.revoke(&[], claviger_jose::NumericDate::from_secs(1), &[]).await.expect("revoked");
    timeout(SOON, store.changed()).await.expect("heard");
}

#[tokio::test]
async fn nobody_announces_on_a_file() {
    let store = Database::sqlite().open().await;
    store.change_keys(0, &[KeyOp::Insert(prepared())], &[]).await.expect("applied");
    assert!(timeout(Duration::from_millis(50), store.changed()).await.is_err());
}
