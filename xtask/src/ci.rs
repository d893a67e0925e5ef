use std::process::Stdio;

use anyhow::ensure;

use crate::run::{cargo, command, run};

/// Every adapter of the verifier, and an issuer that can be killed at each step of a rotation.
const ALL: &str = "--all-features";

/// Builds what the stories start, then runs every test.
pub(crate) fn test(filter: &[&str]) -> anyhow::Result<()> {
    build("debug")?;
    cargo(&[&["test", "--workspace", ALL], filter].concat())
}

/// Runs the stories alone, those that are the same on each database on this one.
pub(crate) fn e2e(filter: Option<&str>, database: &str) -> anyhow::Result<()> {
    build("debug")?;
    let stories = ["test", "--workspace", ALL, "--test", "stories", "--"];
    let filter: Vec<&str> = filter.into_iter().collect();
    let listed = command(env!("CARGO"), &[&stories[..], &["--list"], &filter[..]].concat())
        .stderr(Stdio::inherit())
        .output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    ensure!(
        listed.lines().any(|line| line.ends_with(": test")),
        "no story has {} in its name",
        filter.concat()
    );
    run(command(env!("CARGO"), &[&stories[..], &filter[..]].concat()).env("CLAVIGER_E2E_DATABASE", database))
}

/// The programs that the stories start.
pub(crate) fn build(profile: &str) -> anyhow::Result<()> {
    let optimised: &[&str] = if profile == "release" { &["--release"] } else { &[] };
    cargo(&[&["build", "--workspace", "--bins", ALL], optimised].concat())
}

/// Everything that a change must pass.
pub(crate) fn all() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", ALL, "--", "--deny", "warnings"])?;
    run(command(env!("CARGO"), &["doc", "--workspace", "--no-deps", ALL])
        .env("RUSTDOCFLAGS", "--deny warnings"))?;
    cargo(&["deny", "--workspace", "check", "bans", "licenses", "sources"])?;
    test(&[])
}
