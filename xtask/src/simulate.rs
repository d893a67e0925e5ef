use clap::Args;

use crate::run::{cargo, run_binary};

/// What is simulated; `--help` of the program itself says more.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The first seed; the same seed is the same year.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// How many verifiers.
    #[arg(long)]
    verifiers: Option<u64>,
    /// How many days.
    #[arg(long)]
    days: Option<u64>,
    /// Where the plots are written.
    #[arg(long)]
    report: Option<String>,
    /// Explore every reachable state of a small fleet instead.
    #[arg(long)]
    model: bool,
    /// Break each inequality of the rotation policy, or these, and see who notices.
    #[arg(long, value_name = "INEQUALITY", num_args = 0..)]
    r#break: Option<Vec<String>>,
}

impl Simulate {
    /// Builds the simulation, and runs it.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        cargo(&["build", "--release", "-p", "e2e", "--bin", "simulate"])?;
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run_binary("release", "simulate", &arguments)
    }

    fn arguments(&self) -> Vec<String> {
        let numbers =
            [("seed", self.seed), ("seeds", self.seeds), ("verifiers", self.verifiers), ("days", self.days)];
        let given = numbers.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
        let mut arguments: Vec<String> = given.collect();
        arguments.extend(self.report.iter().map(|directory| format!("--report={directory}")));
        arguments.extend(self.model.then(|| "--model".to_owned()));
        if let Some(which) = &self.r#break {
            arguments.push("--break".to_owned());
            arguments.extend(which.iter().cloned());
        }
        arguments
    }
}
