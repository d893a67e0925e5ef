use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::run::{command, root, target};

/// The crates that decide who gets in.
const PACKAGES: [&str; 3] = ["claviger-jose", "claviger-jwks-client", "claviger-verifier"];
/// In percent, of the mutants that compile.
const FLOOR: f64 = 95.0;

/// Draws mutants at random, tests each with the tests of its own crate alone, and counts.
pub(crate) fn run(sample: usize, seed: u64, package: Option<&str>) -> anyhow::Result<()> {
    let packages: Vec<&str> =
        PACKAGES.into_iter().filter(|name| package.is_none_or(|chosen| name.ends_with(chosen))).collect();
    ensure!(!packages.is_empty(), "mutants are made of: {}", PACKAGES.join(", "));
    let all = list(&packages)?;
    let drawn = draw(&all, sample, seed);
    println!("{} of {} mutants, drawn with seed {seed}", drawn.len(), all.len());
    let output = target().join("mutants");
    fs::create_dir_all(&output)?;
    let mut tests = mutants(&packages);
    // Debug information would be most of what is written, for a backtrace that nobody reads.
    tests.env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_TARGET_DIR", output.join("build"));
    tests.args(["--no-times", "--colors=never", "--output"]).arg(&output);
    for mutant in &drawn {
        tests.arg("--re").arg(format!("^{}$", escaped(mutant)));
    }
    let status = tests.status().context("cargo mutants")?;
    // The copy that was changed has a new path each time, so nothing of its own is of use to the next run.
    drop(fs::remove_dir_all(output.join("build/debug/incremental")));
    // 2 and 3 are survivors and time-outs; anything else but 0 is a run that proves nothing.
    ensure!(matches!(status.code(), Some(0 | 2 | 3)), "cargo mutants itself failed: {status}");
    report(&output.join("mutants.out"), &drawn)
}

fn mutants(packages: &[&str]) -> Command {
    let mut mutants = command("cargo", &["mutants"]);
    mutants.args(packages.iter().flat_map(|name| ["--package", name]));
    mutants
}

fn list(packages: &[&str]) -> anyhow::Result<Vec<String>> {
    let listed = mutants(packages).args(["--list", "--colors=never"]).stderr(Stdio::inherit()).output()?;
    if !listed.status.success() {
        bail!("no mutants are listed; if the tool is missing: cargo install --locked cargo-mutants");
    }
    Ok(String::from_utf8(listed.stdout)?.lines().map(str::to_owned).collect())
}

/// The same seed draws the same mutants, as long as the code stays the same.
fn draw(all: &[String], sample: usize, seed: u64) -> Vec<String> {
    let mut drawn = all.to_vec();
    fastrand::Rng::with_seed(seed).shuffle(&mut drawn);
    drawn.truncate(sample);
    drawn
}

/// A pattern that matches this text alone.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// Counts what was drawn; the tool tests some fields left out of a struct whether they are asked for or not.
fn report(results: &Path, drawn: &[String]) -> anyhow::Result<()> {
    let read = |name: &str| -> anyhow::Result<Vec<String>> {
        let path = results.join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(drawn.iter().filter(|mutant| text.lines().any(|line| line == *mutant)).cloned().collect())
    };
    let (caught, missed) = (read("caught.txt")?, read("missed.txt")?);
    let (timeout, unviable) = (read("timeout.txt")?, read("unviable.txt")?);
    let tested = caught.len() + missed.len() + timeout.len();
    let seen = tested + unviable.len();
    ensure!(seen == drawn.len(), "{} were drawn and {seen} tested", drawn.len());
    ensure!(tested > 0, "none of the mutants compiles: draw more");
    let accepted = accepted(&fs::read_to_string(root().join("tests/mutants.md"))?);
    for survivor in &missed {
        let reason = accepted.iter().find(|(mutant, _)| *mutant == placeless(survivor));
        println!(
            "survived: {survivor}\n    {}",
            reason.map_or("NO REASON in tests/mutants.md", |(_, why)| why)
        );
    }
    // A test that never ends under a mutant has noticed it.
    #[expect(clippy::cast_precision_loss, reason = "there are not that many mutants")]
    let percent = 100.0 * (caught.len() + timeout.len()) as f64 / tested as f64;
    println!(
        "{} caught, {} timed out, {} survived, {} do not compile: {percent:.1} % of {tested} caught",
        caught.len(),
        timeout.len(),
        missed.len(),
        unviable.len(),
    );
    ensure!(percent >= FLOOR, "at least {FLOOR} % must be caught");
    Ok(())
}

/// The table's rows: a mutant without its line and column, and the reason.
fn accepted(table: &str) -> Vec<(String, String)> {
    let rows =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    rows.map(|(mutant, why)| (mutant.to_owned(), why.to_owned())).collect()
}

/// `file:line:column: what` without line and column, which move with every edit.
fn placeless(mutant: &str) -> String {
    let mut parts = mutant.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => mutant.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUTANT: &str = "crates/jose/src/alg.rs:24:9: replace Algorithm::as_str -> &'static str with \"\"";

    #[test]
    fn a_survivor_is_found_in_the_table_wherever_its_line_has_moved() {
        let table = "# Words\n\n| mutant | why |\n|---|---|\n\
                     | `crates/jose/src/alg.rs: replace Algorithm::as_str -> &'static str with \"\"` | a reason |\n";
        assert_eq!(accepted(table), [(placeless(MUTANT), "a reason".to_owned())]);
    }

    #[test]
    fn a_seed_draws_the_same_mutants_again() {
        let all: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(draw(&all, 10, 7), draw(&all, 10, 7));
        assert_ne!(draw(&all, 10, 7), draw(&all, 10, 8));
        assert_eq!(draw(&all, 1000, 7).len(), 100);
    }

    #[test]
    fn a_pattern_takes_every_character_for_itself() {
        assert_eq!(escaped("a.rs:1:2: x -> Option<(u8, [u8])>"), r"a\.rs:1:2: x \-> Option<\(u8, \[u8\]\)>");
    }
}
