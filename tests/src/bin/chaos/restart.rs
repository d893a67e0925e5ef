use std::time::Duration;

use anyhow::ensure;
use e2e::ready;
use tokio::time::sleep;

use crate::{Run, figure::Figure, rig::Rig};

/// F18.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, &[], 4).await?;
    let loading = rig.load(run.either(100, 500), 50).await?;
    sleep(Duration::from_secs(2)).await;
    let rounds = run.either(1, 5);
    for _ in 0..rounds * rig.fleet.issuers.len() {
        let mut old = rig.fleet.issuers.remove(0);
        old.process.terminate()?;
        ensure!(
            old.process.ended().await?.success(),
            "a replica did not stop in order: {}",
            old.process.log()
        );
        old.leave(&rig.fleet.home)?;
        let new = rig.fleet.add_replica(&[]).await?;
        ready(&new.process).await?;
    }
    sleep(Duration::from_secs(2)).await;
    let account = rig.end(loading).await;
    let failed = account.grants.iter().filter(|grant| grant.status != 200);
    let failed = failed.map(|grant| format!("{} {}", grant.status, grant.error)).collect();
    let mut figures = vec![
        Figure::counted("restarts", rounds * 3),
        Figure::counted("token requests", account.grants.len()),
        Figure::none_of("failed token requests", failed),
        Figure::all_of(
            "requests that services could decide",
            account.answers.len() - account.unanswered(),
            account.answers.len(),
        ),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}
