//! Passwords: how many people log in per second, and what the others feel of it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use argon2::{Algorithm, Argon2, Params, Version};
use claviger_oauth::JWKS_PATH;
use e2e::get_request;
use serde_json::json;

use crate::{
    contest::CONNECTIONS,
    crowd::Crowd,
    plan::Plan,
    row::{Measure, Row},
    stage::Stage,
    tail::{look_on, percentile_99},
};

const SLICE: Duration = Duration::from_secs(1);
const TURNS: u32 = 3;
const PERIOD: Duration = Duration::from_millis(1);
/// The parameters of the issuer: KiB, passes, lanes.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Log-ins with a password at the ceiling, against as many bare evaluations of Argon2id at once as the issuer makes; and the
/// 99th percentile of the published keys meanwhile, against the same on an idle issuer.
pub(crate) async fn log_ins(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("password log-ins / bare Argon2id", Measure::Rate, Some(0.9)),
        Row::new("JWKS p99 beside log-ins, against idle", Measure::Delay, Some(2.0)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let stage = Stage::start().await?;
    let password = stage.home.add_person("ada", &[]).await?;
    let mut people = Crowd::connect(stage.home.url(), CONNECTIONS, log_in_request("ada", &password)).await?;
    for _ in plan.runs(rows[0].name()) {
        let (mut logged_in, mut hashed) = (Vec::new(), Vec::new());
        let (mut loaded, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let look = || look_on(stage.home.url(), get_request(JWKS_PATH, ""), PERIOD, SLICE);
            idle.extend(look().await??);
            logged_in.push(people.flood(SLICE).await?.per_second());
            hashed.push(tokio::task::spawn_blocking(|| bare(SLICE)).await??);
            let (answered, seen) = tokio::join!(people.flood(SLICE), look());
            answered?;
            loaded.extend(seen??);
        }
        rows[0].add(logged_in.iter().sum(), hashed.iter().sum());
        rows[1].add(percentile_99(loaded), percentile_99(idle));
    }
    Ok(rows)
}

fn log_in_request(username: &str, password: &str) -> Vec<u8> {
    let body = json!({ "client_id": "shop-app", "username": username, "password": password }).to_string();
    let length = body.len();
    format!(
        "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Evaluations per second, with as many threads as the issuer has permits.
fn bare(time: Duration) -> anyhow::Result<f64> {
    let permits = thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
    let threads: Vec<_> = (0..permits).map(|_| thread::spawn(move || evaluate(time))).collect();
    let rates =
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("an evaluation panicked"))?);
    rates.sum()
}

fn evaluate(time: Duration) -> anyhow::Result<f64> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|error| anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < time {
        let mut tag = [0; 32];
        argon2
            .hash_password_into(b"a password of the right length", &[7; 16], &mut tag)
            .map_err(|error| anyhow!("{error}"))?;
        done += 1;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
