use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use claviger_jose::base64url;
use claviger_testkit::{Fault, TestIssuer, TestKey};
use e2e::{LEDGER, Service, client, until};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(45);
/// Twice what is aimed at: what the allocator keeps for each thread is not the same from run to run.
const MAX_GROWTH: u32 = 2 * 1024 * 1024;

/// What a service did while its issuer did wrong.
struct Row {
    fault: &'static str,
    known: Duration,
    unknown: (u16, Duration),
    growth: u32,
}

// S-21 S-22 S-24 S-26 S-27
#[tokio::test]
async fn no_fault_of_a_key_set_endpoint_changes_a_decision() -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for fault in Fault::all() {
        running.spawn(async move {
            let name = format!("{fault:?}");
            under(fault).await.with_context(|| name)
        });
    }
    let mut rows = Vec::new();
    while let Some(row) = running.join_next().await {
        rows.push(row??);
    }
    rows.sort_by(|left, right| left.fault.cmp(right.fault));
    println!("fault | known kid: 200 within | unknown kid | memory");
    for Row { fault, known, unknown: (status, waited), growth } in &rows {
        println!("{fault} | {known:.1?} | {status} after {waited:.1?} | +{} KiB", growth / 1024);
    }
    Ok(())
}

/// A service that has its keys, while the issuer has this fault and after it.
async fn under(fault: Fault) -> anyhow::Result<Row> {
    let issuer = TestIssuer::start().await;
    issuer.cache_control("max-age=1");
    let state = tempfile::tempdir()?;
    let arguments = [("--issuer", issuer.url()), ("--audience", LEDGER)];
    let service = Service::start("ledger", &arguments, state.path()).await?;
    service.ready().await?;
    let http = client();
    let good = issuer.token(LEDGER).scope("ledger:read").sign_with(TestKey::es256());
    let forged = with_another_signature(&good);
    let unknown = issuer.token(LEDGER).scope("ledger:read").sign_with(TestKey::es256_other());
    let healed = async |what| {
        issuer.heal();
        let asked = issuer.fetches();
        let knows_again = || async {
            let reply = service.get(&http, "/entries", &unknown).await.ok()?;
            (reply.status == 401 && issuer.fetches() > asked).then_some(())
        };
        until(what, PATIENCE, knows_again).await
    };

    // What a process needs for its first failures is there before it is measured.
    issuer.fault(Fault::Huge);
    let asked = issuer.fetches();
    issuer.wait_for_fetches(asked + 1).await;
    for _ in 0..20 {
        ensure!(service.get(&http, "/entries", &good).await?.status == 200);
        ensure!(service.get(&http, "/entries", &forged).await?.status == 401);
    }
    healed("the service has fetched a set after its first failure").await?;
    let memory = service.process.resident()?;

    issuer.fault(fault.clone());
    let asked = issuer.fetches();
    issuer.wait_for_fetches(asked + 1).await;
    let mut known = Duration::ZERO;
    for _ in 0..20 {
        let start = Instant::now();
        let reply = service.get(&http, "/entries", &good).await?;
        ensure!(reply.status == 200, "a good token was answered with {}", reply.status);
        known = known.max(start.elapsed());
        let reply = service.get(&http, "/entries", &forged).await?;
        ensure!(reply.status == 401, "a forged token was answered with {}", reply.status);
    }
    let start = Instant::now();
    let reply = service.get(&http, "/entries", &unknown).await?;
    let unknown_after = start.elapsed();
    let expected = answers_to_unknown_kids(&fault);
    ensure!(expected.contains(&reply.status), "an unknown kid was answered with {}", reply.status);

    healed("the service has fetched a set again").await?;
    ensure!(service.get(&http, "/entries", &good).await?.status == 200);
    let growth = service.process.resident()?.saturating_sub(memory);
    ensure!(growth <= MAX_GROWTH, "the service has grown by {growth} bytes");
    Ok(Row { fault: fault.name(), known, unknown: (reply.status, unknown_after), growth })
}

/// Who got a set that can be trusted knows that the kid is none of the issuer's; who got none does not.
fn answers_to_unknown_kids(fault: &Fault) -> &'static [u16] {
    match fault {
        Fault::Slow(pause) if *pause < Duration::from_secs(2) => &[401],
        // The metadata is not asked for again while the set comes.
        Fault::UnaskedNotModified | Fault::OneBadEntry | Fault::ContradictingIssuer => &[401],
        // Fresh a moment ago, and then a copy that is a day old, which knows nothing of newer keys.
        Fault::StaleCopy => &[401, 503],
        _ => &[503],
    }
}

fn with_another_signature(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap_or_default();
    format!("{signed}.{}", base64url::encode(&[7; 64]))
}
