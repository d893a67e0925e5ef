use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::time::sleep;

use crate::{Run, figure::Figure, rig::Rig};

/// A lead and a freshness of which only the freshness can be waited for.
const SETTINGS: &[(&str, &str)] = &[
    ("TOKEN_LIFETIME", "3m"),
    ("ROTATION_TAIL", "5m"),
    ("ROTATION_LEASE", "5s"),
    ("ROTATION_LEAD", "24h"),
    ("VERIFIERS_FRESHNESS", "5m"),
    ("VERIFIERS_POLL", "15s"),
];

const MOST: Duration = Duration::from_secs(30);

/// Shows that a rotation waits for the fleet and no longer.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let (settings, services) =
        run.either(([SETTINGS, &[("VERIFIERS_POLL", "1s")]].concat(), 8), (SETTINGS.to_vec(), 50));
    let rig = Rig::start(&run, &settings, services).await?;
    let loading = rig.load(20, 10).await?;
    sleep(Duration::from_secs(run.either(3, 20))).await;

    let known = rotate(&rig, &[]).await?;
    rig.acknowledge_promoted("ES256").await?;
    rig.acknowledge_promoted("RS256").await?;
    sleep(Duration::from_secs(run.either(3, 20))).await;

    // A next key that nobody can know yet.
    rig.revoke(&loading, &rig.fleet.home.kid("ES256", "prepared").await?, &[]).await?;
    rig.prepared().await?;
    let learned = rotate(&rig, &["--alg", "ES256"]).await?;
    rig.acknowledge_promoted("ES256").await?;
    sleep(Duration::from_secs(run.either(3, 20))).await;

    // Another one; one of those who must learn it is held up before they have.
    let frozen = &rig.services[0].0.process;
    frozen.freeze()?;
    let before = rig.fleet.home.kid("ES256", "active").await?;
    rig.revoke(&loading, &rig.fleet.home.kid("ES256", "prepared").await?, &[]).await?;
    rig.prepared().await?;
    let seconds = format!("{}s", run.either(10, 40));
    let ran = rig
        .fleet
        .home
        .run(&["keys", "rotate", "--now", "--wait", "--alg", "ES256", "--timeout", &seconds])
        .await?;
    frozen.thaw()?;
    let waits = (!ran.succeeded).then_some(()).context("the rotation did not wait for the frozen service");
    let named = format!("{}{}", ran.out, ran.err);
    let after = rig.fleet.home.kid("ES256", "active").await?;
    let account = rig.end(loading).await;
    let mut figures = vec![
        Figure::counted("services", services),
        Figure::took("keys rotate --wait: next keys that all know", known, MOST),
        Figure::took("keys rotate --wait: a next key that nobody knows yet", learned, MOST),
        Figure::none_of(
            "one frozen: rotations that did not wait",
            waits
                .err()
                .map(|error| error.to_string())
                .into_iter()
                .chain((before != after).then_some("the key changed".to_owned()))
                .collect(),
        ),
        Figure::none_of(
            "one frozen: refusals that name nobody",
            (!named.contains("service-0")).then_some(named).into_iter().collect(),
        ),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}

/// Rotates at once, or as soon as the fleet lets it; answers how long that took.
async fn rotate(rig: &Rig, flags: &[&str]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let ran = rig.fleet.home.run(&[&["keys", "rotate", "--now", "--wait"], flags].concat()).await?;
    ensure!(ran.succeeded, "{} {}", ran.out, ran.err);
    Ok(start.elapsed())
}
