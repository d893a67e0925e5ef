use std::{io::Write, process::Stdio};

use crate::{
    fixture::Intruder,
    home::{Home, err},
};

const FLEET: &str = r#"
[[team]]
name = "shop"

[[resource_server]]
audience = "https://orders.example.test"
team = "shop"
algorithm = "ES256"
scopes = ["orders:read"]

[[client]]
id = "web"
team = "shop"
access = { "https://orders.example.test" = ["orders:read"] }
"#;

// S-100
#[tokio::test]
async fn the_log_is_verified_and_the_record_that_was_altered_is_named() {
    let home = Home::new();
    home.out(&["keys", "rotate"]);
    assert!(home.out(&["audit", "verify"]).contains("is whole: 4 records"));
    let intruder = Intruder::of(home.path().join("claviger.db")).await;
    intruder.execute("DROP TRIGGER audit_update").await;
    intruder.execute("UPDATE audit SET actor = 'operator:nobody' WHERE sequence = 3").await;
    let ran = home.run(&["audit", "verify"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(err(&ran).contains("broken at record 3") && err(&ran).lines().count() == 1, "{}", err(&ran));
}

// S-33
#[tokio::test]
async fn a_rotation_too_early_is_one_line_with_what_would_be_right() {
    let home = Home::new();
    home.out(&["keys", "rotate"]);
    for arguments in [&["keys", "rotate", "--now"][..], &["keys", "rotate", "--wait", "--timeout", "1m"]] {
        let text = err(&home.run(arguments));
        assert!(text.lines().count() == 1 && text.contains("no replica is ready"), "{text}");
        assert!(text.contains("--force"), "{text}");
    }
    let intruder = Intruder::of(home.path().join("claviger.db")).await;
    intruder.execute("INSERT INTO serving VALUES (1, unixepoch(), unixepoch())").await;
    for arguments in [&["keys", "rotate", "--now"][..], &["keys", "rotate", "--wait", "--timeout", "1m"]] {
        let ran = home.run(arguments);
        assert_eq!(ran.status.code(), Some(1));
        let text = err(&ran);
        assert!(text.lines().count() == 1 && text.contains("may sign from"), "{text}");
        assert!(text.contains("in 23h 59m") || text.contains("in 1day"), "{text}");
        assert!(home.log().lines().last().is_some_and(|line| line.contains("keys.refused")));
    }
    let waited = home.run(&["keys", "rotate", "--wait", "--timeout", "1m"]);
    assert!(err(&waited).contains("verifiers.foreign = true"), "it says why: {}", err(&waited));
    let forced = home.out(&["keys", "rotate", "--now", "--force", "--alg", "ES256"]);
    assert!(forced.contains("signs from now on") && forced.contains("expect rejects"), "{forced}");
}

// S-42 S-45
#[test]
fn a_revocation_tells_its_worst_case_and_all_of_it_only_after_yes() {
    let home = Home::new();
    home.out(&["keys", "rotate"]);
    let stolen = home.kid("ES256", "active");
    let next = home.kid("ES256", "prepared");
    let out = home.out(&["keys", "rotate", "--compromised", &stolen]);
    for words in [
        "is revoked",
        "nobody to follow",
        "5m 10s (C + 10 s)",
        "1day (M)",
        &format!("{next} signs from now on"),
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert!(!out.contains("expect rejects"), "every cache has the next key: {out}");

    let asked = home.run(&["keys", "revoke", "--all"]);
    assert!(!asked.status.success() && err(&asked).contains("--yes"), "{}", err(&asked));
    assert_eq!(home.kid("ES256", "active"), next);
    let out = home.out(&["keys", "revoke", "--all", "--yes"]);
    assert!(out.contains("at most 5m 30s (U + C)"), "{out}");
    assert_ne!(home.kid("ES256", "active"), next);
}

// S-100 S-103
#[test]
fn commands_on_the_registry_are_noted_without_their_secrets() {
    let home = Home::new();
    let file = home.path().join("fleet.toml");
    std::fs::write(&file, FLEET).expect("written");
    let applied = home.out(&["apply", &file.to_string_lossy()]);
    let rotated = home.out(&["clients", "rotate-secret", "web"]);
    let log = home.log();
    let secrets = [&applied, &rotated].map(|out| out.trim().rsplit(' ').next().expect("a secret").to_owned());
    for secret in secrets {
        assert!(secret.len() == 43 && !log.contains(&secret), "{secret}");
    }
    let records: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records[0]["act"], "registry.apply");
    assert_eq!(records[0]["detail"]["before"]["revision"], 0);
    assert_eq!(records[0]["detail"]["secrets_made_for"], serde_json::json!(["web"]));
    assert_eq!(
        (records[1]["act"].as_str(), records[1]["subject"].as_str()),
        (Some("client.secret"), Some("web"))
    );
    assert_eq!(records[1]["detail"]["after"].as_array().map(Vec::len), Some(2));
}

// S-100
#[test]
fn what_is_revoked_is_told_with_its_statement_and_noted() {
    let home = Home::new();
    for (what, value) in [("jti", "0198"), ("sid", "s1"), ("subject", "client:web"), ("client", "web")] {
        let out = home.out(&["revoke", what, value]);
        assert!(out.contains("of the feed") && out.contains("5m 30s (T + S)"), "{out}");
    }
    let ran = home.run(&["revoke", "all"]);
    assert!(!ran.status.success() && err(&ran).contains("--yes"));
    home.out(&["revoke", "all", "--yes"]);
    let log = home.log();
    for act in ["revoke.jti", "revoke.sid", "revoke.sub", "revoke.client", "revoke.all"] {
        assert!(log.contains(act), "{act}");
    }
    assert!(!log.contains("client:web"), "who was logged out is nobody's business");
}

#[test]
fn a_token_to_revoke_is_read_from_standard_input() {
    let home = Home::new();
    let payload = claviger_jose::base64url::encode(br#"{"jti":"0198","sub":"client:web"}"#);
    let mut command = home.command(&["revoke", "token"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    writeln!(child.stdin.take().expect("a pipe"), "e30.{payload}.AA").expect("written");
    let ran = child.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success() && out.contains("was not verified"), "{out}");
    assert!(home.log().contains("revoke.jti"));
}

#[test]
fn the_fleet_is_shown_to_people_and_to_machines() {
    let home = Home::new();
    home.out(&["keys", "rotate"]);
    let out = home.out(&["keys", "fleet"]);
    assert!(out.contains("no replica is running") && out.contains("no verifier has named itself"), "{out}");
    assert_eq!(home.json(&["keys", "fleet", "--json"])["replicas"], serde_json::json!([]));
}

// S-42
#[cfg(feature = "pkcs11")]
#[test]
fn keys_are_listed_and_die_while_the_module_that_keeps_some_is_away() {
    let home = Home::new();
    home.out(&["keys", "rotate"]);
    let (stolen, next) = (home.kid("ES256", "active"), home.kid("ES256", "prepared"));
    let file = home.path().join("claviger.toml");
    let mut text = std::fs::read_to_string(&file).expect("settings");
    text.push_str(PKCS11);
    std::fs::write(&file, text).expect("written");
    std::fs::copy(home.path().join("kek"), home.path().join("pin")).expect("a file that only we can read");
    let out = home.out(&["keys", "revoke", &stolen]);
    assert!(out.contains(&format!("{next} signs from now on")), "{out}");
    assert!(out.contains("not made yet"), "{out}");
    assert_eq!(home.kid("ES256", "active"), next);
}

#[cfg(feature = "pkcs11")]
const PKCS11: &str = r#"
[keys]
provider = "pkcs11"
[keys.pkcs11]
module = "/nowhere/module.so"
token = "claviger"
pin = { file = "pin" }
"#;
