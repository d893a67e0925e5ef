//! Versions below these have known holes; the lock file must not bring them back.

use std::{collections::BTreeMap, fs};

const FLOORS: &[(&str, [u64; 3])] = &[
    ("aws-lc-sys", [0, 39, 0]),
    ("bytes", [1, 11, 1]),
    ("h2", [0, 4, 16]),
    ("idna", [1, 0, 0]),
    ("jsonwebtoken", [10, 3, 0]),
    ("libsqlite3-sys", [0, 37, 0]), // bundles SQLite 3.51.3, without the WAL-reset bug
    ("ring", [0, 17, 12]),
    ("rustls", [0, 23, 18]),
    ("rustls-webpki", [0, 103, 13]),
    ("sqlx", [0, 8, 1]),
    ("time", [0, 3, 47]),
    ("tokio", [1, 44, 2]),
    ("tracing-subscriber", [0, 3, 20]),
];

const BANNED: &[&str] = &["openssl", "native-tls", "serde_yml"];

fn locked() -> BTreeMap<String, Vec<[u64; 3]>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"))
        .expect("Cargo.lock is committed");
    let value = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let mut packages: BTreeMap<String, Vec<[u64; 3]>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if line.starts_with("name = ") {
            name = value(line);
        } else if line.starts_with("version = ") && !name.is_empty() {
            let version = value(line);
            let mut numbers = version.split(['.', '-', '+']).map_while(|number| number.parse().ok());
            let version = [(); 3].map(|()| numbers.next().unwrap_or(0));
            packages.entry(std::mem::take(&mut name)).or_default().push(version);
        }
    }
    packages
}

// S-115 S-106
#[test]
fn no_package_is_below_its_floor_or_banned() {
    let locked = locked();
    assert!(locked.len() > 100, "the lock file was read");
    for (name, floor) in FLOORS {
        for version in locked.get(*name).into_iter().flatten() {
            assert!(version >= floor, "{name} {version:?} is below {floor:?}");
        }
    }
    for name in BANNED {
        assert!(!locked.contains_key(*name), "{name} is banned");
    }
    assert!(locked.contains_key("libsqlite3-sys"), "the floor of SQLite is about a package that is there");
}
