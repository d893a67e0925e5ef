use std::path::{Path, PathBuf};

use claviger_jose::{Algorithm, Jwk, NumericDate};
use claviger_keyring::{KeyState, Move, SealedKey, rand_core::OsRng};
use claviger_store::{KeyOp, NewKey, Store, StoreError};
use migrations::Migrator;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait, Value};
use tempfile::TempDir;

use crate::postgres::Postgres;

/// An empty database of one test.
pub(crate) struct Database {
    pub(crate) url: String,
    directory: Option<TempDir>,
}

/// Checks a fact on SQLite, then on PostgreSQL if there is one.
pub(crate) async fn on_each_database(fact: impl AsyncFn(Database)) {
    fact(Database::sqlite()).await;
    if let Some(database) = Database::postgres() {
        fact(database).await;
    }
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("data").join("claviger.db");
        Self { url: format!("sqlite://{}", path.display()), directory: Some(directory) }
    }

    pub(crate) fn postgres() -> Option<Self> {
        let url = Postgres::shared()?.create_database().expect("a database");
        Some(Self { url, directory: None })
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.directory.is_some()
    }

    pub(crate) fn path(&self) -> PathBuf {
        Path::new(self.url.strip_prefix("sqlite://").expect("an SQLite database")).to_owned()
    }

    pub(crate) async fn try_open(&self) -> Result<Store, StoreError> {
        Store::open::<Migrator>(&self.url).await
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.expect("the database opens")
    }

    /// A connection beside the store's: somebody else who can write to the database.
    pub(crate) async fn intruder(&self) -> Intruder {
        Intruder(sea_orm::Database::connect(&self.url).await.expect("a connection"))
    }
}

pub(crate) struct Intruder(DatabaseConnection);

impl Intruder {
    pub(crate) async fn execute(&self, sql: &str) -> Result<u64, DbErr> {
        self.0.execute_unprepared(sql).await.map(|done| done.rows_affected())
    }

    /// The one text that a query answers.
    pub(crate) async fn read(&self, sql: &str) -> String {
        let statement =
            Statement::from_string(self.0.get_database_backend(), format!("SELECT ({sql}) AS answer"));
        let row = self.0.query_one_raw(statement).await.expect("the query runs").expect("one row");
        row.try_get("", "answer").expect("a text")
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.read(&format!("SELECT CAST(count(*) AS TEXT) FROM {sql}")).await.parse().expect("a number")
    }

    /// How the database would go about a statement, line by line. PostgreSQL is told to avoid what it prefers for small tables.
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        let transaction = self.0.begin().await.expect("a transaction");
        let backend = transaction.get_database_backend();
        let (explain, column) = match backend {
            DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
            _ => ("EXPLAIN QUERY PLAN", "detail"),
        };
        if backend == DbBackend::Postgres {
            for way in ["seqscan", "hashjoin", "mergejoin"] {
                let off = format!("SET LOCAL enable_{way} = off");
                transaction.execute_unprepared(&off).await.expect("a setting");
            }
        }
        let statement = Statement::from_string(backend, format!("{explain} {sql}"));
        let rows =
            transaction.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.try_get("", column).expect("a text")).collect()
    }

    /// Whether a statement answers a row, which it does for nothing: all that it does is taken back.
    pub(crate) async fn would_answer<const N: usize>(&self, sql: &str, values: [Value; N]) -> bool {
        let transaction = self.0.begin().await.expect("a transaction");
        let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, values);
        let row = transaction.query_one_raw(statement).await.expect("it runs");
        transaction.rollback().await.expect("it is taken back");
        row.is_some()
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    /// Takes the guards of the key table away, as damage below the database would.
    pub(crate) async fn remove_guards(&self) {
        let statements: &[&str] = match self.0.get_database_backend() {
            DbBackend::Postgres => &["ALTER TABLE signing_key DISABLE TRIGGER ALL"],
            _ => &["DROP TRIGGER signing_key_forward", "DROP TRIGGER signing_key_tombstone"],
        };
        for statement in statements {
            self.execute(statement).await.expect("a superuser may");
        }
    }
}

pub(crate) fn at(secs: u64) -> NumericDate {
    NumericDate::from_secs(secs)
}

pub(crate) fn new_jwk() -> Jwk {
    let (_, key) = claviger_keyring::generate(Algorithm::Es256, &mut OsRng).expect("a key");
    key.jwk().clone()
}

pub(crate) fn new_key(state: KeyState) -> NewKey {
    NewKey {
        jwk: new_jwk(),
        state,
        created_at: state.since(),
        sealed: SealedKey { kek_id: "kek".to_owned(), bytes: vec![1, 2, 3] },
        state_seal: b"first".to_vec(),
    }
}

pub(crate) fn prepared() -> NewKey {
    new_key(KeyState::Prepared { since: at(100) })
}

pub(crate) fn active() -> NewKey {
    new_key(KeyState::Active { since: at(100) })
}

pub(crate) fn move_to(key: &NewKey, to: KeyState) -> KeyOp {
    let change = Move { kid: *key.jwk.kid(), from: key.state, to };
    KeyOp::Move { change, state_seal: b"second".to_vec() }
}

/// As a database writes bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
