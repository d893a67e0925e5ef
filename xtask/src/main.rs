//! The project's own commands: `cargo xtask help` lists them.
//!
//! Everything that is heavy stands in the packages that it belongs to; this one builds them, in sight, and
//! starts them.

mod bench;
mod ci;
mod coverage;
mod fuzz;
mod mutants;
mod run;
mod simulate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::run::{cargo, run_binary};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start an issuer and two services on loopback, show a token's way, a forgery and a
    /// rotation, and go on until Ctrl-C.
    Demo {
        /// End after the narrated run.
        #[arg(long)]
        once: bool,
    },
    /// Run all tests: units and end-to-end stories.
    Test,
    /// Run the end-to-end stories, or those whose name contains the filter.
    E2e {
        /// A part of a story's name.
        filter: Option<String>,
    },
    /// Look at the signing keys of an issuer.
    Keys {
        #[command(subcommand)]
        command: Keys,
        #[command(flatten)]
        issuer: DataDir,
    },
    /// Take the rotation steps that are due; with `--now`, rotate ahead of the period.
    RotateKeys {
        /// Only this algorithm: RS256 or ES256.
        #[arg(long, requires = "now")]
        alg: Option<String>,
        /// Rotate now, although the period is not over. The lead holds all the same.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        issuer: DataDir,
    },
    /// Measure, in a release build: a table of ratios, each against a peer in the same run.
    Bench {
        /// Runs of each row; the table shows their median and spread.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Only the rows whose name contains this; `verifier`: our verification beside other crates.
        filter: Option<String>,
        /// Of the rows of `verifier`, only those whose name contains this.
        #[arg(requires = "filter")]
        row: Option<String>,
    },
    /// Run the fuzz targets, or one of them, one after the other.
    Fuzz {
        /// Only this target; a wrong name lists them.
        target: Option<String>,
        /// How long each runs.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Change the code of jose, jwks-client and verifier in small ways and see whether a test fails.
    Mutants {
        /// How many changes are drawn at random.
        #[arg(long, default_value_t = 200)]
        sample: usize,
        /// The same seed draws the same changes of the same code.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only this one of the crates.
        #[arg(long, short)]
        package: Option<String>,
    },
    /// Let a fleet live for a year under a virtual clock, and check its invariants at every event.
    Simulate(simulate::Simulate),
    /// Print which items of the security checklist are covered by which tests.
    Coverage,
    /// Everything that a change must pass: format, lints, documentation, dependencies, tests.
    Ci,
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Show every key, its state and age, and the next step.
    List,
}

#[derive(Debug, Args)]
struct DataDir {
    /// The issuer's data directory; `cargo xtask demo` prints the one of a running demo.
    #[arg(long, short = 'd', global = true, env = "CLAVIGER_DATA_DIR", default_value = "claviger-data")]
    data_dir: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Demo { once } => {
            cargo(&[
                "build",
                "-p",
                "claviger-issuer",
                "-p",
                "orders",
                "-p",
                "ledger",
                "-p",
                "e2e",
                "--bins",
            ])?;
            run_binary("debug", "demo", if once { &["--once"] } else { &[] })
        }
        Command::Test => ci::test(&[]),
        Command::E2e { filter } => ci::e2e(filter.as_deref()),
        Command::Keys { command: Keys::List, issuer } => claviger(&issuer, &["keys", "list"]),
        Command::RotateKeys { alg, now, issuer } => {
            let mut arguments = vec!["keys", "rotate"];
            arguments.extend(now.then_some("--now"));
            arguments.extend(alg.iter().flat_map(|alg| ["--alg", alg]));
            claviger(&issuer, &arguments)
        }
        Command::Fuzz { target, minutes } => fuzz::run(target.as_deref(), minutes),
        Command::Mutants { sample, seed, package } => mutants::run(sample, seed, package.as_deref()),
        Command::Bench { runs, filter, row } => bench::run(runs, filter.as_deref(), row.as_deref()),
        Command::Simulate(simulate) => simulate.run(),
        Command::Coverage => coverage::print(),
        Command::Ci => ci::all(),
    }
}

fn claviger(issuer: &DataDir, arguments: &[&str]) -> anyhow::Result<()> {
    cargo(&["build", "--quiet", "-p", "claviger-issuer"])?;
    let data_dir = issuer.data_dir.to_string_lossy();
    run_binary("debug", "claviger", &[&["--data-dir", &*data_dir], arguments].concat())
}
