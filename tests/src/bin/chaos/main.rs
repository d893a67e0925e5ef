//! `cargo xtask chaos`: replicas, a database, services and a load, and everything that can go wrong with them.
//!
//! Each scenario has a rig of its own, prints its figures beside their limits, and is run alone by its name. What is drawn
//! at random comes from the seed.

mod acts;
mod admin;
mod clocks;
mod corruption;
mod crash;
mod database_down;
mod disk_full;
mod emergency;
mod figure;
mod issuer_down;
mod operators;
mod partition;
mod plot;
mod refresh;
mod replica_cut;
mod report;
mod restart;
mod rig;
mod rotation;
mod scenario;
mod storm;
mod wait;
mod wrong_key;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{report::Report, scenario::SCENARIOS};

/// Starts an issuer with three replicas, its database and services, lets faults happen, and checks what must hold.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Cli {
    /// Only these scenarios; a wrong name lists them.
    scenarios: Vec<String>,
    /// The same seed draws the same faults; by default a new one is drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// More rounds, longer faults, more services.
    #[arg(long)]
    long: bool,
    /// How much longer recoveries and starts may take, on a busy machine; no other limit changes.
    #[arg(long, default_value_t = 1.0)]
    stretch: f64,
    /// Where the report and the plots are written.
    #[arg(long, default_value = "target/chaos")]
    out: PathBuf,
}

/// What a scenario is told.
#[derive(Debug, Clone)]
struct Run {
    seed: u64,
    long: bool,
    stretch: f64,
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match play().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> anyhow::Result<()> {
    let Cli { scenarios, seed, long, stretch, out } = Cli::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let chosen = scenario::choose(&scenarios)?;
    std::fs::create_dir_all(&out)?;
    println!("seed {seed}");
    let run = Run { seed, long, stretch, out };
    let mut report = Report::new(&run);
    for scenario in SCENARIOS.iter().filter(|scenario| chosen.contains(&scenario.name)) {
        report.add(scenario, scenario.run(&run).await);
    }
    report.finish()
}

impl Run {
    /// The shorter or the longer of two.
    fn either<T>(&self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }

    fn random(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }
}
