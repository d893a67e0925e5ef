use std::time::Duration;

use e2e::account::{Account, Allowance, moment, percentile};
use tokio::time::sleep;

use crate::{
    Run,
    figure::Figure,
    plot,
    rig::{CONNECTED, PATIENCE, Rig},
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
/// 2 F and 2 s, where F is compressed.
const COMPRESSED: Limits = Limits { p50: Duration::from_secs(4), p99: Duration::from_secs(4) };
const PRODUCTION: Limits = Limits { p50: Duration::from_secs(20), p99: Duration::from_mins(1) };
const WITHOUT_FEED: Limits = Limits { p50: CONNECTED, p99: CONNECTED };
/// U and C, compressed, and what fetches take.
const UNKNOWN_KEY: Duration = Duration::from_secs(35);
/// The stolen key is presented to each service so often, before and after its revocation.
const PACE: Duration = Duration::from_millis(200);
/// The key is presented for longer than it may be accepted.
const WATCHED: Duration = Duration::from_secs(12);
/// At the end of this time nobody must accept it any more.
const END: Duration = Duration::from_secs(3);

/// By when half, and all, of the services must have dropped the key.
#[derive(Clone, Copy)]
struct Limits {
    p50: Duration,
    p99: Duration,
}

/// F12b: with a prepared key, with services that know of no feed, and with no prepared key.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let (settings, services, limits) = run.either((SETTINGS, 6, COMPRESSED), (FULL, 50, PRODUCTION));
    let rig = Rig::start(&run, settings, services).await?;
    let mut figures = prepared(&run, &rig, "prepared", limits).await?;
    drop(rig);
    let mut rig = Rig::start(&run, SETTINGS, 0).await?;
    for number in 0..4 {
        rig.services.push(rig.start_without_feed(number).await?);
    }
    figures.extend(prepared(&run, &rig, "without the feed", WITHOUT_FEED).await?);
    drop(rig);
    figures.extend(unprepared(&run).await?);
    Ok(figures)
}

async fn prepared(run: &Run, rig: &Rig, name: &str, limits: Limits) -> anyhow::Result<Vec<Figure>> {
    rig.prepared().await?;
    let mut loading = rig.load(20, 10).await?;
    sleep(Duration::from_secs(run.either(3, 20))).await;
    let stolen = rig.fleet.home.kid("ES256", "active").await?;
    loading.present(&stolen, PACE)?;
    sleep(Duration::from_secs(3)).await;
    let ran = rig.revoke(&loading, &stolen, &["--compromised"]).await?;
    ran.out.lines().filter(|line| line.contains("verifiers")).for_each(|line| println!("    {line}"));
    let revoked = loading.account().revoked[stolen.as_str()];
    sleep((revoked + limits.p99 + WATCHED).saturating_sub(moment())).await;
    let account = rig.end(loading).await;
    let lingering = lingering(&account, &stolen);
    let lines = [("services that have dropped the key".to_owned(), plot::shares(lingering.clone()))];
    let plot = run.out.join(format!("F12b-{}.svg", name.replace(' ', "-")));
    plot::draw(&plot, "from the command to the last acceptance", "% of services", &lines)?;
    let mut figures = dropped(rig, &account, name, &stolen, limits);
    let allowance = Allowance { revocation: limits.p99, ..Rig::allowance() };
    figures.extend(rig.invariants(&account, &allowance).await?);
    Ok(figures)
}

/// How long the services that verify with the stolen key went on.
fn dropped(rig: &Rig, account: &Account, name: &str, stolen: &str, limits: Limits) -> Vec<Figure> {
    let measured: Vec<usize> = (0..rig.services.len()).step_by(2).collect();
    let late = moment().saturating_sub(END);
    let lingering = lingering(account, stolen);
    vec![
        Figure::at_least(format!("{name}: services that were asked"), lingering.len(), measured.len()),
        Figure::none_of(
            format!("{name}: services that never accepted the stolen key"),
            account.never_accepted(stolen, &measured),
        ),
        Figure::none_of(
            format!("{name}: services that accept it at the end"),
            account.accepting_until(stolen, late),
        ),
        Figure::took(format!("{name}: last acceptance, p50"), percentile(lingering.clone(), 50), limits.p50),
        Figure::took(format!("{name}: last acceptance, p99"), percentile(lingering, 99), limits.p99),
    ]
}

/// The stolen key and the prepared one are both revoked: the new one is one that nobody was told of.
async fn unprepared(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let name = "nothing prepared";
    let rig = Rig::start(run, SETTINGS, 4).await?;
    rig.prepared().await?;
    let mut loading = rig.load(20, 10).await?;
    sleep(Duration::from_secs(2)).await;
    let stolen = rig.fleet.home.kid("ES256", "active").await?;
    let next = rig.fleet.home.kid("ES256", "prepared").await?;
    loading.present(&stolen, PACE)?;
    sleep(Duration::from_secs(3)).await;
    rig.revoke(&loading, &next, &[]).await?;
    rig.revoke(&loading, &stolen, &[]).await?;
    let new = e2e::until("another key signs", PATIENCE, || async {
        let kid = rig.fleet.home.kid("ES256", "active").await.ok()?;
        (kid != next && kid != stolen).then_some(kid)
    });
    let new = new.await?;
    let revoked = loading.account().revoked[stolen.as_str()];
    sleep((revoked + UNKNOWN_KEY + 2 * END).saturating_sub(moment())).await;
    let account = rig.end(loading).await;
    let (mut own, mut others) = (account.clone(), account.clone());
    own.answers.retain(|answer| *account.tokens[answer.token].kid == *new);
    others.answers.retain(|answer| *account.tokens[answer.token].kid != *new);
    let rejections = own.rejected().len();
    let late =
        own.answers.iter().filter(|answer| answer.status == 401 && account.tokens[answer.token].genuine);
    let late = late.map(|answer| answer.answered.saturating_sub(revoked)).max().unwrap_or_default();
    let mut figures = dropped(&rig, &account, name, &stolen, Limits { p50: CONNECTED, p99: CONNECTED });
    figures.extend([
        Figure::counted(format!("{name}: good tokens of the new key rejected"), rejections),
        Figure::took(format!("{name}: the last of them, after the command"), late, UNKNOWN_KEY),
        Figure::none_of(format!("{name}: V1, other keys"), others.rejected()),
        Figure::none_of(format!("{name}: V2"), account.wrongly_accepted(&Rig::allowance())),
    ]);
    figures.extend(rig.substance(&account, &Rig::allowance()));
    Ok(figures)
}

fn lingering(account: &Account, kid: &str) -> Vec<Duration> {
    account.lingering(kid).into_values().collect()
}
