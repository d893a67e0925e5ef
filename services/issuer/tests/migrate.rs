//! An audience goes from one algorithm to another.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const FLEET: &str = r#"
[[team]]
name = "store"

[[resource_server]]
audience = "https://orders.example.test"
team = "store"
algorithm = "RS256"
scopes = ["orders:read"]
"#;

fn claviger(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.arg("--data-dir").arg(directory.join("issuer")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_audience_of_which_nobody_is_known_goes_only_by_force_and_the_log_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| claviger(directory.path(), arguments);
    let fleet = directory.path().join("fleet.toml");
    fs::write(&fleet, FLEET).unwrap();
    let fleet = fleet.to_str().unwrap();
    for arguments in [&["init"][..], &["keys", "rotate"], &["apply", fleet]] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
    let to_es256 = ["keys", "migrate", "--audience", "https://orders.example.test", "--to", "ES256"];
    let refused = run(&to_es256);
    assert!(
        !refused.status.success() && said(&refused).contains("no verifier of the audience"),
        "{}",
        said(&refused)
    );
    let unknown = run(&["keys", "migrate", "--audience", "https://other.example.test", "--to", "ES256"]);
    assert!(said(&unknown).contains("there is no resource server"), "{}", said(&unknown));

    let forced = run(&[&to_es256[..], &["--force"]].concat());
    assert!(forced.status.success(), "{}", said(&forced));
    assert!(said(&run(&to_es256)).contains("signed with ES256 already"));
    let undone = said(&run(&["apply", fleet, "--dry-run"]));
    assert!(undone.contains("https://orders.example.test"), "the fleet file would undo it: {undone}");
    let log = said(&run(&["audit", "tail"]));
    assert!(log.contains("registry.migrate") && log.contains("keys.refused"), "{log}");
}
