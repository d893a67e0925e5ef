use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use e2e::{Database, Fleet, LEDGER, ORDERS, Wire, get_request, until};
use tokio::{sync::watch, task::JoinSet};

const REQUESTS: usize = 100_000;
const ROTATIONS: usize = 20;
const CALLERS: usize = 8;
/// Between two requests of a caller: the fleet is to be busy, but not so busy that making keys takes for ever.
const PAUSE: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_mins(5);
/// For how long each caller goes on with one token. Times are whole seconds: a token of 3 s is surely
/// alive for 2 s.
const ALIVE: Duration = Duration::from_millis(1900);

/// The newest token of an audience and when it was asked for.
type Issued = (String, Instant);

/// What happened, told by everybody who took part.
#[derive(Default)]
struct Account {
    accepted: AtomicUsize,
    rejected: Mutex<Vec<String>>,
    over: AtomicBool,
    /// The different headers of tokens: one per key that has signed.
    headers: Mutex<HashSet<String>>,
}

impl Account {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Rotations of both algorithms.
    fn rotations(&self) -> usize {
        (self.headers.lock().unwrap_or_else(PoisonError::into_inner).len() / 2).saturating_sub(1)
    }
}

// S-33 S-34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_without_one_rejected_token() -> anyhow::Result<()> {
    let fleet = Arc::new(Fleet::start(&Database::of_run(), crate::COMPRESSED).await?);
    let account = Arc::new(Account::default());
    let mut tasks = JoinSet::new();
    for (audience, url, path) in
        [(ORDERS, fleet.orders.url(), "/orders"), (LEDGER, fleet.ledger.url(), "/entries")]
    {
        let (newest, tokens) = watch::channel(issue(&fleet, &account, audience).await?);
        for _ in 0..CALLERS / 2 {
            let wire = Wire::connect(url).await?;
            tasks.spawn(call(wire, path, tokens.clone(), Arc::clone(&account)));
        }
        tasks.spawn(keep_issuing(Arc::clone(&fleet), audience, newest, Arc::clone(&account)));
    }
    let enough = || async {
        let accepted = account.accepted.load(Ordering::Relaxed);
        (accepted >= REQUESTS && account.rotations() >= ROTATIONS).then_some(())
    };
    tokio::select! {
        outcome = until("there were enough requests and rotations", LONGEST, enough) => outcome?,
        Some(ended) = tasks.join_next() => anyhow::bail!("a task ended before its time: {ended:?}"),
    }
    account.over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let (accepted, rotations) = (account.accepted.load(Ordering::Relaxed), account.rotations());
    let rejected = account.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone();
    println!("{accepted} requests accepted across {rotations} rotations, {} rejected", rejected.len());
    assert_eq!(rejected, Vec::<String>::new());
    Ok(())
}

/// Keeps a fresh token for an audience.
async fn keep_issuing(
    fleet: Arc<Fleet>,
    audience: &'static str,
    newest: watch::Sender<Issued>,
    account: Arc<Account>,
) -> anyhow::Result<()> {
    while !account.is_over() {
        newest.send_replace(issue(&fleet, &account, audience).await?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn issue(fleet: &Fleet, account: &Account, audience: &str) -> anyhow::Result<Issued> {
    let asked = Instant::now();
    let token = fleet.token("batch", audience).await?;
    let header = token.split('.').next().unwrap_or_default().to_owned();
    account.headers.lock().unwrap_or_else(PoisonError::into_inner).insert(header);
    Ok((token, asked))
}

/// Calls a service with one token after the other, each for as long as it is surely alive, so that old ones
/// are used beside new ones.
async fn call(
    mut wire: Wire,
    path: &str,
    mut tokens: watch::Receiver<Issued>,
    account: Arc<Account>,
) -> anyhow::Result<()> {
    while !account.is_over() {
        let Ok(issued) =
            tokens.wait_for(|(_, asked)| asked.elapsed() < ALIVE).await.map(|issued| issued.clone())
        else {
            return Ok(());
        };
        let (token, asked) = issued;
        let request = get_request(path, &token);
        while asked.elapsed() < ALIVE && !account.is_over() {
            match wire.ask(&request).await? {
                200 => {
                    account.accepted.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                status => {
                    let mut rejected = account.rejected.lock().unwrap_or_else(PoisonError::into_inner);
                    rejected.push(format!("{status} at {path} after {:?}", asked.elapsed()));
                    break;
                }
            }
        }
    }
    Ok(())
}
