//! The crate graph is the trust graph (README, "The map"): its arrows, and what is absent.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// "May depend on", directly or through another. Nothing else is allowed.
const ARROWS: &[(&str, &[&str])] = &[
    ("claviger-jose", &[]),
    ("claviger-oauth", &["claviger-jose"]),
    ("claviger-keyring", &["claviger-jose"]),
    ("claviger-jwks-client", &["claviger-jose"]),
    ("claviger-verifier", &["claviger-jwks-client", "claviger-oauth", "claviger-jose"]),
    ("claviger-token-source", &["claviger-oauth"]),
    ("claviger-store", &["claviger-keyring", "claviger-oauth", "migrations"]),
    ("claviger-testkit", &["claviger-keyring", "claviger-oauth", "claviger-jose"]),
    ("claviger-issuer", &["claviger-store", "migrations", "claviger-verifier"]),
    ("orders", &["claviger-verifier", "claviger-token-source"]),
    ("ledger", &["claviger-verifier"]),
    ("migrations", &[]),
    ("xtask", &["claviger-store", "claviger-keyring", "migrations"]),
];

/// Packages whose presence anywhere else would be a secret or a decision in the wrong room.
const KNOWN_ONLY_BY: &[(&str, &[&str])] = &[
    ("sea-orm", &["claviger-store", "migrations"]),
    ("sea-orm-migration", &["claviger-store", "migrations"]),
    ("sqlx", &["claviger-store", "migrations"]),
    ("jsonwebtoken", &["claviger-jose", "claviger-keyring"]),
    ("rsa", &["claviger-keyring"]),
    ("p256", &["claviger-keyring"]),
];

/// Pure crates: nothing in their dependencies can do I/O.
const PURE: &[&str] = &["claviger-jose", "claviger-oauth", "claviger-keyring"];
const IO: &[&str] = &["tokio", "reqwest", "hyper", "axum", "sea-orm", "moka", "rustix"];

/// Direct dependencies of each member, without those for tests alone.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo tells its metadata");
    let normal = |package: &cargo_metadata::Package| {
        let kinds =
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        kinds.map(|dependency| dependency.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

fn reachable(from: &str, arrows: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for next in arrows.get(name).into_iter().flatten() {
            if found.insert((*next).to_owned()) {
                open.push(next);
            }
        }
    }
    found
}

#[test]
fn only_the_arrows_of_the_map_exist() {
    let dependencies = dependencies();
    let arrows: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    for (member, uses) in &dependencies {
        let Some(_) = arrows.get(member.as_str()) else {
            assert_eq!(member, "e2e", "{member} is not on the map");
            continue;
        };
        let allowed = reachable(member, &arrows);
        for used in uses.iter().filter(|used| dependencies.contains_key(*used)) {
            assert!(allowed.contains(used), "{member} must not depend on {used}");
        }
    }
    assert_eq!(dependencies.len(), ARROWS.len() + 1, "a package of the map is missing");
}

#[test]
fn no_resource_service_can_name_a_private_key_or_a_database() {
    let dependencies = dependencies();
    let graph: BTreeMap<&str, BTreeSet<&str>> = dependencies
        .iter()
        .map(|(member, uses)| (member.as_str(), uses.iter().map(String::as_str).collect()))
        .collect();
    for service in ["orders", "ledger", "claviger-verifier", "claviger-jwks-client", "claviger-token-source"]
    {
        let found = reachable(service, &graph);
        for forbidden in
            ["claviger-keyring", "claviger-store", "claviger-issuer", "migrations", "jsonwebtoken"]
        {
            assert!(!found.contains(forbidden), "there is a path from {service} to {forbidden}");
        }
    }
}

#[test]
fn some_libraries_are_known_in_one_room_only() {
    for (member, uses) in dependencies() {
        for (library, rooms) in KNOWN_ONLY_BY {
            assert!(!uses.contains(*library) || rooms.contains(&member.as_str()), "{member} knows {library}");
        }
    }
}

#[test]
fn the_pure_crates_have_nothing_to_do_io_with() {
    let dependencies = dependencies();
    for member in PURE {
        for library in IO {
            assert!(!dependencies[*member].contains(*library), "{member} is pure but knows {library}");
        }
    }
}

/// With it, principals that nobody has verified could be made in a service.
#[test]
fn only_tests_make_principals_that_nobody_has_verified() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo tells its metadata");
    let mut asked = 0;
    for package in &metadata.packages {
        let uses = package.dependencies.iter().filter(|dependency| dependency.name == "claviger-verifier");
        for dependency in uses.filter(|dependency| dependency.kind != DependencyKind::Development) {
            asked += 1;
            let enabled = dependency.features.iter().any(|feature| feature == "test-util");
            assert!(!enabled, "{} depends on claviger-verifier with test-util", package.name);
        }
        // A feature of its own could enable it as well, here or in the verifier's own defaults.
        let is_its_own = package.name.as_str() == "claviger-verifier";
        for (feature, enables) in &package.features {
            let hidden = enables
                .iter()
                .find(|enabled| enabled.ends_with("/test-util") || (is_its_own && *enabled == "test-util"));
            assert_eq!(hidden, None, "the feature {feature} of {} enables test-util", package.name);
        }
    }
    assert!(asked >= 2, "the services depend on claviger-verifier");
}
