use std::{
    path::Path,
    time::{Duration, Instant},
};

use e2e::{
    LEDGER, Reply, Wire,
    account::{Held, moment},
    ready, token_request, until,
};
use tokio::time::sleep;

use crate::{
    Run,
    figure::Figure,
    rig::{PATIENCE, Rig},
};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// F6.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    if !Path::new(LIBRARY).exists() {
        return Ok(vec![Figure::skipped(format!("no libfaketime at {LIBRARY}"))]);
    }
    let mut figures = Vec::new();
    for step in ["+300s", "-300s"] {
        figures.extend(replica(&run, step).await?);
    }
    for step in ["+300s", "-300s"] {
        figures.extend(service(&run, step).await?);
    }
    Ok(figures)
}

/// The environment in which a process believes what stands in a file; time that only goes forward is left alone.
fn clock_of(file: &str) -> [(&str, &str); 4] {
    [
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

async fn replica(run: &Run, step: &str) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(run, &[], 4).await?;
    let clock = rig.fleet.home.path().join("clock");
    tokio::fs::write(&clock, "+0s\n").await?;
    let text = clock.to_string_lossy().into_owned();
    rig.fleet.issuers.remove(0).kill(&rig.fleet.home).await?;
    let stepped = rig.fleet.add_replica(&clock_of(&text)).await?;
    ready(&stepped.process).await?;
    let url = stepped.process.url().to_owned();
    let loading = rig.load(40, 30).await?;
    sleep(Duration::from_secs(2)).await;

    tokio::fs::write(&clock, format!("{step}\n")).await?;
    let start = Instant::now();
    let (http, readyz) = (rig.fleet.http.clone(), format!("{url}/readyz"));
    let unready = || async {
        let reply = Reply::of(http.get(&readyz)).await.ok()?;
        (reply.status == 503).then_some(reply.body)
    };
    let why = until("the replica is unready", PATIENCE, unready).await?;
    let detected = start.elapsed();
    let mut signed = Vec::new();
    let request = token_request("batch", rig.fleet.secret("batch"), LEDGER);
    for _ in 0..40 {
        sleep(Duration::from_millis(50)).await;
        let mut wire = Wire::connect(&url).await?;
        if wire.ask(&request).await? == 200 {
            signed.push(String::from_utf8_lossy(wire.body()).chars().take(20).collect());
        }
    }
    // Nobody must have made keys by that clock, or changed them.
    let account = rig.end(loading).await;
    let off = |token: &&Held| token.genuine && token.issued_at.abs_diff(moment()) > Duration::from_secs(200);
    let wrong = account.tokens.iter().filter(off).count();
    let mut figures = vec![
        Figure::swift(
            format!("replica {step}: unready after ({})", reason(&why)),
            detected,
            Duration::from_secs(10),
        ),
        Figure::counted(format!("replica {step}: tokens with another time, before it was noticed"), wrong),
        Figure::none_of(format!("replica {step}: tokens issued after it was noticed"), signed),
    ];
    tokio::fs::write(&clock, "+0s\n").await?;
    let back = Instant::now();
    rig.healthy().await?;
    figures.push(Figure::swift(
        format!("replica {step}: ready again after its clock is right"),
        back.elapsed(),
        Duration::from_secs(10),
    ));
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}

fn reason(body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    json["reason"].as_str().unwrap_or_default().to_owned()
}

/// A service whose clock is wrong decides wrongly, and says so if its clock was set back; nobody else does.
async fn service(run: &Run, step: &str) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(run, &[], 3).await?;
    let clock = rig.fleet.home.path().join("clock");
    tokio::fs::write(&clock, "+0s\n").await?;
    let text = clock.to_string_lossy().into_owned();
    let stepped = rig.start_service(4, &[], &clock_of(&text)).await?;
    stepped.0.ready().await?;
    rig.services.push(stepped);
    let loading = rig.load(30, 30).await?;
    sleep(Duration::from_secs(2)).await;
    tokio::fs::write(&clock, format!("{step}\n")).await?;
    sleep(Duration::from_secs(4)).await;
    let account = rig.end(loading).await;
    let stepped = rig.services.len() - 1;
    let (mut others, mut own) = (account.clone(), account);
    others.answers.retain(|answer| answer.service != stepped);
    own.answers.retain(|answer| answer.service == stepped);
    let log = rig.services[stepped].0.process.log();
    let told = log.lines().filter(|line| line.contains("wall clock")).count();
    let allowance = Rig::allowance();
    Ok(vec![
        Figure::counted(format!("service {step}: good tokens that it rejected"), own.rejected().len()),
        Figure::counted(
            format!("service {step}: bad tokens that it accepted"),
            own.wrongly_accepted(&allowance).len(),
        ),
        // A clock that is ahead rejects; one that is behind lets tokens live on: whoever runs it must hear of both.
        Figure::at_least(format!("service {step}: words about the clock in its log"), told, 1),
        Figure::none_of(
            format!("service {step}: others that accepted next to nothing"),
            rig.idle(&others, &[stepped]),
        ),
        Figure::none_of(format!("service {step}: good tokens rejected by others"), others.rejected()),
        Figure::none_of(
            format!("service {step}: bad tokens accepted by others"),
            others.wrongly_accepted(&allowance),
        ),
    ])
}
