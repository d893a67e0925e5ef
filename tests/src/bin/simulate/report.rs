//! The tables, and the plots.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use comfy_table::{Table, presets::ASCII_MARKDOWN};

use crate::{
    figures::{Figures, Spread, f64_of, seconds},
    plot::{Line, shares_over_time},
    time::SECOND,
    verifier::Class,
};

/// All tables, one below the other.
pub(crate) fn tables(figures: &Figures, seeds: &[u64], verifiers: usize, days: u64) -> String {
    let years = format!("{} seeds, {verifiers} verifiers, {days} days each", seeds.len());
    [
        years,
        counts(figures).to_string(),
        load(figures, verifiers).to_string(),
        times("until a key was known", &figures.learned).to_string(),
        times("until a revoked key was refused", &figures.exposures).to_string(),
    ]
    .join("\n\n")
}

fn counts(figures: &Figures) -> Table {
    let mut table = table(&["what", "count", "longest"]);
    let mut row = |what: &str, count: u64, longest: String| {
        table.add_row([what.to_owned(), count.to_string(), longest]);
    };
    row("events", figures.events, String::new());
    row("tokens judged", figures.judged, String::new());
    row("rotations by operators", figures.rotations, String::new());
    row("revocations", figures.revocations, String::new());
    row("revocations of tokens", figures.token_revocations, String::new());
    row("revoked tokens presented in time to be refused", figures.dead_tokens, String::new());
    row("feeds that were frozen", figures.freezes, String::new());
    row("keys that were stolen", figures.thefts, String::new());
    row("keys that began to sign", figures.activations, String::new());
    row("told to come back (503)", figures.unavailable, String::new());
    let spread = |spread: &Spread| (spread.count, time(spread.longest));
    let (count, longest) = spread(&figures.signed_late);
    row("signed by a replica cut off with a key that was active no more", count, longest);
    let (count, longest) = spread(&figures.rejected_in_haste);
    row("refused after an emergency without a key that was known", count, longest);
    row(
        "refused where a set is fetched at the start only",
        figures.rejected_by_who_never_asks,
        String::new(),
    );
    table
}

fn load(figures: &Figures, verifiers: usize) -> Table {
    let load = &figures.load;
    let sampled = f64_of(load.sampled_for / SECOND).max(1.0);
    let thousands = f64_of(verifiers.max(1) as u64) / 1000.0;
    let mut table = table(&["load on the issuer", "in all", "per 1000 verifiers"]);
    let mut row = |what: &str, amount: f64, unit: &str| {
        table.add_row([
            what.to_owned(),
            format!("{amount:.1} {unit}"),
            format!("{:.2} {unit}", amount / thousands),
        ]);
    };
    row("mean, feed", f64_of(load.sampled.feed) / sampled, "requests/s");
    row("mean, key set", f64_of(load.sampled.sets) / sampled, "requests/s");
    row("mean, all", f64_of(load.sampled.requests()) / sampled, "requests/s");
    row("mean, both ways", f64_of(load.sampled.bytes) / sampled / 1000.0, "kB/s");
    row("busiest second while nothing happens", f64_of(load.sampled_peak), "requests/s");
    row("busiest second of all", f64_of(load.peak), "requests/s");
    table
}

fn times(title: &str, spreads: &BTreeMap<(Class, bool), Spread>) -> Table {
    let mut table = table(&[title, "reached", "count", "p50", "p99", "longest"]);
    for ((class, disturbed), spread) in spreads {
        table.add_row([
            class.name().to_owned(),
            reached(*disturbed).to_owned(),
            spread.count.to_string(),
            time(spread.per_mille(500)),
            time(spread.per_mille(990)),
            time(spread.longest),
        ]);
    }
    table
}

fn reached(disturbed: bool) -> &'static str {
    if disturbed { "not always" } else { "yes" }
}

fn time(millis: u64) -> String {
    let seconds = seconds(millis);
    match seconds {
        ..600.0 => format!("{seconds:.1} s"),
        ..36_000.0 => format!("{:.1} min", seconds / 60.0),
        ..864_000.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} d", seconds / 86_400.0),
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(head.to_vec());
    table
}

/// Writes the plots; answers how many.
pub(crate) fn write(figures: &Figures, directory: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let plots = [
        ("learned.svg", "Until a verifier knew a new key", &figures.learned),
        ("exposure.svg", "Until a verifier refused a revoked key", &figures.exposures),
    ];
    for (name, title, spreads) in plots {
        let path = directory.join(name);
        let svg = shares_over_time(title, &lines(spreads));
        fs::write(&path, svg).with_context(|| path.display().to_string())?;
    }
    Ok(plots.len())
}

fn lines(spreads: &BTreeMap<(Class, bool), Spread>) -> Vec<Line> {
    let line = |((class, disturbed), spread): (&(Class, bool), &Spread)| Line {
        name: format!("{}{}", class.name(), if *disturbed { ", disturbed" } else { "" }),
        points: spread.cumulative(),
    };
    spreads.iter().map(line).collect()
}
