//! From one key-encryption key to another, killed again and again.
#![cfg(feature = "failpoints")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use claviger_issuer::{
    config::Config,
    keys::{SecretSource, Vault, create_kek, read_kek},
};
use claviger_store::{KeySnapshot, Store};
use migrations::Migrator;

const POINTS: [&str; 5] = [
    "rewrap.before_load",
    "rewrap.before_write",
    "rewrap.after_first_key",
    "rewrap.before_commit",
    "rewrap.after_commit",
];

/// An issuer with two key-encryption keys, of which either may be the current one.
struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap() };
        home.claviger(&["init"], None);
        create_kek(&home.path().join("other")).unwrap();
        home.claviger(&["keys", "rotate"], None);
        home
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("issuer")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.arg("--data-dir").arg(self.path()).args(arguments);
        command
    }

    fn claviger(&self, arguments: &[&str], failpoint: Option<&str>) -> Output {
        let mut command = self.command(arguments);
        if let Some(name) = failpoint {
            command.env("CLAVIGER_FAILPOINT", name);
        }
        command.output().unwrap()
    }

    /// Makes one of the two files the current key and the other the previous one.
    fn make_current(&self, current: &str, previous: &str) {
        let file = self.path().join("claviger.toml");
        let text = fs::read_to_string(&file).unwrap();
        let others =
            text.lines().filter(|line| !line.contains("key_encryption_key")).collect::<Vec<_>>().join("\n");
        let keys =
            format!("key_encryption_key = {current:?}\nprevious_key_encryption_keys = [{previous:?}]\n");
        fs::write(&file, keys + &others).unwrap();
    }

    fn stale_rows(&self) -> String {
        let output = self.claviger(&["keys", "rewrap", "--dry-run"], None);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn snapshot(&self) -> KeySnapshot {
        let config = Config::load(&self.path(), |_| None).unwrap();
        let store = Store::open_existing::<Migrator>(&config.database).await.unwrap();
        let snapshot = store.load_keys().await.unwrap();
        store.close().await.unwrap();
        snapshot
    }

    /// Every row opens with one of the two, and an issuer with both signs with every algorithm.
    async fn check(&self) -> KeySnapshot {
        let config = Config::load(&self.path(), |_| None).unwrap();
        let snapshot = self.snapshot().await;
        let opened = Vault::unlock(&config).await.unwrap().open(&snapshot, &[]);
        assert!(
            opened.unvouched.is_empty() && opened.verify_only.is_none() && snapshot.unreadable.is_empty()
        );
        assert_eq!((opened.keyring.keys().len(), opened.signers.len()), (snapshot.keys.len(), 2));
        opened.signers.iter().for_each(|key| key.test().unwrap());
        snapshot
    }
}

fn id(path: &Path) -> String {
    read_kek(&SecretSource::File(path.to_owned())).unwrap().id().to_owned()
}

/// Dies at a point with a name, or whenever it is hit.
async fn die(home: &Home, round: usize) {
    // Each fourth is killed from outside, after 5, 25, 45 ... ms.
    if round % 4 == 3 {
        let mut child = home.command(&["keys", "rewrap"]).stdout(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(5 + 5 * u64::try_from(round).unwrap())).await;
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    let point = POINTS[(round * 7 + round / 4) % POINTS.len()];
    let output = home.claviger(&["keys", "rewrap"], Some(point));
    assert!(output.status.signal().is_some(), "{point}: {output:?}");
}

// S-50
#[tokio::test]
async fn a_change_of_the_key_encryption_key_survives_being_killed_at_any_point() {
    let home = Home::new();
    let before = home.check().await;
    let gone = before.keys[0].jwk.kid().to_string();
    home.claviger(&["keys", "revoke", &gone, "--yes"], None);
    let rows = home.check().await.keys.len();
    let files = ["kek", "other"];
    let mut current = 1;
    home.make_current(files[current], files[1 - current]);
    assert_eq!(home.stale_rows(), format!("stale_rows={rows}"), "tombstones too");
    for round in 0..20 {
        die(&home, round).await;
        home.check().await;
        if home.stale_rows() == "stale_rows=0" {
            // On to the next change, or the later ones would die of nothing.
            current = 1 - current;
            home.make_current(files[current], files[1 - current]);
        }
    }
    let output = home.claviger(&["keys", "rewrap"], None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(home.stale_rows(), "stale_rows=0");
    let after = home.check().await;
    let now = id(&home.path().join(files[current]));
    assert!(after.keys.iter().all(|row| row.kek_id == now), "the other one can go");
    for row in after.keys.iter().filter(|row| row.sealed.is_some()) {
        let same = before.keys.iter().find(|other| other.jwk == row.jwk);
        assert!(same.is_none_or(|same| same.created_at == row.created_at), "the keys are the same");
    }
    let tombstone = after.keys.iter().find(|row| row.jwk.kid().as_str() == gone).unwrap();
    assert!(tombstone.sealed.is_none(), "what is gone stays gone");
    let log = home.claviger(&["audit", "verify"], None);
    assert!(log.status.success(), "{log:?}");
}

// S-50
#[tokio::test]
async fn rows_under_an_unknown_key_are_named_and_left_alone() {
    let home = Home::new();
    home.make_current("other", "kek");
    let file = home.path().join("claviger.toml");
    let text = fs::read_to_string(&file).unwrap().replace("[\"kek\"]", "[]");
    fs::write(&file, text).unwrap();
    let output = home.claviger(&["keys", "rewrap"], None);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not among previous_key_encryption_keys"), "{said}");
    home.make_current("kek", "other");
    home.check().await;
}
