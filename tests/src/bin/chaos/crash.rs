use std::{os::unix::process::ExitStatusExt, time::Duration};

use e2e::{gate::Address, published, ready, until};

use crate::{
    Run,
    figure::Figure,
    rig::{PATIENCE, Rig},
};

/// Where a process can die while keys change: where the store names a point, in the order in which they are met.
const POINTS: &[&str] = &[
    "keys.before_begin",
    "keys.after_version",
    "keys.after_first_move",
    "keys.after_insert",
    "keys.before_commit",
    "keys.after_commit",
];

/// F1.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, &[], 2).await?;
    let loading = rig.load(20, 30).await?;
    let (mut orphans, mut slowest, mut kills) = (Vec::new(), Duration::ZERO, 0);
    for _ in 0..run.either(1, 50) {
        let mut points = POINTS.to_vec();
        run.random().shuffle(&mut points);
        for point in points {
            rig.prepared().await?;
            die_at(&rig, point).await?;
            slowest = slowest.max(replace_one(&mut rig).await?);
            kills += 2;
            orphans.extend(orphan_keys(&rig).await?.map(|what| format!("{point}: {what}")));
        }
    }
    let account = loading.end().await;
    let mut figures = vec![
        Figure::counted("processes killed", kills),
        Figure::none_of("orphan keys", orphans),
        Figure::took("slowest replica, from its start to healthy", slowest, Duration::from_secs(5)),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}

/// A command line that rotates dies at this point.
async fn die_at(rig: &Rig, point: &str) -> anyhow::Result<()> {
    let died = || async {
        let mut command = rig.fleet.home.command(&["keys", "rotate", "--now"]).ok()?;
        command.env("CLAVIGER_FAILPOINT", point);
        e2e::run(command).await.ok()?.status.signal()
    };
    until(&format!("the rotation dies at {point}"), PATIENCE, died).await.map(drop)
}

/// Kills a replica, whatever it is at, and starts another one in its place.
async fn replace_one(rig: &mut Rig) -> anyhow::Result<Duration> {
    let old = rig.fleet.issuers.remove(0);
    let address = Address::http(old.process.url())?;
    old.process.kill().await?;
    if let Some(gate) = rig.fleet.home.gate() {
        gate.dismiss(&address);
    }
    let start = std::time::Instant::now();
    ready(&rig.fleet.add_replica(&[]).await?.process).await?;
    Ok(start.elapsed())
}

/// Keys that are published by some and unknown to the database, or the other way round.
async fn orphan_keys(rig: &Rig) -> anyhow::Result<Option<String>> {
    let agreed = || async {
        let listed = rig.fleet.home.keys().await.ok()?;
        let alive = ["prepared", "active", "retiring"];
        let mut listed: Vec<_> =
            listed.into_iter().filter(|key| alive.contains(&key.state.as_str())).map(|key| key.kid).collect();
        listed.sort();
        for replica in &rig.fleet.issuers {
            let mut kids = published(&rig.fleet.http, replica.process.url()).await.ok()?;
            kids.sort();
            if kids != listed {
                return None;
            }
        }
        Some(())
    };
    let agreed = until("all publish what is listed", Duration::from_secs(10), agreed).await;
    Ok(agreed.err().map(|error| error.to_string()))
}
