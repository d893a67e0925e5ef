use crate::run::{cargo, command, run};

/// Every adapter of the verifier, and an issuer that can be killed at each step of a rotation.
const ALL: &str = "--all-features";

/// Builds what the stories start, then runs every test.
pub(crate) fn test(filter: &[&str]) -> anyhow::Result<()> {
    build()?;
    cargo(&[&["test", "--workspace", ALL], filter].concat())
}

/// Runs the stories alone, those that are the same on each database on this one.
pub(crate) fn e2e(filter: Option<&str>, database: &str) -> anyhow::Result<()> {
    build()?;
    let filter = filter.map(|filter| ["--", filter]);
    let filter = filter.as_ref().map_or(&[][..], |words| &words[..]);
    let arguments = [&["test", "--workspace", ALL, "--test", "stories"], filter].concat();
    run(command(env!("CARGO"), &arguments).env("CLAVIGER_E2E_DATABASE", database))
}

/// The programs that the stories start.
pub(crate) fn build() -> anyhow::Result<()> {
    cargo(&["build", "--workspace", "--bins", ALL])
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
