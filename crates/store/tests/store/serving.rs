use claviger_store::{ServingLock, StoreError};

use crate::fixture::{Database, on_each_database};

// S-107
#[tokio::test]
async fn a_second_issuer_on_one_file_is_refused() {
    let database = Database::sqlite();
    let (first, second) = (database.open().await, database.open().await);
    let lock = first.lock_for_serving().expect("the first one serves");
    let refused = second.lock_for_serving();
    assert!(matches!(refused, Err(StoreError::AlreadyServing(_))), "{refused:?}");
    second.revisions().await.expect("a command line works beside it");
    drop(lock);
    second.lock_for_serving().expect("the place is free");
}

// S-107
#[tokio::test]
async fn a_second_issuer_is_refused_before_it_opens_the_file() {
    let database = Database::sqlite();
    let missing = ServingLock::take(&database.url);
    assert!(matches!(missing, Err(StoreError::Missing(_))), "{missing:?}");
    let store = database.open().await;
    let lock = ServingLock::take(&database.url).expect("the first one serves");
    let refused = ServingLock::take(&database.url);
    assert!(matches!(refused, Err(StoreError::AlreadyServing(_))), "{refused:?}");
    assert!(store.lock_for_serving().is_err(), "it is one and the same lock");
    drop(lock);
    ServingLock::take(&database.url).expect("the place is free");
}

#[tokio::test]
async fn replicas_share_a_server() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let (first, second) = (database.open().await, database.open().await);
    let locks = [first.lock_for_serving(), second.lock_for_serving()];
    assert!(locks.iter().all(Result::is_ok), "{locks:?}");
}

#[tokio::test]
async fn a_database_belongs_to_its_first_issuer() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.bind_issuer("https://id.fleet.test").await.expect("it was nobody's");
        store.bind_issuer("https://id.fleet.test").await.expect("it is the same");
        let error = store.bind_issuer("https://id.fleet.test/").await.expect_err("another");
        let StoreError::WrongIssuer { bound, asked } = error else { panic!("{error:?}") };
        assert_eq!((bound.as_str(), asked.as_str()), ("https://id.fleet.test", "https://id.fleet.test/"));
    })
    .await;
}

// S-109
#[tokio::test]
async fn the_time_is_the_databases() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (earlier, now) = (store.now().await.expect("a time"), store.now().await.expect("a time"));
        let sql = if database.is_sqlite() {
            "SELECT strftime('%s', 'now')"
        } else {
            "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint::text"
        };
        let later: u64 = database.intruder().await.read(sql).await.parse().expect("seconds");
        assert!(earlier <= now && now.as_secs() <= later && later - now.as_secs() < 60, "{now} {later}");
    })
    .await;
}
