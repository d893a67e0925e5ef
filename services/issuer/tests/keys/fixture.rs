use std::{path::PathBuf, sync::Arc};

use claviger_issuer::{
    actor::Actor,
    keys::{KeyModule, KeyProvider, ModuleError, Opened, Rotation, Taken, Vault},
};
use claviger_jose::{Algorithm, Jwk, Kid};
use claviger_keyring::{KeyEncryptionKey, Lifetimes, Reference, RotationPolicy, Signer};
use claviger_store::{AuditRecord, Store, StoredKey};
use migrations::Migrator;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tempfile::TempDir;

/// An issuer without a server: a database, a key-encryption key and a policy.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) policy: RotationPolicy,
    vault: Arc<Vault>,
    directory: TempDir,
}

impl House {
    /// With its first keys.
    pub(crate) async fn new() -> Self {
        Self::with(Lifetimes::default()).await
    }

    pub(crate) async fn with(lifetimes: Lifetimes) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
        let store = Store::open::<Migrator>(&url).await.expect("the database opens");
        let policy = RotationPolicy::new(lifetimes).expect("a policy that breaks nothing");
        store.note_serving(lifetimes.lease).await.expect("somebody serves");
        let house = Self { store, policy, vault: vault(7), directory };
        house.rotation().take_due_steps().await.expect("the first keys are made");
        house
    }

    pub(crate) fn rotation(&self) -> Rotation {
        self.rotation_under(&self.vault)
    }

    /// A rotation with another key-encryption key.
    pub(crate) fn rotation_under(&self, vault: &Arc<Vault>) -> Rotation {
        let actor = Actor::client("operator", "127.0.0.1", "r-1".to_owned());
        Rotation::new(self.store.clone(), Arc::clone(vault), self.policy, actor)
    }

    pub(crate) async fn opened(&self) -> Opened {
        self.vault.open(&self.store.load_keys().await.expect("they load"), &[])
    }

    pub(crate) async fn keys(&self) -> (u64, Vec<StoredKey>) {
        let snapshot = self.store.load_keys().await.expect("they load");
        (snapshot.revision, snapshot.keys)
    }

    pub(crate) async fn active(&self, alg: Algorithm) -> Kid {
        *self.opened().await.keyring.active(alg).expect("a key signs").jwk.kid()
    }

    pub(crate) async fn prepared(&self, alg: Algorithm) -> Kid {
        *self.opened().await.keyring.prepared(alg).expect("a key is prepared").jwk.kid()
    }

    /// The last acts, oldest first.
    pub(crate) async fn acts(&self, count: u32) -> Vec<AuditRecord> {
        self.store.audit_tail(count).await.expect("the log can be read")
    }

    pub(crate) async fn act_names(&self, count: u32) -> String {
        let acts = self.acts(count).await;
        acts.iter().map(|record| record.act.act.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A connection beside the store's: somebody else who can write to the database.
    pub(crate) async fn intruder(&self) -> Intruder {
        Intruder::of(self.directory.path().join("claviger.db")).await
    }
}

/// Somebody who can write to a database.
pub(crate) struct Intruder(DatabaseConnection);

impl Intruder {
    pub(crate) async fn of(path: PathBuf) -> Self {
        Self(Database::connect(format!("sqlite://{}", path.display())).await.expect("a connection"))
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.0.execute_unprepared(sql).await.expect("nothing stands in the way");
    }

    /// A transaction that keeps everybody else from writing.
    pub(crate) async fn hold(&self) -> DatabaseTransaction {
        let transaction = self.0.begin().await.expect("a transaction");
        let taken = transaction.execute_unprepared("UPDATE revision SET keyring = keyring").await;
        taken.expect("nobody else writes");
        transaction
    }
}

pub(crate) fn vault(seed: u8) -> Arc<Vault> {
    let raw: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(seed) ^ (n << 3) ^ seed).collect();
    let kek = KeyEncryptionKey::new(&raw).expect("strong enough");
    Arc::new(Vault::new("https://id.example.test".parse().expect("an issuer"), kek))
}

/// A keeper of keys that is away.
#[derive(Debug)]
struct Away;

impl KeyModule for Away {
    fn generate(&self, _: Algorithm) -> Result<(Reference, Jwk), ModuleError> {
        Err(ModuleError { what: "making a key".to_owned(), reason: "away".to_owned() })
    }

    fn signer(&self, _: Algorithm, _: &Reference) -> Result<Arc<dyn Signer>, ModuleError> {
        Err(ModuleError { what: "signing".to_owned(), reason: "away".to_owned() })
    }

    fn destroy(&self, _: &Reference) -> Result<(), ModuleError> {
        Err(ModuleError { what: "destroying a key".to_owned(), reason: "away".to_owned() })
    }
}

/// The vault of the house, with new keys to be made where nobody answers.
pub(crate) fn crippled() -> Arc<Vault> {
    let vault = Arc::into_inner(vault(7)).expect("nobody else has it");
    Arc::new(vault.with_module(Arc::new(Away), KeyProvider::Pkcs11))
}

/// A policy under which only verifiers that name themselves matter.
pub(crate) fn closed_fleet() -> Lifetimes {
    Lifetimes { foreign_verifiers: false, ..Lifetimes::default() }
}

pub(crate) fn steps(taken: Taken) -> usize {
    match taken {
        Taken::Steps(steps) => steps.len(),
        Taken::Nothing | Taken::AlreadyRotated => 0,
    }
}
