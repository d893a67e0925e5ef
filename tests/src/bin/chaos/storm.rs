use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use anyhow::Context;
use e2e::{FLEET, account::percentile};
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinSet,
    time::sleep,
};

use crate::{Run, figure::Figure, rig::Rig};

/// The application that people type their passwords into.
const CLIENT: &str = "shop-app";
const GUESSES: usize = 1000;
const STORM: usize = 2000;
/// Guesses come from so many addresses.
const ADDRESSES: usize = 100;
/// What a person may have wrong before the account has to be waited for.
const EVALUATED: usize = 10;
/// What one evaluation of Argon2id takes, and what everything else in two thousand requests may.
const HASH: usize = 19 * 1024 * 1024;
const REQUESTS: usize = 96 * 1024 * 1024;
/// How often the key set is asked for, idle and in the storm.
const PACE: Duration = Duration::from_millis(10);

/// F20: a thousand guesses at one account, from a hundred addresses, on three replicas; then two thousand people log in at once.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let rig = Rig::start(&run, &[("SERVER_CONNECTIONS", "16384")], 0).await?;
    rig.fleet.home.apply(FLEET).await?;
    let password = rig.fleet.home.add_person("ada", &[]).await?;
    let mut figures = guesses(&rig, &password).await?;
    figures.extend(storm(&rig).await?);
    Ok(figures)
}

async fn guesses(rig: &Rig, password: &str) -> anyhow::Result<Vec<Figure>> {
    let mut asking = JoinSet::new();
    for number in 0..GUESSES {
        let caller = Caller::of(rig, number, number % ADDRESSES)?;
        asking.spawn(async move { caller.log_in("ada", &format!("guess number {number}")).await });
    }
    let statuses = count(asking).await?;
    // The right password does not help a stranger now: whoever guesses must not learn that it was right.
    let late = Caller::of(rig, 0, ADDRESSES)?.log_in("ada", password).await?;
    let evaluated = statuses.get(&401).copied().unwrap_or_default();
    let other = statuses.iter().filter(|(status, _)| ![401, 429, 503].contains(*status));
    Ok(vec![
        Figure::at_least("guesses that were evaluated", evaluated, 1),
        Figure::at_most("guesses that were evaluated, at most", evaluated, EVALUATED),
        Figure::none_of(
            "other answers to a guess",
            other.map(|(status, times)| format!("{status}, {times} times")).collect(),
        ),
        Figure::none_of(
            "strangers who got in right after it",
            (late != 429).then(|| format!("answered {late}")).into_iter().collect(),
        ),
    ])
}

async fn storm(rig: &Rig) -> anyhow::Result<Vec<Figure>> {
    let url = format!("{}/.well-known/jwks.json", rig.fleet.home.url());
    let idle = watched(rig, &url, sleep(Duration::from_secs(3))).await?.0;
    let resident = || -> anyhow::Result<Vec<usize>> {
        rig.fleet.issuers.iter().map(|replica| Ok(usize::try_from(replica.process.resident()?)?)).collect()
    };
    let before = resident()?;
    let (mut asking, crowd) = (JoinSet::new(), crowd()?);
    for number in 0..STORM {
        let caller = Caller::of(rig, number, ADDRESSES + 1 + number)?;
        let log_in =
            async move { caller.log_in(&format!("nobody-{number}"), "a password that is wrong").await };
        asking.spawn_on(log_in, crowd.handle());
    }
    let started = Instant::now();
    let (busy, statuses) = watched(rig, &url, count(asking)).await?;
    let (took, statuses) = (started.elapsed(), statuses?);
    crowd.shutdown_background();
    let permits = std::thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).max(1));
    let grown = resident()?.iter().zip(&before).map(|(after, before)| after.saturating_sub(*before)).max();
    let answered = |status: u16| statuses.get(&status).copied().unwrap_or_default();
    let other = statuses.iter().filter(|(status, _)| ![401, 503].contains(*status));
    let (idle, busy) = (percentile(idle, 99), percentile(busy, 99));
    Ok(vec![
        Figure::at_least("of 2000 at once: passwords evaluated", answered(401), 64),
        Figure::at_least("of 2000 at once: told to come back", answered(503), 1),
        Figure::none_of(
            "of 2000 at once: other answers",
            other.map(|(status, times)| format!("{status}, {times} times")).collect(),
        ),
        Figure::shown("of 2000 at once: all answered in", took),
        Figure::at_most(
            "a replica's memory grew by, in MiB",
            grown.unwrap_or_default() >> 20,
            (permits * HASH + REQUESTS) >> 20,
        ),
        Figure::shown("p99 of the key set, idle", idle),
        // Three replicas and the database share the machine.
        Figure::times(
            "p99 of the key set in the storm, against idle",
            busy.as_secs_f64() / idle.as_secs_f64().max(1e-3),
            2.0,
        )
        .of_machine(),
    ])
}

/// Where two thousand people are: elsewhere, so that their work is not taken from those whom it is to be measured on.
fn crowd() -> io::Result<Runtime> {
    let leave_the_machine_to_others = || {
        let _ = rustix::process::nice(19);
    };
    Builder::new_multi_thread().on_thread_start(leave_the_machine_to_others).enable_all().build()
}

/// Who types a password, from an address of this machine's own, to one of the replicas.
struct Caller {
    http: reqwest::Client,
    url: String,
}

impl Caller {
    fn of(rig: &Rig, number: usize, address: usize) -> anyhow::Result<Self> {
        let replica = &rig.fleet.issuers[number % rig.fleet.issuers.len()];
        let [.., high, low] = u32::try_from(address)?.to_be_bytes();
        // Limits are by network, not by single addresses.
        let address = IpAddr::V4(Ipv4Addr::new(127, 1 + high, low, 1));
        let http =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).local_address(address);
        let url = format!("{}/login", replica.process.url());
        Ok(Self { http: http.tls_certs_only([]).build()?, url })
    }

    async fn log_in(&self, username: &str, password: &str) -> anyhow::Result<u16> {
        let body = json!({ "client_id": CLIENT, "username": username, "password": password });
        let reply = self.http.post(&self.url).json(&body).send().await.context("an answer")?;
        Ok(reply.status().as_u16())
    }
}

/// How long the key set takes to come while something goes on, again and again.
async fn watched<T>(
    rig: &Rig,
    url: &str,
    going_on: impl Future<Output = T>,
) -> anyhow::Result<(Vec<Duration>, T)> {
    let (http, url) = (rig.fleet.http.clone(), url.to_owned());
    let (over, mut is_over) = oneshot::channel::<()>();
    let asking = tokio::spawn(async move {
        let mut took = Vec::new();
        while matches!(is_over.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            let start = Instant::now();
            let reply = http.get(&url).send().await?;
            anyhow::ensure!(reply.status() == 200, "the key set: {}", reply.status());
            reply.bytes().await?;
            took.push(start.elapsed());
            sleep(PACE).await;
        }
        Ok(took)
    });
    let ended = going_on.await;
    drop(over);
    Ok((asking.await??, ended))
}

/// How often each status was answered.
async fn count(mut asking: JoinSet<anyhow::Result<u16>>) -> anyhow::Result<BTreeMap<u16, usize>> {
    let mut statuses = BTreeMap::new();
    while let Some(status) = asking.join_next().await {
        *statuses.entry(status??).or_default() += 1;
    }
    Ok(statuses)
}
