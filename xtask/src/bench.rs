use anyhow::bail;

use crate::run::{cargo, command, run as run_command, run_binary, target};

/// The filter that stands for the comparison with other crates.
const VERIFIER: &str = "verifier";
const PEERS: &str = "tests/peers/Cargo.toml";

/// Builds what is measured, and measures it.
pub(crate) fn run(runs: usize, filter: Option<&str>, row: Option<&str>) -> anyhow::Result<()> {
    let runs = format!("--runs={runs}");
    let with = |filter| [Some(runs.as_str()), filter].into_iter().flatten().collect::<Vec<_>>();
    if filter == Some(VERIFIER) {
        build_peers()?;
        return run_binary("peers/release", "peers", &with(row));
    }
    if let Some(row) = row {
        bail!("`{row}` is one filter too many: rows of rows exist for `{VERIFIER}` only");
    }
    let packages = ["-p", "claviger-issuer", "-p", "orders", "-p", "ledger", "-p", "e2e"];
    cargo(&[&["build", "--release", "--bins"], &packages[..]].concat())?;
    run_binary("release", "bench", &with(filter))
}

/// The peers are a workspace of their own, with dependencies that ours forbids.
fn build_peers() -> anyhow::Result<()> {
    let mut arguments = vec!["build", "--release", "--bins", "--manifest-path", PEERS];
    if !has_openssl() {
        eprintln!("there are no headers of OpenSSL here: the rows of josekit will say SKIPPED");
        arguments.push("--no-default-features");
    }
    run_command(command(env!("CARGO"), &arguments).env("CARGO_TARGET_DIR", target().join("peers")))
}

/// Whether josekit could be built.
fn has_openssl() -> bool {
    std::env::var_os("OPENSSL_DIR").is_some()
        || command("pkg-config", &["--exists", "openssl"]).status().is_ok_and(|status| status.success())
}
