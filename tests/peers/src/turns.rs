use std::time::{Duration, Instant};

use crate::{
    contestants::Check,
    row::{Run, median},
    stage::Presented,
};

const RUN: Duration = Duration::from_secs(1);
/// Shorter than the scheduler's turns: on a machine with more work than cores most slices of some
/// milliseconds hold a pause, and the median with them.
const SLICE: Duration = Duration::from_micros(500);

/// Measures two contestants in turns. Of a run's slices the median counts, for whoever else uses the
/// machine only ever makes one longer.
pub(crate) fn take_turns(ours: &mut Check, peer: &mut Check, tokens: &[Presented]) -> anyhow::Result<Run> {
    let (mut ours_took, mut peer_took) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while start.elapsed() < RUN {
        ours_took.push(slice(ours, tokens)?);
        peer_took.push(slice(peer, tokens)?);
    }
    Ok(Run { ours: median(ours_took), peer: median(peer_took) })
}

/// Nanoseconds per call.
fn slice(check: &mut Check, tokens: &[Presented]) -> anyhow::Result<f64> {
    let (start, mut calls) = (Instant::now(), 0_u32);
    for token in tokens.iter().cycle() {
        check(token)?;
        calls += 1;
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return Ok(elapsed.as_secs_f64() * 1e9 / f64::from(calls));
        }
    }
    anyhow::bail!("there are no tokens")
}
