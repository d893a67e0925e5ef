//! An issuer for the tests of teams in any language.

use std::process::ExitCode;

use clap::Parser;
use claviger_testkit::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
