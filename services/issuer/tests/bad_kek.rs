//! What stands in the way of the keys is said in words, and nothing listens.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A data directory that serves, with one line of its settings replaced.
struct Home {
    directory: tempfile::TempDir,
    settings: String,
}

/// What became of `claviger serve`.
#[derive(Debug)]
enum Served {
    Listening,
    Refused(String),
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("issuer");
        let made = claviger(&path).args(["init", "--listen", "127.0.0.1:0"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let settings = fs::read_to_string(path.join("claviger.toml")).unwrap();
        Self { directory, settings }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("issuer")
    }

    fn secret(&self, name: &str, text: &str, mode: u32) {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    fn serve(&self, keys: &str) -> Served {
        let others: Vec<&str> = self.settings.lines().filter(|line| !line.starts_with("key_encr")).collect();
        fs::write(self.path().join("claviger.toml"), format!("{keys}\n{}", others.join("\n"))).unwrap();
        let mut command = claviger(&self.path());
        command.arg("serve").env("WEAK_KEK", "c2hvcnQ").env("GOOD_KEK", self.kek());
        command.env("CLAVIGER_ADMIN_LISTEN", "127.0.0.1:0");
        served(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn kek(&self) -> String {
        fs::read_to_string(self.path().join("kek")).unwrap().trim().to_owned()
    }
}

fn claviger(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.arg("--data-dir").arg(path);
    command
}

/// Waits until the process listens, or has ended.
fn served(mut child: Child) -> Served {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line.starts_with("listening on http://127.0.0.1:") {
        child.kill().unwrap();
        child.wait().unwrap();
        return Served::Listening;
    }
    assert_eq!(line, "");
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    Served::Refused(String::from_utf8(output.stderr).unwrap())
}

// S-48 S-112
#[test]
fn with_a_bad_key_encryption_key_nothing_listens_and_one_line_says_why() {
    let home = Home::new();
    let kek = home.kek();
    home.secret("open", &kek, 0o644);
    home.secret("short", "c2hvcnQ", 0o600);
    home.secret("zero", &"A".repeat(43), 0o600);
    home.secret("garbage", "not base64url!", 0o600);
    home.secret("empty", "", 0o600);
    let cases = [
        ("key_encryption_key = 'none'", "none: No such file"),
        ("key_encryption_key = 'open'", "open: it can be read by others"),
        ("key_encryption_key = 'short'", "short: a key-encryption key has 32 bytes, this one has 5"),
        ("key_encryption_key = 'zero'", "zero: this key-encryption key is a pattern"),
        ("key_encryption_key = 'garbage'", "garbage: 32 bytes in base64url are expected"),
        ("key_encryption_key = 'empty'", "empty: it is empty"),
        ("key_encryption_key = '.'", "it is no file"),
        ("", "`key_encryption_key` is missing"),
        ("key_encryption_key = { env = 'GOOD_KEK' }", "say `allow_environment = true`"),
        ("key_encryption_key = { env = 'NO_KEK', allow_environment = true }", "NO_KEK: it is not set"),
        (
            "key_encryption_key = { env = 'WEAK_KEK', allow_environment = true }",
            "WEAK_KEK: a key-encryption key has",
        ),
        ("key_encryption_key = { command = ['/nowhere/vault'] }", "/nowhere/vault: No such file"),
        (
            "key_encryption_key = { command = ['/bin/sh', '-c', 'echo sealed >&2; exit 2'] }",
            "exit status: 2: sealed",
        ),
        ("key_encryption_key = { command = ['/bin/echo', 'c2hvcnQ'] }", "has 32 bytes, this one has 5"),
        ("key_encryption_key = { command = ['/bin/cat', '/dev/zero'] }", "longer than 1024 bytes"),
        (
            "key_encryption_key = 'kek'\nprevious_key_encryption_keys = ['kek', 'short']",
            "short: a key-encryption key has",
        ),
        ("key_encryption_key = 'kek'\nkeys.provider = 'pkcs11'", "`keys.pkcs11` is missing"),
    ];
    for (keys, expected) in cases {
        let started = Instant::now();
        let served = home.serve(keys);
        assert!(started.elapsed() < Duration::from_secs(30), "{keys}");
        let Served::Refused(why) = served else { panic!("{keys}: {served:?}") };
        assert!(why.contains(expected), "{keys}: {why}");
        assert!(why.lines().count() <= 2 && !why.contains(&kek), "{keys}: {why}");
    }
    // The key itself in the place of its path is not repeated.
    let Served::Refused(why) = home.serve(&format!("key_encryption_key = '{kek}'")) else {
        panic!("it serves")
    };
    assert!(why.contains("the path of a file, not the key itself") && !why.contains(&kek), "{why}");
}

// S-48
#[test]
fn a_key_encryption_key_from_each_of_its_sources_opens_the_keys() {
    let home = Home::new();
    let kek = home.path().join("kek").display().to_string();
    for keys in [
        "key_encryption_key = 'kek'".to_owned(),
        "key_encryption_key = { file = 'kek' }".to_owned(),
        format!("key_encryption_key = {{ command = ['/bin/cat', '{kek}'] }}"),
        "key_encryption_key = { env = 'GOOD_KEK', allow_environment = true }".to_owned(),
    ] {
        let served = home.serve(&keys);
        assert!(matches!(served, Served::Listening), "{keys}: {served:?}");
    }
}
