use crate::run::{cargo, command, run};

/// The issuer of the tests can be killed at each step of a rotation.
const FAILPOINTS: &str = "claviger-issuer/failpoints";

/// Builds what the stories start, then runs every test.
pub(crate) fn test(filter: &[&str]) -> anyhow::Result<()> {
    cargo(&["build", "--workspace", "--bins", "--features", FAILPOINTS])?;
    cargo(&[&["test", "--workspace", "--features", FAILPOINTS], filter].concat())
}

/// Runs the stories alone.
pub(crate) fn e2e(filter: Option<&str>) -> anyhow::Result<()> {
    cargo(&["build", "--workspace", "--bins", "--features", FAILPOINTS])?;
    let filter = filter.map(|filter| ["--", filter]);
    let filter = filter.as_ref().map_or(&[][..], |words| &words[..]);
    cargo(
        &[
            &["test", "-p", "e2e", "-p", "claviger-issuer", "--features", FAILPOINTS, "--test", "stories"],
            filter,
        ]
        .concat(),
    )
}

/// Everything that a change must pass.
pub(crate) fn all() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--features", FAILPOINTS, "--", "--deny", "warnings"])?;
    run(command(env!("CARGO"), &["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    cargo(&["deny", "--workspace", "check", "bans", "licenses", "sources"])?;
    test(&[])
}
