use std::path::{Path, PathBuf};

use e2e::{Database, Fleet, LEDGER, ORDERS, run};
use tokio::process::Command;

/// Where `.ci/run` puts the foreign clients: a Python environment with `PyJWT`, node modules with
/// `jose`.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop")
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(name)
}

/// What is not there is skipped with a reason, and in CI it is a failure.
pub(crate) fn found(path: PathBuf, what: &str) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "{what} is not installed");
    println!("SKIPPED: {what} is not installed in target/interop; `.ci/run` installs it");
    None
}

/// Tokens of both algorithms are accepted by a foreign verifier, and a forged one is not.
async fn check(fleet: &Fleet, verify: impl Fn() -> Command) -> anyhow::Result<()> {
    let jwks = format!("{}/.well-known/jwks.json", fleet.home.url());
    for audience in [ORDERS, LEDGER] {
        let token = fleet.token("batch", audience).await?;
        let mut command = verify();
        command.args([&jwks, fleet.home.url(), audience, &token]);
        let output = run(command).await?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "client:batch");

        let mut command = verify();
        let forged = format!("{}A", &token[..token.len() - 1]);
        let other = if forged == token { format!("{}Q", &token[..token.len() - 1]) } else { forged };
        let tampered = other.replacen("eyJpc3Mi", "eyJpc3Mj", 1);
        command.args([&jwks, fleet.home.url(), audience, &tampered]);
        assert!(!run(command).await?.status.success(), "a forged token for {audience}");
    }
    Ok(())
}

#[tokio::test]
async fn pyjwt_verifies_our_tokens_from_our_key_set() -> anyhow::Result<()> {
    let Some(python) = found(installed().join("venv/bin/python"), "PyJWT") else { return Ok(()) };
    let fleet = Fleet::start(&Database::of_run(), &[("SERVER_DRAIN_DELAY", "0s")]).await?;
    check(&fleet, || {
        let mut command = Command::new(&python);
        command.arg(script("verify.py"));
        command
    })
    .await
}

#[tokio::test]
async fn node_jose_verifies_our_tokens_from_our_key_set() -> anyhow::Result<()> {
    let Some(_) = found(installed().join("node_modules/jose"), "the node package jose") else {
        return Ok(());
    };
    let fleet = Fleet::start(&Database::of_run(), &[("SERVER_DRAIN_DELAY", "0s")]).await?;
    check(&fleet, || {
        let mut command = Command::new("node");
        command.arg(script("verify.mjs")).arg(installed());
        command
    })
    .await
}
