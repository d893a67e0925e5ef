//! A fleet that waits for a dead issuer, and what the issuer feels when it returns.

use std::time::Duration;

use claviger_testkit::TestIssuer;
use e2e::{LEDGER, Service};
use tokio::time::{interval, sleep};

use crate::{
    plan::Plan,
    row::{Measure, Row},
};

const SERVICES: usize = 200;
/// By then their pauses have grown to the longest.
const DEAD: Duration = Duration::from_secs(45);
/// The longest pause, and what the slowest needs.
const RETURN: Duration = Duration::from_secs(40);

/// 200 services start at once against a dead issuer: its busiest second when it is back, metadata and key sets
/// together.
pub(crate) async fn fleet_of_a_dead_issuer(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("200 services, dead issuer: busiest second of its return", Measure::Count, Some(40.0)),
        Row::new("200 services, dead issuer: all are back after", Measure::Wait, None),
        Row::new(
            "200 services, dead issuer: busiest second, with polls of the feed, in means of its return",
            Measure::Count,
            Some(5.0),
        ),
        Row::new("200 services, dead issuer: polls of the feed in its return", Measure::Count, None),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let issuer = TestIssuer::start().await;
    issuer.stop().await;
    let state = tempfile::tempdir()?;
    let arguments = [("--issuer", issuer.url()), ("--audience", LEDGER)];
    let mut services = Vec::new();
    for number in 0..SERVICES {
        plan.tell(&format!("{number} of {SERVICES} services wait for their issuer"));
        services.push(Service::start("ledger", &arguments, &state.path().join(number.to_string())).await?);
    }
    sleep(DEAD).await;

    plan.tell("the issuer is back");
    issuer.restart().await;
    let asked = || issuer.fetches() + issuer.metadata_fetches();
    let everything = || asked() + issuer.polls();
    let (mut before, mut busiest, mut all_back) = (asked(), 0, RETURN);
    let (start, polls) = (everything(), issuer.polls());
    let (mut all_before, mut all_busiest) = (start, 0);
    let mut seconds = interval(Duration::from_secs(1));
    seconds.tick().await;
    for second in 1..=RETURN.as_secs() {
        seconds.tick().await;
        let now = asked();
        busiest = busiest.max(now - before);
        before = now;
        let all_now = everything();
        all_busiest = all_busiest.max(all_now - all_before);
        all_before = all_now;
        if issuer.fetches() >= SERVICES {
            all_back = all_back.min(Duration::from_secs(second));
        }
    }
    for service in &services {
        service.ready().await?;
    }
    rows[0].add(u32::try_from(busiest)?.into(), 1.0);
    rows[1].add(all_back.as_secs_f64(), 1.0);
    let mean = f64::from(u32::try_from(everything() - start)?) / RETURN.as_secs_f64();
    rows[2].add(f64::from(u32::try_from(all_busiest)?) / mean.max(1.0), 1.0);
    rows[3].add(u32::try_from(issuer.polls() - polls)?.into(), 1.0);
    Ok(rows)
}
