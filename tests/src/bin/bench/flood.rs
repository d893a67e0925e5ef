//! A service under 10,000 requests per second whose kids nobody has ever seen.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use claviger_jose::base64url;
use claviger_testkit::{TestIssuer, TestKey};
use e2e::{LEDGER, Service, Wire, get_request};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, JoinSet, spawn_blocking},
    time::interval_at,
};

use crate::{
    plan::Plan,
    row::{Measure, Row},
    tail::{look_on, percentile_99},
};

const PER_SECOND: u32 = 10_000;
const TIME: Duration = Duration::from_mins(1);
const CALM: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 20;
/// Between two requests of the one caller with a good token.
const PERIOD: Duration = Duration::from_millis(2);
const PATH: &str = "/entries";

/// What a flood of unknown kids costs a service, its issuer, and those who come with good tokens.
///
/// The baseline is the same flood of requests with a kid that is known and a signature that is not right: what
/// is measured is what unknown kids add.
pub(crate) async fn unknown_kids(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("flood of unknown kids: fetches in 60 s", Measure::Count, Some(4.0)),
        Row::new(
            "flood of unknown kids: p99 of good requests, against known kids",
            Measure::Delay,
            Some(2.0),
        ),
        Row::new("flood of unknown kids: memory growth", Measure::Memory, Some(32.0)),
        Row::new("flood of unknown kids: a new key is accepted after", Measure::Wait, Some(31_000.0)),
        Row::new("flood of unknown kids: requests per second", Measure::Count, None),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let issuer = TestIssuer::start().await;
    let state = tempfile::tempdir()?;
    let arguments = [("--issuer", issuer.url()), ("--audience", LEDGER)];
    let service = Service::start("ledger", &arguments, state.path()).await?;
    service.ready().await?;
    let good = issuer.token(LEDGER).scope("ledger:read").expires_in(3600);

    let asking = get_request(PATH, &good.sign_with(TestKey::es256()));
    let look = |time| look_on(service.url(), asking.clone(), PERIOD, time);

    plan.tell("a flood of known kids, for comparison");
    let forged = forged_with(TestKey::es256().kid().as_str());
    let known = Flood::start(service.url(), CALM, move || forged.clone());
    let usual = look(CALM).await??;
    known.ended().await?;

    plan.tell("a flood of unknown kids, for a minute");
    let (memory, fetches) = (service.process.resident()?, issuer.fetches());
    let flood = Flood::start(service.url(), TIME, || forged_with(&random_kid()));
    let watched = look(TIME);
    tokio::time::sleep(TIME / 4).await;
    issuer.set_keys(&[TestKey::es256(), TestKey::rs256(), TestKey::es256_other()]);
    let learned = accepted_after(service.url(), &good.sign_with(TestKey::es256_other())).await?;
    let during = watched.await??;
    let requests = flood.ended().await?;

    let grown = service.process.resident()?.saturating_sub(memory);
    rows[0].add(u32::try_from(issuer.fetches() - fetches)?.into(), 1.0);
    rows[1].add(percentile_99(during), percentile_99(usual));
    rows[2].add(grown.into(), 1.0);
    rows[3].add(learned.as_secs_f64(), 1.0);
    rows[4].add(f64::from(requests) / TIME.as_secs_f64(), 1.0);
    Ok(rows)
}

/// Requests at a steady rate from a thread of its own, each of which must be refused.
struct Flood(JoinHandle<anyhow::Result<u32>>);

impl Flood {
    fn start(url: &str, time: Duration, token: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let url = url.to_owned();
        Self(spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(flood(&url, time, Arc::new(token)))
        }))
    }

    async fn ended(self) -> anyhow::Result<u32> {
        self.0.await?
    }
}

async fn flood(
    url: &str,
    time: Duration,
    token: Arc<impl Fn() -> String + Send + Sync + 'static>,
) -> anyhow::Result<u32> {
    let start = Instant::now();
    let mut asking = JoinSet::new();
    for number in 0..CONNECTIONS {
        let mut wire = Wire::connect(url).await?;
        let token = Arc::clone(&token);
        let pause = Duration::from_secs(1) / PER_SECOND;
        let mut ticks = interval_at((start + pause * number).into(), pause * CONNECTIONS);
        asking.spawn(async move {
            let mut requests = 0;
            while start.elapsed() < time {
                ticks.tick().await;
                let status = wire.ask(&get_request(PATH, &token())).await?;
                ensure!(status == 401, "{status}: {}", String::from_utf8_lossy(wire.body()));
                requests += 1;
            }
            anyhow::Ok(requests)
        });
    }
    let mut requests = 0;
    while let Some(ended) = asking.join_next().await {
        requests += ended??;
    }
    Ok(requests)
}

/// How long it takes until a token of a key that is new is accepted.
async fn accepted_after(url: &str, token: &str) -> anyhow::Result<Duration> {
    let (published, mut wire) = (Instant::now(), Wire::connect(url).await?);
    while wire.ask(&get_request(PATH, token)).await? != 200 {
        ensure!(published.elapsed() < TIME, "the new key was not learned in {TIME:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(published.elapsed())
}

fn forged_with(kid: &str) -> String {
    let header = format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#);
    format!("{}.e30.{}", base64url::encode(header.as_bytes()), base64url::encode(&[1; 64]))
}

fn random_kid() -> String {
    let mut bytes = [0; 32];
    fastrand::fill(&mut bytes);
    base64url::encode(&bytes)
}
