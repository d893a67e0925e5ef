use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::{Run, admin::Admin, figure::Figure, rig::Rig};

const OPERATORS: usize = 200;

/// F11.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, &[], 2).await?;
    let admin = Admin::of(&mut rig.fleet).await?;
    let loading = rig.load(20, 20).await?;
    let (rounds, mut not_one, mut others) = (run.either(3, 50), Vec::new(), Vec::new());
    for round in 0..rounds {
        rig.prepared().await?;
        let before = rig.fleet.home.keys().await?;
        // Each of them has seen the same state, in which the rotation is possible.
        let seen = admin.rotatable("ES256").await?;
        let mut asking = JoinSet::new();
        for number in 0..OPERATORS {
            let admin = admin.clone();
            let seen = seen.clone();
            asking.spawn(async move { admin.rotate(number, "ES256", &seen).await });
        }
        let (mut done, mut refused) = (0, 0);
        while let Some(answer) = asking.join_next().await {
            match answer?? {
                200..=299 => done += 1,
                409 | 412 => refused += 1,
                other => others.push(format!("round {round}: {other}")),
            }
        }
        ensure!(done + refused + others.len() >= OPERATORS, "all have an answer");
        rig.acknowledge_promoted("ES256").await?;
        rig.prepared().await?;
        let made = rig.fleet.home.keys().await?.len() - before.len();
        if done != 1 || refused != OPERATORS - 1 || made != 1 {
            not_one.push(format!("round {round}: {done} done, {refused} refused, {made} keys made"));
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let account = rig.end(loading).await;
    let mut figures = vec![
        Figure::counted("rounds of 200 operators", rounds),
        Figure::none_of("rounds without 1 rotation, 199 refusals and 1 new key", not_one),
        Figure::none_of("other answers", others),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}
