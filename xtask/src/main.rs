//! The project's own commands: `cargo xtask help` lists them.
//!
//! Everything that is heavy stands in the packages that it belongs to; this one builds them, in sight, and
//! starts them.

mod bench;
mod chaos;
mod ci;
mod coverage;
mod drill;
mod fuzz;
mod mutants;
mod run;
mod simulate;

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
    /// Start an issuer and two services on loopback, show how a person signs in and out, a token's way, a forgery and a
    /// rotation, and go on until Ctrl-C.
    Demo {
        /// End after the narrated run.
        #[arg(long)]
        once: bool,
    },
    /// Run all tests: units and end-to-end stories.
    Test,
    /// Run the end-to-end stories, or those whose name contains the filter: at least one must.
    E2e {
        /// A part of a story's name.
        filter: Option<String>,
        /// Where the issuers of these stories keep what they know: `replicated` is PostgreSQL with three replicas.
        #[arg(long, default_value = "sqlite", value_parser = ["sqlite", "postgres", "replicated"])]
        database: String,
    },
    /// Look at the signing keys of an issuer and at the fleet that holds them, and change them: `claviger keys`, built
    /// from here. `cargo xtask keys --help` lists what there is: `list`, `fleet`, `rotate`, `revoke`, ...
    #[command(disable_help_flag = true)]
    Keys(Handed),
    /// Rotate the signing keys of an issuer: `claviger keys rotate`, built from here. `--now` rotates ahead of the
    /// period, `--wait` as soon as the whole fleet has learned the next key, `--compromised KID` is for a stolen key.
    #[command(disable_help_flag = true)]
    RotateKeys(Handed),
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
    /// Let everything go wrong that can, with three replicas, a database and services under load, and see what holds.
    Chaos {
        /// Only these scenarios: F1, F2, ...; a wrong name lists them.
        scenarios: Vec<String>,
        /// The same seed draws the same faults; by default a new one is drawn and printed.
        #[arg(long)]
        seed: Option<u64>,
        /// More rounds, longer faults, more services.
        #[arg(long)]
        long: bool,
    },
    /// Exercise the runbook for stolen keys, and print how long each step took.
    Drill {
        /// One issuer process on SQLite, not three on PostgreSQL.
        #[arg(long)]
        single: bool,
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

/// What is handed on as it is: the binary that gets it has the documentation, and the checks.
#[derive(Debug, Args)]
struct Handed {
    /// Arguments of `claviger`, such as `--data-dir`; `cargo xtask demo` prints the one of a running demo.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
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
        Command::E2e { filter, database } => ci::e2e(filter.as_deref(), &database),
        Command::Keys(handed) => claviger(&["keys"], &handed),
        Command::RotateKeys(handed) => claviger(&["keys", "rotate"], &handed),
        Command::Chaos { scenarios, seed, long } => chaos::run(&scenarios, seed, long),
        Command::Drill { single } => drill::run(single),
        Command::Fuzz { target, minutes } => fuzz::run(target.as_deref(), minutes),
        Command::Mutants { sample, seed, package } => mutants::run(sample, seed, package.as_deref()),
        Command::Bench { runs, filter, row } => bench::run(runs, filter.as_deref(), row.as_deref()),
        Command::Simulate(simulate) => simulate.run(),
        Command::Coverage => coverage::print(),
        Command::Ci => ci::all(),
    }
}

fn claviger(command: &[&str], handed: &Handed) -> anyhow::Result<()> {
    cargo(&["build", "--quiet", "-p", "claviger-issuer"])?;
    let arguments: Vec<&str> =
        command.iter().copied().chain(handed.arguments.iter().map(String::as_str)).collect();
    run_binary("debug", "claviger", &arguments)
}
