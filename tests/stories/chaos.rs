use std::{path::Path, process::Stdio, time::Duration};

use anyhow::ensure;
use e2e::{binary, postgres::Postgres};
use tokio::process::Command;

const LONGEST: Duration = Duration::from_mins(8);

/// Runs one of the binaries of this package to its end; what it prints is the message if it fails.
async fn play(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(binary(name)?);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LONGEST, command.output()).await??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    ensure!(output.status.success(), "{name} {}:\n{out}\n{err}", arguments.join(" "));
    Ok(())
}

// S-35 S-37 S-99 S-108 S-109 S-111
#[tokio::test]
async fn a_short_seeded_run_of_chaos_stays_within_its_limits() -> anyhow::Result<()> {
    if Postgres::shared().is_none() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let out = directory.path().to_string_lossy().into_owned();
    let scenarios = ["F2", "F5", "F6", "F11", "F18", "--seed", "4", "--stretch", "4", "--out", &out];
    play("chaos", &scenarios).await?;
    ensure!(Path::new(&out).join("report.md").exists(), "the report is written");
    Ok(())
}

// S-42 S-45 S-118
#[tokio::test]
async fn the_runbook_for_stolen_keys_does_what_it_says() -> anyhow::Result<()> {
    if Postgres::shared().is_none() {
        return Ok(());
    }
    play("drill", &["--stretch", "4"]).await
}
