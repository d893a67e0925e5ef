//! The alert rules that are shipped: that they are rules, that each fires when it should and only then, and that they,
//! the metrics and the documents speak of the same things.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// What `promtool` says of the files; `None` where it is not installed, and in CI that is a failure.
fn promtool(arguments: &[&str]) -> Option<Output> {
    match Command::new("promtool").args(arguments).current_dir(file("alerts")).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no promtool: {error}");
            println!("SKIPPED: no promtool: {error}");
            None
        }
    }
}

#[track_caller]
fn check(arguments: &[&str]) {
    let Some(output) = promtool(arguments) else { return };
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The values of a member of the rules, in their order.
fn members<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| {
        let (found, value) = line.trim().trim_start_matches("- ").split_once(": ")?;
        (found == name).then_some(value)
    })
}

/// The names of metrics that a text speaks of.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.strip_prefix("claviger_").is_some_and(|rest| !rest.is_empty())).collect()
}

// S-46
#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    check(&["check", "rules", "claviger.rules.yml"]);
    check(&["test", "rules", "claviger.rules.test.yml"]);
}

// S-46
#[test]
fn every_alert_has_a_case_that_fires_one_that_does_not_and_a_page_to_read() {
    let (rules, cases) = (read("alerts/claviger.rules.yml"), read("alerts/claviger.rules.test.yml"));
    let runbook = read("docs/RUNBOOK.md");
    let anchors: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(|title| title.to_lowercase().replace(' ', "-").replace(['`', ',', '\'', '.'], ""))
        .collect();
    let alerts: Vec<&str> = members(&rules, "alert").collect();
    assert!(alerts.len() >= 20);
    for alert in &alerts {
        let name = format!("alertname: {alert}\n");
        let blocks = cases.split(&name).skip(1);
        let (quiet, firing): (Vec<_>, Vec<_>) =
            blocks.partition(|block| block.trim_start().starts_with("exp_alerts: []"));
        assert!(quiet.len() >= 2 && !firing.is_empty(), "{alert}: {} and {}", quiet.len(), firing.len());
    }
    for name in ["severity", "summary", "description", "runbook_url"] {
        assert_eq!(members(&rules, name).count(), alerts.len(), "{name}");
    }
    for page in members(&rules, "runbook_url") {
        let anchor = page.split_once("docs/RUNBOOK.md#").map(|(_, anchor)| anchor).unwrap();
        assert!(anchors.contains(anchor), "{page} leads nowhere: {anchors:?}");
    }
}

// S-46
#[test]
fn rules_and_documents_name_the_metrics_that_there_are() {
    let source = read("src/admin/metrics.rs");
    let described = source.split_once("const GAUGES").and_then(|(_, rest)| rest.split("#[cfg(test)]").next());
    let there_are = metrics(described.unwrap());
    let rules = read("alerts/claviger.rules.yml");
    let document = read("docs/METRICS.md");
    assert!(there_are.len() >= 20);
    let unknown: Vec<_> = metrics(&rules).difference(&there_are).copied().collect();
    assert!(unknown.is_empty(), "the rules speak of {unknown:?}");
    let documented = metrics(&document);
    let differ: Vec<_> = there_are.symmetric_difference(&documented).collect();
    assert!(differ.is_empty(), "METRICS.md and the metrics differ in {differ:?}");
    for alert in members(&rules, "alert") {
        assert!(document.contains(&format!("`{alert}`")), "METRICS.md does not name {alert}");
    }
}
