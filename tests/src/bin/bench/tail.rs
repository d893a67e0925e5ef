//! What a bystander feels of others' RSA signatures.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use claviger_oauth::JWKS_PATH;
use e2e::{LEDGER, Wire, get_request};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    contest::CONNECTIONS,
    crowd::Crowd,
    plan::Plan,
    row::{Measure, Row},
    stage::Stage,
};

const SLICE: Duration = Duration::from_millis(500);
const TURNS: u32 = 4;
/// Between two looks of the bystander.
const PERIOD: Duration = Duration::from_millis(1);

/// The 99th percentile of the published keys while RS256 tokens are issued at half of their ceiling, against
/// the same on an idle issuer.
pub(crate) async fn key_set_beside_signing(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let row = Row::new("JWKS p99 beside RS256, against idle", Measure::Delay, Some(6.0));
    let mut rows = vec![row];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let stage = Stage::start().await?;
    let mut signing = Crowd::connect(stage.home.url(), CONNECTIONS, stage.token_request(LEDGER)).await?;
    plan.tell("the ceiling of RS256");
    signing.flood(SLICE).await?;
    let ceiling = signing.flood(SLICE * TURNS).await?.per_second();
    for _ in plan.runs(rows[0].name()) {
        let (mut loaded, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let look = || look_on(stage.home.url(), get_request(JWKS_PATH, ""), PERIOD, SLICE);
            idle.extend(look().await??);
            let (signed, seen) = tokio::join!(signing.trickle(ceiling / 2.0, SLICE), look());
            signed?;
            loaded.extend(seen??);
        }
        rows[0].add(percentile_99(loaded), percentile_99(idle));
    }
    Ok(rows)
}

/// How long a bystander that asks again and again waits for each answer, which must be 200. It has a thread of its
/// own, so as not to wait for the load's.
pub(crate) fn look_on(
    url: &str,
    request: Vec<u8>,
    period: Duration,
    time: Duration,
) -> JoinHandle<anyhow::Result<Vec<Duration>>> {
    let url = url.to_owned();
    spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let mut wire = runtime.block_on(Wire::connect(&url))?;
        let (start, mut waits) = (Instant::now(), Vec::new());
        while start.elapsed() < time {
            thread::sleep(period);
            let asked = Instant::now();
            let status = runtime.block_on(wire.ask(&request))?;
            ensure!(status == 200, "a bystander was answered with {status}");
            let mut wait = asked.elapsed();
            // A long wait stands for all the looks that were not taken meanwhile.
            while wait > period {
                waits.push(wait);
                wait -= period;
            }
            waits.push(wait);
        }
        Ok(waits)
    })
}

pub(crate) fn percentile_99(mut waits: Vec<Duration>) -> f64 {
    waits.sort_unstable();
    waits.get(waits.len() * 99 / 100).map_or(f64::NAN, Duration::as_secs_f64)
}
