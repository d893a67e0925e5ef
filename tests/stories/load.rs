use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use e2e::{Database, Fleet, LEDGER, ORDERS};

const REQUESTS: usize = 100_000;
const ROTATIONS: usize = 20;
/// Two for each core of a small machine, so that the services and not their clients are the limit.
const CALLERS: usize = 8;
const LONGEST: Duration = Duration::from_secs(600);

/// What happened, told by everybody who took part.
#[derive(Default)]
struct Ledger {
    accepted: AtomicUsize,
    rejected: Mutex<Vec<String>>,
    over: AtomicBool,
    tokens: Mutex<HashMap<&'static str, (String, Instant)>>,
    kids: Mutex<HashSet<String>>,
}

// S-33 S-34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_without_one_rejected_token() -> anyhow::Result<()> {
    let fleet = Arc::new(Fleet::start(&Database::Sqlite, crate::COMPRESSED).await?);
    let ledger = Arc::new(Ledger::default());
    renew(&fleet, &ledger).await?;
    let issuing = tokio::spawn(issue(Arc::clone(&fleet), Arc::clone(&ledger)));
    let calling: Vec<_> = (0..CALLERS)
        .map(|number| tokio::spawn(call(Arc::clone(&fleet), Arc::clone(&ledger), number)))
        .collect();

    let start = Instant::now();
    let done = || {
        let rotated = ledger.kids.lock().is_ok_and(|kids| kids.len() > 2 * ROTATIONS);
        rotated && ledger.accepted.load(Ordering::Relaxed) >= REQUESTS
    };
    while !done() && start.elapsed() < LONGEST {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ledger.over.store(true, Ordering::Relaxed);
    issuing.await??;
    for caller in calling {
        caller.await?;
    }
    let accepted = ledger.accepted.load(Ordering::Relaxed);
    let rotations = ledger.kids.lock().map_or(0, |kids| kids.len() / 2) - 1;
    let rejected = ledger.rejected.lock().map(|rejected| rejected.clone()).unwrap_or_default();
    println!("{accepted} requests accepted across {rotations} rotations, {} rejected", rejected.len());
    assert_eq!(rejected, Vec::<String>::new());
    assert!(accepted >= REQUESTS, "{accepted} requests in {LONGEST:?}");
    assert!(rotations >= ROTATIONS, "{rotations} rotations in {LONGEST:?}");
    Ok(())
}

/// Keeps a fresh token for each audience, and notes the keys that signed.
async fn issue(fleet: Arc<Fleet>, ledger: Arc<Ledger>) -> anyhow::Result<()> {
    while !ledger.over.load(Ordering::Relaxed) {
        renew(&fleet, &ledger).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn renew(fleet: &Fleet, ledger: &Ledger) -> anyhow::Result<()> {
    for audience in [ORDERS, LEDGER] {
        let asked = Instant::now();
        let token = fleet.token("batch", audience).await?;
        let header = token.split('.').next().unwrap_or_default().to_owned();
        let (Ok(mut kids), Ok(mut tokens)) = (ledger.kids.lock(), ledger.tokens.lock()) else {
            anyhow::bail!("a caller panicked");
        };
        kids.insert(header);
        tokens.insert(audience, (token, asked));
    }
    Ok(())
}

/// Calls both services with whatever token was issued last, and now and then with one that is as old as it may be.
async fn call(fleet: Arc<Fleet>, ledger: Arc<Ledger>, number: usize) {
    let both = [(&fleet.orders, ORDERS, "/orders"), (&fleet.ledger, LEDGER, "/entries")];
    let mut kept: Option<(String, Instant)> = None;
    while !ledger.over.load(Ordering::Relaxed) {
        let (service, audience, path) = both[number % 2];
        let fresh = ledger.tokens.lock().ok().and_then(|tokens| tokens.get(audience).cloned());
        // Times are whole seconds: a token of 3 s is surely alive for 2 s.
        let alive = kept.take().filter(|(_, asked)| asked.elapsed() < Duration::from_millis(1900));
        let Some(token) = alive.or(fresh) else { continue };
        match service.get(&fleet.http, path, &token.0).await {
            Ok(reply) if reply.status == 200 => {
                ledger.accepted.fetch_add(1, Ordering::Relaxed);
            }
            outcome => {
                let outcome = outcome.map(|reply| (reply.status, reply.body));
                let age = token.1.elapsed();
                if let Ok(mut rejected) = ledger.rejected.lock() {
                    rejected.push(format!("{audience} after {age:?}: {outcome:?}"));
                }
            }
        }
        kept = Some(token);
    }
}
