use std::{path::PathBuf, sync::Arc};

use claviger_issuer::{
    actor::Actor,
    keys::{Opened, Rotation, Taken, Vault},
};
use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{KeyEncryptionKey, Lifetimes, RotationPolicy};
use claviger_store::{AuditRecord, Store, StoredKey};
use migrations::Migrator;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
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

/// What a long-lived fleet has said: its verifiers were there before the keys were.
pub(crate) const KNOWN_FOR_LONG: &str = "UPDATE verifier SET first_seen = first_seen - 3600";

/// Somebody who can write to a database.
pub(crate) struct Intruder(DatabaseConnection);

impl Intruder {
    pub(crate) async fn of(path: PathBuf) -> Self {
        Self(Database::connect(format!("sqlite://{}", path.display())).await.expect("a connection"))
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.0.execute_unprepared(sql).await.expect("nothing stands in the way");
    }
}

pub(crate) fn vault(seed: u8) -> Arc<Vault> {
    let raw: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(seed) ^ (n << 3) ^ seed).collect();
    let kek = KeyEncryptionKey::new(&raw).expect("strong enough");
    Arc::new(Vault::new("https://id.example.test".parse().expect("an issuer"), kek))
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
