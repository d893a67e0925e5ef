//! `cargo xtask simulate`: a year in the life of a fleet, many times, under a clock that is not the world's.
//!
//! The plan of the keys, the policies of the clients and the acceptance of tokens are the real ones; what is made up
//! is the world around them. After each event the invariants are checked; the first breach ends the run with the seed
//! and what happened before it. `tests/SIMULATION.md` says what is modelled and how to read the report.

mod acceptance;
mod agenda;
mod breakage;
mod chance;
mod contact;
mod database;
mod disturbance;
mod faults;
mod figures;
mod judge;
mod load;
mod meddling;
mod model;
mod operators;
mod plot;
mod replica;
mod report;
mod run;
mod scenario;
mod statement;
#[cfg(test)]
mod tests;
mod time;
mod tokens;
mod verifier;
mod world;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Cli {
    /// The first seed; the same seed is the same year.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many verifiers.
    #[arg(long, default_value_t = 10_000)]
    verifiers: usize,
    /// How many days.
    #[arg(long, default_value_t = 365)]
    days: u64,
    /// Where the plots and the table are written.
    #[arg(long, default_value = "target/simulation")]
    report: PathBuf,
    /// Explore every reachable state of a small fleet instead.
    #[arg(long)]
    model: bool,
    /// Break each inequality of the rotation policy, or these, and see who notices.
    #[arg(long, value_name = "INEQUALITY", num_args = 0..)]
    r#break: Option<Vec<breakage::Inequality>>,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(which) = cli.r#break {
        let which = if which.is_empty() { breakage::Inequality::ALL.to_vec() } else { which };
        return Ok(run::broken(&which, cli.verifiers.min(500), cli.seeds.max(20)));
    }
    if cli.model {
        let explored = model::is_sound(true);
        println!("{}", model::table(&explored));
        let sound = explored.iter().all(|one| one.broken.is_none());
        return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let seeds: Vec<u64> = (cli.seed..cli.seed.saturating_add(cli.seeds)).collect();
    run::seeds(&seeds, cli.verifiers, cli.days, &cli.report)
}
