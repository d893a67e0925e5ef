//! Many years, on all cores.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use crate::{
    breakage::Inequality,
    figures::Figures,
    judge::{Breach, Journal},
    model, report,
    scenario::Scenario,
    time::{DAY, Millis, SECOND},
    world::World,
};

/// Runs these seeds and tells what came of them.
pub(crate) fn seeds(
    seeds: &[u64],
    verifiers: usize,
    days: u64,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let all = Mutex::new((Figures::default(), Vec::new()));
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let scenario = Scenario::of(*seed, verifiers, days);
            let (name, begun) = (scenario.name, Instant::now());
            let (figures, journal, breach) = World::new(scenario).run();
            let took = begun.elapsed().as_secs_f64();
            eprintln!("seed {seed} ({name}): {} events, {took:.1} s", figures.events);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(breach) = breach {
                print_breach(*seed, &journal, &breach);
                all.1.push(*seed);
            }
            all.0.add(figures);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len()) {
            scope.spawn(work);
        }
    });
    let (figures, broken) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{}", report::tables(&figures, seeds, verifiers, days));
    let files = report::write(&figures, directory)?;
    println!("{} plots in {}", files, directory.display());
    println!(
        "{:.0} s in all; {} of {} seeds broke an invariant",
        start.elapsed().as_secs_f64(),
        broken.len(),
        seeds.len()
    );
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_breach(seed: u64, journal: &Journal, breach: &Breach) {
    let Breach { invariant, at, words } = breach;
    println!("seed {seed}: {invariant} is broken at {}: {words}\nwhat happened before:", clock(*at));
    for (at, line) in &journal.lines {
        println!("  {} {line}", clock(*at));
    }
}

fn clock(at: Millis) -> String {
    let seconds = at / SECOND % 86_400;
    format!(
        "day {} {:02}:{:02}:{:02}.{:03}",
        at / DAY,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        at % SECOND
    )
}

/// Runs with each inequality broken, until somebody notices.
pub(crate) fn broken(which: &[Inequality], verifiers: usize, seeds: u64) -> ExitCode {
    let mut missed = 0;
    for inequality in which.iter().copied() {
        let (invariant, words) = inequality.breaks();
        let is_that = |breach: &Breach| breach.invariant == invariant && breach.words.contains(words);
        let found = find(inequality, verifiers, seeds).filter(|(_, breach)| is_that(breach));
        let by_simulation = found.map(|(seed, breach)| {
            format!("seed {seed}, {}: {} ({})", clock(breach.at), breach.invariant, breach.words)
        });
        let explored = model::find(inequality);
        let by_model = explored
            .broken
            .filter(|(property, _)| *property == inequality.refutes())
            .map(|(property, way)| format!("after {} states: {property} ({way})", explored.states));
        println!("{}", inequality.words());
        for (who, found) in [("simulation", by_simulation), ("model", by_model)] {
            missed += u32::from(found.is_none());
            println!("  {who:<10} {}", found.as_deref().unwrap_or("DOES NOT NOTICE"));
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first seed in which a breach comes of it.
pub(crate) fn find(inequality: Inequality, verifiers: usize, seeds: u64) -> Option<(u64, Breach)> {
    (1..=seeds).find_map(|seed| {
        let mut scenario = Scenario::with_policy("broken", inequality.broken(), seed, verifiers, 120);
        scenario.windows.0 = 0;
        let (_, _, breach) = World::new(scenario).run();
        breach.map(|breach| (seed, breach))
    })
}
