//! `cargo xtask bench verifier`: our verification beside that of other crates, and what each refuses.
//!
//! Every figure is measured with its peer in the same run, turn by turn in short slices, so that a
//! busy machine slows both; the table shows the median of the runs and their spread. Figures are
//! shown and never asserted; that each contestant accepts the good tokens is.
//!
//! In reading order: `stage` is the issuer and its tokens, `contestants` who verifies them and how
//! each is configured, `duel` the list of rows, `turns` the clock, `lookup` the key set under
//! readers and swaps, `forged` what a verification is worth, `row` the table.

mod contestants;
mod count;
mod duel;
mod forged;
mod lookup;
mod plan;
mod row;
mod stage;
mod turns;

use clap::Parser;
use tokio::runtime::Builder;

pub use crate::count::Count;
use crate::{plan::Plan, stage::Stage};

/// Measures, and prints the tables.
///
/// # Errors
/// If a contestant cannot be set up or refuses a good token.
pub fn compare() -> anyhow::Result<()> {
    let plan = Plan::parse();
    let counted = count::ask_neighbour()?;
    // Entered and not run: while something is measured, no other task of this thread does anything.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let stage = runtime.block_on(Stage::start())?;
    let _inside = runtime.enter();
    let mut rows = Vec::new();
    for duel in runtime.block_on(duel::all(&stage))? {
        if plan.wants(&duel.name) {
            rows.push(duel.measure(&plan, &stage, &counted)?);
        }
    }
    rows.extend(lookup::under_readers(&plan)?);
    println!("{}", row::table(&rows));
    println!("{}", row::LEGEND);
    if plan.wants(forged::NAME) {
        println!("{}", forged::table(runtime.block_on(duel::judges(&stage))?, &stage)?);
    }
    Ok(())
}

/// Prints how often each contestant allocates per verification, for [`compare`] to read.
///
/// # Errors
/// As [`compare`].
pub fn count_allocations(count: Count) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let stage = runtime.block_on(Stage::start())?;
    let _inside = runtime.enter();
    let duels = runtime.block_on(duel::all(&stage))?;
    count::print(duels, &stage, count)
}
