use std::{os::unix::process::ExitStatusExt, time::Duration};

use anyhow::ensure;
use e2e::{published, ready, until};

use crate::{
    Run,
    figure::Figure,
    rig::{PATIENCE, Rig},
};

/// Where an operator's rotation can die.
const SWITCHING: &[&str] = &[
    "keys.before_begin",
    "keys.after_version",
    "keys.after_first_move",
    "keys.before_commit",
    "keys.after_commit",
];
/// Where the replica can die that makes the keys after the next.
const MAKING: &[&str] = &[
    "keys.after_generate",
    "keys.after_seal",
    "keys.before_begin",
    "keys.after_version",
    "keys.after_insert",
    "keys.before_commit",
    "keys.after_commit",
];

/// F1.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, &[], 2).await?;
    let loading = rig.load(20, 30).await?;
    let (mut orphans, mut slowest, mut kills) = (Vec::new(), Duration::ZERO, 0);
    for _ in 0..run.either(1, 4) {
        let mut points: Vec<_> = SWITCHING.iter().map(|point| (*point, false)).collect();
        points.extend(MAKING.iter().map(|point| (*point, true)));
        run.random().shuffle(&mut points);
        for (point, making) in points {
            let begun = std::time::Instant::now();
            rig.prepared().await?;
            if making {
                die_making(&mut rig, point).await?;
            } else {
                die_switching(&rig, point).await?;
            }
            slowest = slowest.max(replace_one(&mut rig).await?);
            kills += 2;
            orphans.extend(orphan_keys(&rig).await?.map(|what| format!("{point}: {what}")));
            println!("  {point}, making {making}: {:.1} s", begun.elapsed().as_secs_f64());
        }
    }
    let account = rig.end(loading).await;
    let mut figures = vec![
        Figure::counted("processes killed", kills),
        Figure::none_of("orphan keys", orphans),
        Figure::swift("slowest replica, from its start to healthy", slowest, Duration::from_secs(5)),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}

/// A command line that rotates dies at this point.
async fn die_switching(rig: &Rig, point: &str) -> anyhow::Result<()> {
    let died = || async {
        let mut command = rig.fleet.home.command(&["keys", "rotate", "--now"]).ok()?;
        command.env("CLAVIGER_FAILPOINT", point);
        e2e::run(command).await.ok()?.status.signal()
    };
    until(&format!("the rotation dies at {point}"), PATIENCE, died).await.map(drop)
}

/// The only replica dies at this point, when the prepared keys have begun to sign and there are no next ones.
async fn die_making(rig: &mut Rig, point: &str) -> anyhow::Result<()> {
    let others = rig.fleet.issuers.len();
    // It may meet the point while it starts, if something is due; the others do that once the duty of who died is over.
    let start = std::time::Instant::now();
    while rig.fleet.add_replica(&[("CLAVIGER_FAILPOINT", point)]).await.is_err() {
        ensure!(start.elapsed() < PATIENCE, "the replica never starts with {point}");
    }
    for old in rig.fleet.issuers.drain(..others).collect::<Vec<_>>() {
        old.kill(&rig.fleet.home).await?;
    }
    rig.rotate().await?;
    let mut armed = rig.fleet.issuers.remove(0);
    let status = armed.process.ended().await?;
    ensure!(status.signal().is_some(), "the replica ended with {status} at {point}");
    armed.leave(&rig.fleet.home)?;
    for _ in 0..others {
        ready(&rig.fleet.add_replica(&[]).await?.process).await?;
    }
    Ok(())
}

/// Kills a replica, whatever it is at, and starts another one in its place.
async fn replace_one(rig: &mut Rig) -> anyhow::Result<Duration> {
    rig.fleet.issuers.remove(0).kill(&rig.fleet.home).await?;
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
