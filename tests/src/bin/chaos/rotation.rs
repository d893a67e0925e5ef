use std::time::Duration;

use e2e::account::{Account, Moment, moment, percentile};
use tokio::time::sleep;

use crate::{Run, figure::Figure, plot, rig::Rig};

/// Keys rotate by themselves.
const SETTINGS: &[(&str, &str)] = &[("ROTATION_PERIOD", "6s")];
/// Around a switch.
const AROUND: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(10);

/// F12.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let rig = Rig::start(&run, SETTINGS, run.either(4, 10)).await?;
    let (issue, verify) = run.either((80, 100), (300, 600));
    // Of both algorithms.
    let (rotations, answers) = run.either((3, 1000), (20, 1_250_000));
    let loading = rig.load(issue, verify).await?;
    let start = moment();
    e2e::until("enough has happened", MOST, || async {
        sleep(Duration::from_secs(1)).await;
        (loading.switches() >= 2 * rotations && loading.answers() >= answers).then_some(())
    })
    .await?;
    sleep(Duration::from_secs(2)).await;
    rig.acknowledge_promoted("ES256").await?;
    let account = rig.end(loading).await;
    let took = moment().saturating_sub(start);
    let switches = account.switches();
    let (calm, switching) = waits(&account, &switches);
    let (calm_p99, switching_p99) = (percentile(calm, 99), percentile(switching, 99));
    draw(&run, &account, start)?;
    let failed = account.grants.iter().filter(|grant| grant.status != 200);
    let accepted = (0..rig.services.len()).map(|service| account.accepted(service)).sum();
    let mut figures = vec![
        Figure::at_least("rotations", switches.len() / 2, rotations),
        Figure::at_least("good tokens accepted", accepted, run.either(500, 1_000_000)),
        Figure::shown("in", took),
        Figure::none_of(
            "failed token requests",
            failed.map(|grant| format!("{} {}", grant.status, grant.error)).collect(),
        ),
        Figure::shown("p99 of issuing, between rotations", calm_p99),
        Figure::times(
            "p99 of issuing around a switch, against between",
            switching_p99.as_secs_f64() / calm_p99.as_secs_f64().max(1e-3),
            1.5,
        ),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}

/// How long token requests waited: between the switches, and around them.
fn waits(account: &Account, switches: &[Moment]) -> (Vec<Duration>, Vec<Duration>) {
    let near = |at: Moment| switches.iter().any(|switch| switch.abs_diff(at) < AROUND);
    let (switching, calm): (Vec<_>, Vec<_>) = account.grants.iter().partition(|grant| near(grant.asked));
    let wait = |grants: Vec<&e2e::account::Grant>| {
        grants.into_iter().map(|grant| grant.answered.saturating_sub(grant.asked)).collect()
    };
    (wait(calm), wait(switching))
}

fn draw(run: &Run, account: &Account, start: Moment) -> anyhow::Result<()> {
    let point = |grant: &e2e::account::Grant| {
        let at = grant.asked.checked_sub(start)?.as_secs_f64();
        Some((at, 1e3 * grant.answered.saturating_sub(grant.asked).as_secs_f64()))
    };
    let line = ("token requests".to_owned(), account.grants.iter().filter_map(point).collect());
    plot::draw(&run.out.join("F12.svg"), "waiting for a token while keys rotate", "ms", &[line])
}
