use std::time::Duration;

use e2e::account::{Account, percentile};
use tokio::time::sleep;

use crate::{
    Run,
    figure::Figure,
    plot,
    rig::{PATIENCE, Rig},
};

/// Old tokens live for longer than the services need: only the revocation ends them.
const SETTINGS: &[(&str, &str)] = &[("TOKEN_LIFETIME", "3m"), ("ROTATION_TAIL", "4m")];
/// With the defaults of production: F = 15 s.
const FULL: &[(&str, &str)] = &[
    ("TOKEN_LIFETIME", "5m"),
    ("ROTATION_TAIL", "7m"),
    ("ROTATION_LEASE", "60s"),
    ("ROTATION_LEAD", "7m"),
    ("VERIFIERS_FRESHNESS", "5m"),
    ("VERIFIERS_POLL", "15s"),
    ("VERIFIERS_SKEW", "30s"),
];
const P50: Duration = Duration::from_secs(20);
const P99: Duration = Duration::from_mins(1);
/// U and C, compressed, and what fetches take.
const UNKNOWN_KEY: Duration = Duration::from_secs(35);

/// F12b: with a prepared key, and with none.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut figures = prepared(&run).await?;
    figures.extend(unprepared(&run).await?);
    Ok(figures)
}

async fn prepared(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let (settings, services) = run.either((SETTINGS, 6), (FULL, 50));
    let rig = Rig::start(run, settings, services).await?;
    rig.prepared().await?;
    let loading = rig.load(20, 10).await?;
    sleep(Duration::from_secs(run.either(3, 20))).await;
    let stolen = rig.fleet.home.kid("ES256", "active").await?;
    loading.note_revoked(&stolen);
    let ran = rig.fleet.home.run(&["keys", "revoke", &stolen, "--compromised"]).await?;
    anyhow::ensure!(ran.succeeded, "{} {}", ran.out, ran.err);
    ran.out.lines().filter(|line| line.contains("verifiers")).for_each(|line| println!("    {line}"));
    sleep(Duration::from_secs(run.either(3, 20))).await;
    let account = loading.end().await;
    let lingering = of_even(&account, &stolen);
    let lines = [("services that have dropped the key".to_owned(), plot::shares(lingering.clone()))];
    plot::draw(
        &run.out.join("F12b.svg"),
        "from the command to the last acceptance",
        "% of services",
        &lines,
    )?;
    let mut figures = vec![
        Figure::counted("services that held the stolen key", lingering.len()),
        Figure::took("last acceptance, p50", percentile(lingering.clone(), 50), P50),
        Figure::took("last acceptance, p99", percentile(lingering, 99), P99),
    ];
    let mut allowance = Rig::allowance();
    allowance.revocation = P99;
    figures.extend(rig.invariants(&account, &allowance).await?);
    Ok(figures)
}

/// The stolen key and the prepared one are both revoked: the new one is one that nobody was told of.
async fn unprepared(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let rig = Rig::start(run, SETTINGS, 4).await?;
    rig.prepared().await?;
    let loading = rig.load(20, 10).await?;
    sleep(Duration::from_secs(2)).await;
    let stolen = rig.fleet.home.kid("ES256", "active").await?;
    let next = rig.fleet.home.kid("ES256", "prepared").await?;
    rig.revoke(&loading, &next).await?;
    rig.revoke(&loading, &stolen).await?;
    let new = e2e::until("another key signs", PATIENCE, || async {
        let kid = rig.fleet.home.kid("ES256", "active").await.ok()?;
        (kid != next && kid != stolen).then_some(kid)
    });
    let new = new.await?;
    sleep(Duration::from_secs(8)).await;
    let account = loading.end().await;
    let mut rejected = account.clone();
    rejected.answers.retain(|answer| *account.tokens[answer.token].kid == *new);
    let rejections = rejected.rejected().len();
    let revoked = account.revoked[stolen.as_str()];
    let late =
        rejected.answers.iter().filter(|answer| answer.status == 401 && account.tokens[answer.token].genuine);
    let late = late.map(|answer| answer.answered.saturating_sub(revoked)).max().unwrap_or_default();
    let mut others = account.clone();
    others.answers.retain(|answer| *account.tokens[answer.token].kid != *new);
    Ok(vec![
        Figure::counted("nothing prepared: good tokens of the new key rejected", rejections),
        Figure::took("nothing prepared: the last of them, after the command", late, UNKNOWN_KEY),
        Figure::took(
            "nothing prepared: last acceptance, p99",
            percentile(of_even(&account, &stolen), 99),
            P99,
        ),
        Figure::none_of("nothing prepared: V1, other keys", others.rejected()),
        Figure::none_of("nothing prepared: V2", account.wrongly_accepted(&Rig::allowance())),
    ])
}

fn of_even(account: &Account, kid: &str) -> Vec<Duration> {
    account.lingering(kid).into_values().collect()
}
