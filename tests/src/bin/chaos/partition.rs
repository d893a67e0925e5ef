use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use e2e::{account::moment, gate::Line, until};
use tokio::time::sleep;

use crate::{
    Run,
    figure::Figure,
    plot,
    rig::{CONNECTED, PATIENCE, Rig},
};

const M: Duration = Duration::from_secs(25);
/// Old tokens stay good for longer than M: only the revocation ends them.
const SETTINGS: &[(&str, &str)] =
    &[("TOKEN_LIFETIME", "2m"), ("ROTATION_TAIL", "3m"), ("VERIFIERS_STALENESS", "25s")];
const SERVICES: usize = 14;
/// After M.
const WATCHED: Duration = Duration::from_secs(5);
/// Reads the key set and knows of no feed.
const WITHOUT_FEED: usize = 0;

/// F4.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, SETTINGS, SERVICES).await?;
    rig.services[WITHOUT_FEED].0.process.stop().await?;
    rig.services[WITHOUT_FEED] = rig.start_without_feed(WITHOUT_FEED).await?;
    let mut loading = rig.load(20, 40).await?;
    sleep(Duration::from_secs(3)).await;

    // Services of even numbers verify ES256, which is the key that is stolen.
    let mut even: Vec<usize> = (0..SERVICES).step_by(2).filter(|number| *number != WITHOUT_FEED).collect();
    run.random().shuffle(&mut even);
    let cut_off = &even[..3];
    let gate = rig.fleet.home.gate().context("a gate")?;
    for number in cut_off {
        gate.set_for(rig.services[*number].0.process.id().context("it runs")?, Line::Cut);
    }
    let kid = rig.fleet.home.kid("ES256", "active").await?;
    loading.present(&kid, Duration::from_secs(1))?;
    sleep(Duration::from_secs(3)).await;
    rig.revoke(&loading, &kid, &[]).await?;
    let revoked = loading.account().revoked.get(kid.as_str()).copied().context("it is noted")?;
    sleep(CONNECTED).await;

    let told = cut_off[0];
    let denied = deny(&rig, told, &kid, &loading).await?;
    // Nobody's last acceptance is known before he was asked for longer than he may accept.
    sleep((revoked + M + WATCHED).saturating_sub(moment())).await;
    let account = rig.end(loading).await;
    let lingering = account.lingering(&kid);
    let most = |numbers: &[usize]| {
        numbers.iter().filter_map(|n| lingering.get(n)).max().copied().unwrap_or_default()
    };

    let lines = even.iter().chain(&[WITHOUT_FEED]).map(|number| {
        let name = match *number {
            WITHOUT_FEED => "without the feed",
            number if number == told => "cut off, told by a file",
            number if cut_off.contains(&number) => "cut off",
            _ => "connected",
        };
        (format!("service {number}, {name}"), acceptance(&account, *number, &kid))
    });
    plot::draw(
        &run.out.join("F4.svg"),
        "accepted tokens of a revoked key, in each second after it",
        "accepted",
        &lines.collect::<Vec<_>>(),
    )?;
    let measured: Vec<usize> = even.iter().copied().chain([WITHOUT_FEED]).collect();
    let mut figures = vec![
        Figure::at_least("services that are connected", even.len() - cut_off.len(), 3),
        Figure::none_of(
            "services that never accepted the stolen key",
            account.never_accepted(&kid, &measured),
        ),
        Figure::took("accepted for the last time: connected", most(&even[3..]), CONNECTED),
        Figure::took("accepted for the last time: without the feed", most(&[WITHOUT_FEED]), CONNECTED),
        Figure::took("accepted for the last time: cut off", most(&cut_off[1..]), M + Duration::from_secs(2)),
        Figure::took(
            "accepted for the last time: cut off, after a line in its deny file",
            denied,
            Duration::from_secs(5),
        ),
    ];
    let mut allowance = Rig::allowance();
    allowance.partitioned =
        cut_off.iter().map(|number| (*number, M + Duration::from_secs(2))).collect::<HashMap<_, _>>();
    figures.extend(rig.invariants(&account, &allowance).await?);
    Ok(figures)
}

/// Writes the kid into the deny file of a service that is cut off, and answers how long it still accepted it.
async fn deny(rig: &Rig, number: usize, kid: &str, loading: &e2e::Loading) -> anyhow::Result<Duration> {
    let file = rig.fleet.home.path().join(format!("service-{number}")).join("deny");
    let account = loading.account();
    let still =
        account.revoked.get(kid).zip(account.lingering(kid).remove(&number)).map(|(at, last)| *at + last);
    let still = still.is_some_and(|last| moment().saturating_sub(last) < Duration::from_secs(3));
    anyhow::ensure!(still, "the key was not accepted any more before it was denied");
    tokio::fs::write(&file, format!("{kid}\n")).await?;
    let written = moment();
    let quiet = || async {
        let lingering = loading.account().lingering(kid).get(&number).copied()?;
        let last = loading.account().revoked.get(kid).map(|revoked| *revoked + lingering)?;
        let now = moment();
        (now.saturating_sub(last.max(written)) > Duration::from_secs(2)).then(|| last.saturating_sub(written))
    };
    until("the deny file is obeyed", PATIENCE, quiet).await
}

/// Accepted tokens of the key in each second after its revocation.
fn acceptance(account: &e2e::account::Account, service: usize, kid: &str) -> Vec<(f64, f64)> {
    let Some(revoked) = account.revoked.get(kid) else { return Vec::new() };
    let mut seconds = vec![0_u32; 45];
    let of_key = |answer: &&e2e::account::Answer| {
        answer.service == service && answer.status == 200 && *account.tokens[answer.token].kid == *kid
    };
    for answer in account.answers.iter().filter(of_key) {
        let second = answer.answered.checked_sub(*revoked).map(|since| since.as_secs());
        if let Some(count) = second.and_then(|second| seconds.get_mut(usize::try_from(second).ok()?)) {
            *count += 1;
        }
    }
    (0_u32..).zip(seconds).map(|(second, count)| (f64::from(second), f64::from(count))).collect()
}
