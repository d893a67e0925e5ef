use crate::{
    ci,
    run::{run_binary, target},
};

/// Builds what is tormented, with the points at which it can be killed, and lets the scenarios happen. The long ones need
/// the speed of production.
pub(crate) fn run(scenarios: &[String], seed: Option<u64>, long: bool) -> anyhow::Result<()> {
    let profile = if long { "release" } else { "debug" };
    ci::build(profile)?;
    let mut arguments: Vec<String> = scenarios.to_vec();
    arguments.extend(seed.map(|seed| format!("--seed={seed}")));
    arguments.extend(long.then(|| "--long".to_owned()));
    arguments.push(format!("--out={}", target().join("chaos").display()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run_binary(profile, "chaos", &arguments)
}
