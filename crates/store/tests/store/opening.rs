use std::{fs, os::unix::fs::PermissionsExt};

use claviger_store::{Store, StoreError};
use migrations::Migrator;
use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait};

use crate::fixture::{Database, on_each_database};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

// S-113
#[tokio::test]
async fn a_database_is_migrated_once_and_opened_often() {
    on_each_database(async |database| {
        for _ in 0..3 {
            let store = database.open().await;
            assert_eq!(store.revisions().await.expect("they are there").keyring, 0);
            store.close().await.expect("it closes");
        }
        let applied = database.intruder().await.read("SELECT max(version) FROM seaql_migrations").await;
        assert_eq!(applied, migrations::newest());
    })
    .await;
}

// S-113
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_at_once_migrate_once() {
    on_each_database(async |database| {
        let openings: Vec<_> = (0..6)
            .map(|_| {
                let url = database.url.clone();
                tokio::spawn(async move { Store::open::<Migrator>(&url).await.map(|_| ()) })
            })
            .collect();
        for opening in openings {
            opening.await.expect("no panic").expect("it opens");
        }
        assert_eq!(database.intruder().await.count("revision").await, 1);
    })
    .await;
}

// S-113
#[tokio::test]
async fn a_schema_of_the_next_binary_is_taken_and_one_of_the_binary_after_that_is_refused() {
    on_each_database(async |database| {
        database.open().await.close().await.expect("it closes");
        let next = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20981231_000001_next', 0)";
        database.intruder().await.execute(next).await.expect("a row");
        database.open().await.close().await.expect("it closes");
        let future =
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_future', 0)";
        database.intruder().await.execute(future).await.expect("a row");
        let error = database.try_open().await.expect_err("too new");
        let StoreError::SchemaTooNew { found, newest } = &error else { panic!("{error:?}") };
        assert_eq!((found.as_str(), newest), ("m20991231_000001_future", &migrations::newest()));
    })
    .await;
}

/// The schema of the binary before this one.
struct Previous;

#[async_trait::async_trait]
impl MigratorTrait for Previous {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut changes = Migrator::migrations();
        changes.pop();
        changes
    }
}

/// The first changes alone.
struct First<const COUNT: usize>;

#[async_trait::async_trait]
impl<const COUNT: usize> MigratorTrait for First<COUNT> {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Migrator::migrations().into_iter().take(COUNT).collect()
    }
}

// S-113
#[tokio::test]
async fn what_was_revoked_and_counted_before_is_kept_and_told_when_to_be_forgotten() {
    on_each_database(async |database| {
        Store::open::<First<4>>(&database.url).await.expect("it opens").close().await.expect("it closes");
        let bytes = |byte: u8, length: usize| {
            let hex = crate::fixture::hex(&vec![byte; length]);
            if database.is_sqlite() { format!("x'{hex}'") } else { format!("decode('{hex}', 'hex')") }
        };
        let older = database.intruder().await;
        for (kind, byte, sub) in [("jti", 1, bytes(9, 16)), ("sid", 2, "NULL".to_owned())] {
            let values = format!("'{kind}', {}, {sub}, 100, 4000000000", bytes(byte, 16));
            let sql =
                format!("INSERT INTO revocation (kind, mark, sub, not_before, until) VALUES ({values})");
            older.execute(&sql).await.expect("as it was");
        }
        for consecutive in [0, 1, 9, 99, 100] {
            let values = format!("{}, 1000, 1, {consecutive}, 0", bytes(consecutive, 32));
            let sql = format!(
                "INSERT INTO attempt (bucket, window_at, count, consecutive, not_before) VALUES ({values})"
            );
            older.execute(&sql).await.expect("as it was");
        }
        let store = database.open().await;
        assert_eq!(store.load_revocations().await.expect("they load").revocations.len(), 2);
        let days = |days: i64| format!("attempt WHERE forget_at = {}", 1000 + days * 86_400);
        for (after, rows) in [(1, 2), (9, 1), (30, 1)] {
            assert_eq!(older.count(&days(after)).await, rows, "after {after} days");
        }
        assert_eq!(store.forget_attempts().await.expect("it answers"), 4, "not the hard stop");
        let owned = format!("UPDATE revocation SET sub = {} WHERE kind = 'sid'", bytes(9, 16));
        older.execute(&owned).await.expect("a session has a subject now");
        let wrong = format!("UPDATE revocation SET sub = {}", bytes(9, 15));
        older.execute(&wrong).await.expect_err("of this length");
    })
    .await;
}

/// What the binary before this one writes: it knows no column that came later.
fn older_statements(kid: &str) -> [String; 4] {
    let key = "'ES256', 'access-token', 'prepared', 100, NULL, 100, '{}'";
    [
        "UPDATE revision SET keyring = keyring + 1 WHERE id = 1 AND keyring >= 0".to_owned(),
        format!(
            "INSERT INTO signing_key (kid, alg, purpose, state, since, until, created_at, public_jwk, sealed, \
             kek_id, state_seal) SELECT '{kid}', {key}, hash, 'kek', hash FROM client_secret"
        ),
        "DELETE FROM client_grant".to_owned(),
        format!("UPDATE signing_key SET state = 'revoked', sealed = NULL, since = 200 WHERE kid = '{kid}'"),
    ]
}

const OLDER_FLEET: [&str; 3] = [
    "INSERT INTO team (name) VALUES ('shop')",
    "INSERT INTO client (client_id, team, auth_method, disabled) \
     VALUES ('orders', 'shop', 'client_secret_basic', FALSE)",
    "INSERT INTO client_secret (client_id, hash, created_at) VALUES ('orders', {hash}, 100)",
];

// S-113
#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_with_its_rows_and_its_binary_works_on() {
    on_each_database(async |database| {
        Store::open::<Previous>(&database.url).await.expect("it opens").close().await.expect("it closes");
        let older = database.intruder().await;
        let hash = if database.is_sqlite() { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
        for sql in OLDER_FLEET {
            older.execute(&sql.replace("{hash}", hash)).await.expect("as it was");
        }
        for sql in older_statements("before") {
            older.execute(&sql).await.expect("as it was");
        }
        let store = database.open().await;
        for sql in older_statements("beside") {
            older.execute(&sql).await.expect("as it was");
        }
        let keys = store.load_keys().await.expect("they load");
        assert_eq!((keys.revision, keys.unreadable.len()), (2, 2), "no key of the test is one");
        let clients = store.load_registry().await.expect("it loads").registry.clients;
        assert_eq!((clients.len(), clients[0].secrets.len()), (1, 1));
        let revisions = store.revisions().await.expect("they are there");
        assert_eq!((revisions.keyring, revisions.revocations), (2, 0));
        // It can be started, too, while replicas are replaced one by one.
        let beside = Store::open::<Previous>(&database.url).await.expect("it opens");
        beside.close().await.expect("it closes");
    })
    .await;
}

// S-113
#[tokio::test]
async fn a_file_is_copied_before_its_schema_changes() {
    let database = Database::sqlite();
    Store::open::<Previous>(&database.url).await.expect("it opens").close().await.expect("it closes");
    database.open().await.close().await.expect("it closes");
    let copy = database.path().with_file_name(format!("claviger.db.before-{}", migrations::newest()));
    assert_eq!(mode(&copy), 0o600);
    Store::open::<Previous>(&format!("sqlite://{}", copy.display())).await.expect("it has the older schema");
    let beside = fs::read_dir(copy.parent().expect("a directory")).expect("ours").flatten();
    assert!(beside.into_iter().all(|file| !file.file_name().to_string_lossy().contains("copy-")));
}

// S-106
#[tokio::test]
async fn a_new_file_and_its_directory_are_their_owners_alone() {
    let database = Database::sqlite();
    let store = database.open().await;
    let path = database.path();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a directory")), 0o700);
    let beside = |suffix: &str| path.with_file_name(format!("claviger.db{suffix}"));
    assert_eq!([mode(&beside("-wal")), mode(&beside("-shm"))], [0o600, 0o600]);
    drop(store);
}

// S-106
#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    let database = Database::sqlite();
    database.open().await.close().await.expect("it closes");
    fs::set_permissions(database.path(), fs::Permissions::from_mode(0o644)).expect("ours");
    let error = database.try_open().await.expect_err("open to others");
    assert!(matches!(error, StoreError::Exposed { mode: 0o644, .. }), "{error:?}");
}

// S-106
#[tokio::test]
async fn the_file_is_kept_in_wal_mode() {
    let database = Database::sqlite();
    let store = database.open().await;
    assert_eq!(database.intruder().await.read("SELECT journal_mode FROM pragma_journal_mode").await, "wal");
    drop(store);
}

#[tokio::test]
async fn a_command_line_does_not_make_a_database() {
    let database = Database::sqlite();
    let error = Store::open_existing::<Migrator>(&database.url).await.expect_err("nothing there");
    assert!(matches!(error, StoreError::Missing(_)), "{error:?}");
    assert!(!database.path().exists());
    database.open().await.close().await.expect("it closes");
    Store::open_existing::<Migrator>(&database.url).await.expect("now it is there");
}

// S-106
#[tokio::test]
async fn a_file_that_is_no_database_is_named_so() {
    let database = Database::sqlite();
    database.open().await.close().await.expect("it closes");
    fs::write(database.path(), "I am a text of more than one hundred bytes. ".repeat(100)).expect("ours");
    let error = database.try_open().await.expect_err("not a database");
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

// S-106
#[tokio::test]
async fn a_damaged_file_is_found_at_start() {
    let database = Database::sqlite();
    database.open().await.close().await.expect("it closes");
    let mut bytes = fs::read(database.path()).expect("ours");
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 64].fill(0x5a);
    fs::write(database.path(), bytes).expect("ours");
    let error = database.try_open().await.expect_err("damaged");
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

// S-108
#[tokio::test]
async fn a_server_that_may_forget_is_refused() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let intruder = database.intruder().await;
    for forgetful in ["off", "local"] {
        let name = intruder.read("SELECT current_database()::text").await;
        let set = format!("ALTER DATABASE {name} SET synchronous_commit = '{forgetful}'");
        intruder.execute(&set).await.expect("a superuser may");
        let error = database.try_open().await.expect_err("it may forget");
        let StoreError::Durability { setting: "synchronous_commit", found, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(found, forgetful);
    }
}

// S-110
#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_that_passes() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().display().to_string().replace('/', "%2F");
    let error = Store::open::<Migrator>(&format!("postgres://claviger@{socket}/claviger")).await;
    assert!(error.as_ref().is_err_and(StoreError::is_transient), "{error:?}");
}
