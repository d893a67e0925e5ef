use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::run::{root, target as build_directory};

/// Longer than the longest token that is looked at, so that the caps are met too.
const MAX_INPUT: &str = "-max_len=10240";
/// How fast inputs may grow: ten times as fast as by default, for runs of minutes instead of days.
const GROWTH: &str = "-len_control=10";
/// Seconds for one input, and MiB for one process: beyond either is a finding.
const BOUNDS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// Runs one fuzz target or all of them, one after the other, for some minutes each.
pub(crate) fn run(target: Option<&str>, minutes: u64) -> anyhow::Result<()> {
    let all = targets()?;
    let chosen: Vec<&String> =
        all.iter().filter(|name| target.is_none_or(|chosen| chosen == *name)).collect();
    ensure!(!chosen.is_empty(), "there is no such target; there are: {}", all.join(", "));
    check_tools()?;
    let mut lines = Vec::new();
    let mut findings = Vec::new();
    for name in chosen {
        let (good, executions) = fuzz(name, minutes)?;
        lines.push(format!(
            "{name}: {executions} executions, {}",
            if good { "no finding" } else { "A FINDING" }
        ));
        findings.extend((!good).then_some(name.as_str()));
    }
    println!("{}", lines.join("\n"));
    ensure!(findings.is_empty(), "the inputs are in tests/fuzz/artifacts: {}", findings.join(", "));
    Ok(())
}

fn targets() -> anyhow::Result<Vec<String>> {
    let directory = root().join("tests/fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        names.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn check_tools() -> anyhow::Result<()> {
    let answers = |arguments: &[&str]| {
        let status =
            Command::new("cargo").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let mut missing = Vec::new();
    if !answers(&["+nightly", "--version"]) {
        missing.push("rustup toolchain install nightly");
    }
    if !answers(&["fuzz", "--version"]) {
        missing.push("cargo install --locked cargo-fuzz");
    }
    ensure!(
        missing.is_empty(),
        "fuzzing needs tools that are not here; install them with: {}",
        missing.join("; ")
    );
    Ok(())
}

/// Whether the target ended without a finding, and how many inputs it ran. What it learns stays under
/// `target`; the committed seeds do not grow by themselves.
fn fuzz(name: &str, minutes: u64) -> anyhow::Result<(bool, String)> {
    let build = build_directory().join("fuzz");
    let grown = build.join("corpus").join(name);
    fs::create_dir_all(&grown)?;
    let seconds = format!("-max_total_time={}", minutes * 60);
    let mut child = Command::new("cargo")
        .args(["+nightly", "fuzz", "run", "--fuzz-dir", "tests/fuzz", "--target-dir"])
        .arg(build)
        .arg(name)
        .arg(&grown)
        .arg(format!("tests/fuzz/corpus/{name}"))
        .args(["--", &seconds, "-dict=tests/fuzz/dictionary", MAX_INPUT, "-print_final_stats=1", GROWTH])
        .args(BOUNDS)
        .current_dir(root())
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo")?;
    let Some(words) = child.stderr.take() else {
        bail!("cargo fuzz does not speak");
    };
    let mut executions = "no".to_owned();
    for line in BufReader::new(words).lines() {
        let line = line?;
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            count.trim().clone_into(&mut executions);
        }
        eprintln!("{line}");
    }
    Ok((child.wait()?.success(), executions))
}
