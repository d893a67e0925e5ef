//! What an issuer needs of the machine: time to start, and memory.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use claviger_oauth::JWKS_PATH;
use e2e::{LEDGER, ORDERS, Process, Wire, get_request};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    crowd::Crowd,
    plan::Plan,
    row::{Measure, Row},
    stage::Stage,
};

const SETTLE: Duration = Duration::from_secs(1);
const LOAD: Duration = Duration::from_secs(2);
/// Connections per kind of request: memory is a matter of connections more than of requests.
const CONNECTIONS: u32 = 32;

/// An issuer with existing keys: how soon it is ready, and how much memory it takes then and under load.
pub(crate) async fn start_and_memory(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("memory, idle", Measure::Memory, Some(25.0)),
        Row::new("memory, under load", Measure::Memory, Some(64.0)),
        Row::new("exec to listening", Measure::Wait, None),
        Row::new("exec to ready", Measure::Wait, Some(150.0)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let mut stage = Stage::start().await?;
    for _ in plan.runs("start and memory") {
        stage.issuer.kill().await?;
        let (issuer, listening, ready) = start(&stage.home).await?;
        stage.issuer = issuer;
        sleep(SETTLE).await;
        let idle = stage.issuer.resident()?;
        let loaded = resident_under_load(&stage).await?;
        let measured = [idle.into(), loaded.into(), listening.as_secs_f64(), ready.as_secs_f64()];
        for (row, value) in rows.iter_mut().zip(measured) {
            row.add(value, 1.0);
        }
    }
    Ok(rows)
}

/// Starts an issuer; answers the times to its line on standard output and to its first readiness.
async fn start(home: &e2e::IssuerHome) -> anyhow::Result<(Process, Duration, Duration)> {
    let command = home.command(&["serve"])?;
    let exec = Instant::now();
    let mut process = Process::spawn(command, &home.log_path())?;
    let listening = async { process.address().await.map(|_| exec.elapsed()) };
    let ready = async {
        while !is_ready(home.url()).await {
            sleep(Duration::from_millis(1)).await;
        }
        exec.elapsed()
    };
    let ready = timeout(Duration::from_secs(30), ready);
    let (listening, ready) = tokio::join!(listening, ready);
    let (listening, ready) = (listening?, ready.context("the issuer is not ready")?);
    Ok((process, listening, ready))
}

async fn is_ready(url: &str) -> bool {
    match Wire::connect(url).await {
        Ok(mut wire) => wire.ask(&get_request("/readyz", "")).await.is_ok_and(|status| status == 200),
        Err(_) => false,
    }
}

/// The most that is resident while all kinds of requests come.
async fn resident_under_load(stage: &Stage) -> anyhow::Result<u32> {
    let mut loads = JoinSet::new();
    for request in [stage.token_request(ORDERS), stage.token_request(LEDGER), get_request(JWKS_PATH, "")] {
        let mut crowd = Crowd::connect(stage.home.url(), CONNECTIONS, request).await?;
        loads.spawn(async move { crowd.flood(LOAD).await });
    }
    let mut most = 0;
    while !loads.is_empty() {
        if let Ok(Some(ended)) = timeout(Duration::from_millis(50), loads.join_next()).await {
            ensure!(ended??.requests > 0, "nothing was answered");
        }
        most = most.max(stage.issuer.resident()?);
    }
    Ok(most)
}
