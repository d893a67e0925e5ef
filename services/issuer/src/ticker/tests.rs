use std::path::Path;

use claviger_jose::{Algorithm, Jwk};
use claviger_keyring::{KeyEncryptionKey, Reference, Serving, Signer};
use migrations::Migrator;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

use super::*;
use crate::{
    actor::Actor,
    config::Config,
    http::Shutdown,
    keys::{KeyModule, KeyProvider, ModuleError, create_kek},
    mint::Mint,
    signer_pool::SignerPool,
    witnesses::Witnesses,
};

/// A keeper that is away.
#[derive(Debug)]
struct Away;

impl KeyModule for Away {
    fn generate(&self, _: Algorithm) -> Result<(Reference, Jwk), ModuleError> {
        Err(away())
    }

    fn signer(&self, _: Algorithm, _: &Reference) -> Result<Arc<dyn Signer>, ModuleError> {
        Err(away())
    }

    fn destroy(&self, _: &Reference) -> Result<(), ModuleError> {
        Err(away())
    }
}

fn away() -> ModuleError {
    ModuleError { what: "the module".to_owned(), reason: "it is away".to_owned() }
}

/// Replicas without their servers.
struct House {
    directory: TempDir,
    store: Store,
}

impl House {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        create_kek(&directory.path().join("kek")).unwrap();
        let store = Store::open::<Migrator>(&url(directory.path())).await.unwrap();
        Self { directory, store }
    }

    fn vault(seed: u8) -> Vault {
        let raw: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(seed) ^ (n << 3) ^ seed).collect();
        Vault::new("https://id.fleet.test".parse().unwrap(), KeyEncryptionKey::new(&raw).unwrap())
    }

    fn replica(&self, vault: Vault) -> Ticker {
        let text = format!(
            "issuer = \"https://id.fleet.test\"\nlisten = \"127.0.0.1:0\"\ndatabase = {:?}\nkey_encryption_key = \"kek\"",
            url(self.directory.path())
        );
        let config = Config::parse("claviger.toml", &text, self.directory.path(), |_| None).unwrap();
        let mint = Mint::new(config.issuer.clone(), SignerPool::start().unwrap());
        let issuance = Arc::new(Issuance::new(config, mint, Shutdown::manual().0));
        let (vault, actor) = (Arc::new(vault), Actor::replica(&issuance.replica));
        let rotation = Rotation::new(self.store.clone(), Arc::clone(&vault), issuance.config.policy, actor);
        Ticker::new(issuance, self.store.clone(), vault, rotation)
    }

    async fn execute(&self, sql: &str) -> u64 {
        let database = Database::connect(url(self.directory.path())).await.unwrap();
        database.execute_unprepared(sql).await.unwrap().rows_affected()
    }
}

fn url(directory: &Path) -> String {
    format!("sqlite://{}", directory.join("claviger.db").display())
}

fn is_on_duty(ticker: &Ticker) -> bool {
    ticker.on_duty.load(std::sync::atomic::Ordering::Acquire)
}

// S-34 S-49
#[tokio::test]
async fn who_signs_nothing_leaves_the_duty_to_those_who_do() {
    let house = House::new().await;
    let able = house.replica(House::vault(7));
    able.first().await.unwrap();
    let locked_out = house.replica(House::vault(11));
    locked_out.first().await.unwrap();
    locked_out.rotate().await.unwrap();
    assert!(!is_on_duty(&locked_out));
    able.rotate().await.unwrap();
    assert!(is_on_duty(&able));
}

// S-34
#[tokio::test]
async fn who_cannot_make_keys_gives_the_duty_up_for_a_while_and_another_one_makes_them() {
    let house = House::new().await;
    let crippled = house.replica(House::vault(7).with_module(Arc::new(Away), KeyProvider::Pkcs11));
    assert!(matches!(crippled.first().await, Err(TickError::Rotation(_))), "there are no keys at all");
    assert!(crippled.rotate().await.is_err());
    assert!(!is_on_duty(&crippled));
    crippled.rotate().await.unwrap();
    assert!(!is_on_duty(&crippled), "it leaves the duty alone for a while");
    let able = house.replica(House::vault(7));
    able.rotate().await.unwrap();
    assert!(is_on_duty(&able));
    assert_eq!(house.store.load_keys().await.unwrap().keys.len(), 4);
}

// S-35
#[tokio::test]
async fn a_replica_starts_and_serves_from_a_database_that_takes_no_writes() {
    let house = House::new().await;
    house.replica(House::vault(7)).first().await.unwrap();
    for table in ["key_set", "replica"] {
        let trigger = format!("{table}_full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END");
        house.execute(&format!("CREATE TRIGGER {trigger}")).await;
    }
    house.execute("DELETE FROM key_set").await;
    let replica = house.replica(House::vault(7).with_module(Arc::new(Away), KeyProvider::Pkcs11));
    replica.first().await.unwrap();
    assert_eq!(replica.issuance.why_not_ready(), None);
    assert!(replica.issuance.statement().is_some());
    assert!(replica.look().await.is_err(), "and it is told that something is wrong");

    house.execute("DROP TRIGGER key_set_full").await;
    house.execute("DROP TRIGGER replica_full").await;
    replica.look().await.unwrap();
    let tag = replica.issuance.keys.load().published.tag().to_owned();
    assert!(house.store.key_sets().await.unwrap().contains_key(&tag), "it is caught up on");
}

// S-36
#[tokio::test]
async fn a_lead_runs_only_while_a_replica_is_ready() {
    let house = House::new().await;
    let able = house.replica(House::vault(7));
    able.first().await.unwrap();
    let policy = able.issuance.config.policy;
    let served_for = async || {
        let now = house.store.now().await.unwrap();
        let fleet = Witnesses::load(&house.store, &policy).await.unwrap().view(&policy, now);
        match fleet.serving {
            Serving::Since(since) => Some(now.since(since).as_secs()),
            _ => None,
        }
    };
    assert_eq!(served_for().await, None, "its server does not listen before the first look");
    able.look().await.unwrap();
    house.execute("UPDATE serving SET since = since - 9000, seen = seen - 50").await;
    able.look().await.unwrap();
    assert!(served_for().await >= Some(9000), "a short break is none");

    house.execute("UPDATE serving SET seen = seen - 65").await;
    let locked_out = house.replica(House::vault(11));
    locked_out.first().await.unwrap();
    locked_out.look().await.unwrap();
    assert_eq!(served_for().await, None, "nobody is sent to one that signs nothing");
    able.look().await.unwrap();
    house.execute("UPDATE serving SET since = since - 100").await;
    assert!((Some(100)..Some(200)).contains(&served_for().await), "it has begun anew");
}

#[tokio::test]
async fn what_cannot_be_forgotten_keeps_nothing_else_from_being_done() {
    let house = House::new().await;
    let replica = house.replica(House::vault(7));
    replica.first().await.unwrap();
    replica.tidy().await.unwrap();
    assert_eq!(replica.issuance.upkeep.age(), None, "another replica may be on duty");
    replica.rotate().await.unwrap();
    assert!(is_on_duty(&replica));

    house.execute("INSERT INTO revocation (kind, mark, not_before, until) VALUES ('all', x'', 1, 1)").await;
    house.execute("INSERT INTO used_assertion (hash, expires_at) VALUES (zeroblob(32), 1)").await;
    let stuck = "CREATE TRIGGER stuck BEFORE DELETE ON revocation BEGIN SELECT RAISE(ABORT, 'stuck'); END";
    house.execute(stuck).await;
    let error = replica.tidy().await.unwrap_err();
    assert_eq!(error.to_string(), "revocations are not forgotten");
    assert_eq!(house.store.checkpoints().await.unwrap().len(), 1, "the log is signed off all the same");
    assert_eq!(house.execute("DELETE FROM used_assertion").await, 0, "what came behind is gone");
    let failing = replica.issuance.upkeep.age().unwrap();
    assert!(replica.tidy().await.is_err());
    assert!(replica.issuance.upkeep.age().unwrap() > failing, "it grows while something fails");

    house.execute("DROP TRIGGER stuck").await;
    replica.tidy().await.unwrap();
    assert_eq!(house.execute("DELETE FROM revocation").await, 0);
}
