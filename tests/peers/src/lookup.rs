//! The look-up of a known kid while many ask and the issuer changes its set.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use arc_swap::ArcSwap;
use claviger_jose::{Kid, VerifyingKey};
use claviger_jwks_client::JwksClient;
use claviger_testkit::{TestIssuer, TestKey};
use tokio::runtime::{Builder, Runtime};

use crate::{
    plan::Plan,
    row::{Row, Run, quantile},
    stage::at_once,
};

const NAMES: [(&str, f64); 2] = [
    ("look-up, 32 readers, sets swapped, median: load and find", 0.5),
    ("look-up, 32 readers, sets swapped, p99: load and find", 0.99),
];
const READERS: usize = 32;
/// Per run. A set may be fetched every second; the client does so after 0.8.
const SWAPS: usize = 4;
/// Look-ups per measurement: enough for the clock, few enough to lie between two of the scheduler's turns.
const BATCH: u32 = 64;

/// The least that can be done: an atomic pointer, and a walk over the keys behind it. It has no idea
/// of how old they are, and lends the key instead of giving it.
type Baseline = ArcSwap<Vec<VerifyingKey>>;

/// [`JwksClient::resolve`] against the least that can be done, by the same readers in turns.
pub(crate) fn under_readers(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    if !NAMES.iter().any(|(name, _)| plan.wants(name)) {
        return Ok(Vec::new());
    }
    // One thread for issuer and client; the readers are threads of their own.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (issuer, client) = runtime.block_on(async {
        let issuer = TestIssuer::start().await;
        issuer.cache_control("max-age=1");
        let client = JwksClient::builder(issuer.url()).build()?;
        ensure!(client.ready_within(Duration::from_secs(10)).await, "the key set was not fetched");
        Ok((issuer, client))
    })?;
    let mut samples = Vec::new();
    for _ in plan.runs("look-up") {
        samples.push(run(&runtime, &issuer, &client)?);
    }
    let row = |(name, share): (&str, f64)| {
        let run = |(ours, peer): &(Vec<f64>, Vec<f64>)| Run {
            ours: quantile(ours.clone(), share),
            peer: quantile(peer.clone(), share),
        };
        let measured = Ok(samples.iter().map(run).collect());
        Row { name: name.to_owned(), goals: Vec::new(), measured, allocations: None }
    };
    Ok(NAMES.into_iter().filter(|(name, _)| plan.wants(name)).map(row).collect())
}

fn run(runtime: &Runtime, issuer: &TestIssuer, client: &JwksClient) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let baseline = Baseline::from_pointee(prepared(&keys(0))?);
    let (enough, before) = (AtomicBool::new(false), client.status().generation);
    let read = thread::scope(|scope| {
        let reader = || read(client, &baseline, &enough);
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
        let swapped = swap(runtime, issuer, &baseline);
        enough.store(true, Ordering::Relaxed);
        let read =
            readers.into_iter().map(|reader| reader.join().map_err(|_| anyhow!("a reader panicked"))?);
        read.collect::<anyhow::Result<Vec<_>>>().and_then(|read| swapped.map(|()| read))
    })?;
    // The last one may still be on its way.
    let swaps = usize::try_from(client.status().generation - before)?;
    ensure!(swaps + 1 >= SWAPS, "the client has changed its set {swaps} times instead of {SWAPS}");
    let (ours, peer): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    Ok((ours.concat(), peer.concat()))
}

/// Changes the issuer's set, and the baseline's when the client has come for it.
fn swap(runtime: &Runtime, issuer: &TestIssuer, baseline: &Baseline) -> anyhow::Result<()> {
    for turn in 1..=SWAPS {
        let keys = keys(turn);
        issuer.set_keys(&keys);
        runtime.block_on(issuer.wait_for_fetches(issuer.fetches() + 1));
        baseline.store(prepared(&keys)?.into());
    }
    Ok(())
}

/// Always with the key that is asked for; every other time with one more.
fn keys(turn: usize) -> Vec<&'static TestKey> {
    let mut keys = vec![TestKey::rs256(), TestKey::es256()];
    keys.extend((turn % 2 == 1).then(TestKey::rs256_other));
    keys
}

fn prepared(keys: &[&TestKey]) -> anyhow::Result<Vec<VerifyingKey>> {
    keys.iter().map(|key| Ok(key.jwk().verifying_key()?)).collect()
}

fn read(
    client: &JwksClient,
    baseline: &Baseline,
    enough: &AtomicBool,
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let kid: &Kid = TestKey::es256().kid();
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    while !enough.load(Ordering::Relaxed) {
        ours.push(batch(|| {
            black_box(at_once(client.resolve(kid))??);
            Ok(())
        })?);
        peer.push(batch(|| {
            let keys = baseline.load();
            black_box(keys.iter().find(|key| key.kid() == kid).context("the key is there")?);
            Ok(())
        })?);
    }
    Ok((ours, peer))
}

/// Nanoseconds per look-up.
fn batch(mut look_up: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    for _ in 0..BATCH {
        look_up()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH))
}
