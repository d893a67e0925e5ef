use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::run::root;

/// The items of the security checklist whose areas exist, with what each is about.
const ITEMS: &[(u16, &str)] = &[
    (1, "algorithm fixed by the key"),
    (2, "crit is refused"),
    (3, "keys in the header are refused"),
    (4, "explicit typ"),
    (5, "issuer, byte for byte"),
    (6, "audience required and exact"),
    (7, "claims typed, names unique"),
    (8, "times"),
    (9, "strict base64url and compact form"),
    (10, "ECDSA signature form"),
    (11, "malleability does not defeat revocation"),
    (12, "caps before parsing"),
    (13, "nothing unverified is used"),
    (14, "scope is a typed step"),
    (15, "a service is never a person"),
    (16, "sender constraints honoured"),
    (17, "DPoP"),
    (18, "verified-token cache"),
    (19, "no panic on any input"),
    (20, "constant-time comparison"),
    (21, "a key set is replaced"),
    (22, "two horizons, then 503"),
    (23, "unknown-kid bucket"),
    (24, "guarded transport"),
    (25, "Cache-Control clamped"),
    (26, "key acceptance"),
    (27, "an empty set replaces nothing"),
    (28, "disk copy"),
    (29, "start while the issuer is away"),
    (30, "monotonic freshness"),
    (31, "key states, forward only"),
    (32, "one active key"),
    (33, "publish ahead"),
    (34, "tail before removal"),
    (35, "signing lease"),
    (36, "no activation before every replica publishes the key"),
    (37, "the published set"),
    (38, "kid unique for ever"),
    (39, "key generation and self-test"),
    (40, "one replica takes due steps"),
    (41, "a key's time to sign"),
    (42, "emergency"),
    (43, "revocation feed"),
    (44, "the latest not-before holds"),
    (45, "revoke everything"),
    (46, "metrics and alerts"),
    (47, "envelope"),
    (48, "key-encryption key sources"),
    (49, "wrong key-encryption key: verify-only"),
    (50, "re-wrapping"),
    (51, "key bytes in memory"),
    (52, "no private key leaves"),
    (53, "key states under a seal"),
    (54, "keys kept elsewhere"),
    (55, "client assertions"),
    (56, "client secrets"),
    (57, "one authentication method"),
    (59, "key sets that clients publish"),
    (60, "grants by allowlist"),
    (61, "code flow only"),
    (62, "PKCE"),
    (63, "redirect URIs"),
    (64, "never redirected to who is not proven"),
    (65, "metadata from the configuration"),
    (66, "authorization codes"),
    (67, "pushed requests"),
    (68, "token endpoint parameters"),
    (69, "no-store"),
    (70, "consent"),
    (71, "refresh tokens are opaque"),
    (72, "refresh tokens are bound"),
    (73, "rotation is one transaction"),
    (74, "a retry has the same child"),
    (75, "reuse ends the family"),
    (76, "each refresh asks anew"),
    (77, "scope only narrows, families end"),
    (78, "storage failure is 503"),
    (79, "kills at any point of a rotation"),
    (80, "a restore revives nothing"),
    (81, "revocation endpoint"),
    (82, "introspection endpoint"),
    (83, "signing out everywhere"),
    (84, "back-channel log-out"),
    (85, "the feed is bounded"),
    (87, "rules for passwords"),
    (88, "hashing is bounded"),
    (89, "the same work and answer for all"),
    (90, "guesses are counted first"),
    (92, "one-time links"),
    (93, "first administrator"),
    (94, "session cookies"),
    (95, "cross-site requests"),
    (96, "content security policy"),
    (97, "log-out"),
    (98, "admin API"),
    (99, "optimistic concurrency"),
    (100, "audit log"),
    (102, "connection limits"),
    (103, "redaction"),
    (104, "TLS and forwarded headers"),
    (105, "constant errors"),
    (106, "SQLite settings"),
    (107, "second process on one file"),
    (108, "PostgreSQL settings"),
    (109, "database time"),
    (110, "bounded pools"),
    (111, "graceful stop"),
    (112, "start-up order"),
    (113, "migrations"),
    (114, "backup"),
    (115, "dependency floors and bans"),
    (118, "drill"),
];

/// Prints the table: item, what it is about, the tests that name it.
pub(crate) fn print() -> anyhow::Result<()> {
    let mut tests: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for path in rust_files(&root())? {
        for (item, test) in named_items(&fs::read_to_string(&path)?) {
            tests.entry(item).or_default().push(test);
        }
    }
    println!("| item | about | tests |\n|---|---|---|");
    let mut covered = 0;
    for (item, about) in ITEMS {
        let names = tests.get(item).map_or_else(|| "none".to_owned(), |names| names.join(", "));
        covered += usize::from(tests.contains_key(item));
        println!("| S-{item} | {about} | {names} |");
    }
    println!("\n{covered} of {} items are named by a test", ITEMS.len());
    Ok(())
}

fn rust_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Items named in a comment `// S-5 S-6` above a test, with the test's name.
fn named_items(text: &str) -> Vec<(u16, String)> {
    let mut found = Vec::new();
    let mut waiting: Vec<u16> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("// S-") {
            let words = comment.split([' ', ',']).map(|word| word.trim_start_matches("S-"));
            waiting.extend(words.map_while(|number| number.parse::<u16>().ok()));
        } else if let Some(rest) = line.split("fn ").nth(1) {
            let name = rest.split('(').next().unwrap_or_default();
            found.extend(waiting.drain(..).map(|item| (item, format!("`{name}`"))));
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            waiting.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_belongs_to_the_test_below_it() {
        let text = "// S-5 S-6\n#[test]\nfn a() {}\n// S-7\nlet x = 1;\nfn b() {}\n// S-8: why\n#[tokio::test]\nasync fn c() {}";
        let found = named_items(text);
        assert_eq!(found, [(5, "`a`".to_owned()), (6, "`a`".to_owned())]);
        assert_eq!(named_items("// S-8\n#[tokio::test]\nasync fn c() {}"), [(8, "`c`".to_owned())]);
    }
}
