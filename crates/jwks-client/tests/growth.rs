//! What is left of clients that are gone. A binary of its own: nothing else may run in the process that is measured.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{env, fs, sync::Arc, time::Duration};

use claviger_jose::NumericDate;
use claviger_jwks_client::JwksClient;
use claviger_testkit::{Fault, TestClock, TestIssuer, TestKey};
use tokio::{runtime::Handle, sync::Mutex, task::yield_now, time::timeout};

const HANDLES: u16 = 10_000;
/// What the allocator may keep for itself.
const TOLERATED_KIB: usize = 2 * 1024;
/// What an attack may cost (SECURITY.md, item 24).
const ATTACK_KIB: usize = 1024;

/// One test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// The resident memory of this process, in KiB, or `None` where the system does not say.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Makes and drops handles: half of them of clients that are built alike, the others each of its own.
async fn make_and_drop(issuer: &TestIssuer, tasks_before: usize) {
    for number in 0..HANDLES {
        let own = format!("http://127.0.0.1:{}", number + 1);
        let url = if number % 2 == 0 { issuer.url() } else { &own };
        let client = JwksClient::builder(url).build().unwrap();
        drop((client.clone(), client));
        yield_now().await;
    }
    let fallen = async {
        while tasks() > tasks_before {
            yield_now().await;
        }
    };
    assert!(timeout(Duration::from_secs(10), fallen).await.is_ok(), "{} tasks are left", tasks());
}

/// The growth since `warm`, if the system tells.
fn growth_since(warm: Option<usize>) -> Option<usize> {
    let growth = warm.zip(resident()).map(|(warm, after)| after.saturating_sub(warm));
    if growth.is_none() {
        assert!(env::var_os("CI").is_none(), "the memory of this process cannot be read");
        eprintln!("SKIPPED the look at the memory: there is no /proc/self/status");
    }
    growth
}

#[tokio::test]
async fn ten_thousand_handles_leave_no_task_and_no_memory() {
    let _alone = ALONE.lock().await;
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::Hang);
    let before = tasks();
    make_and_drop(&issuer, before).await;
    let warm = resident();
    make_and_drop(&issuer, before).await;
    if let Some(growth) = growth_since(warm) {
        println!("{HANDLES} handles made and dropped: {growth} KiB more");
        assert!(growth <= TOLERATED_KIB, "{growth} KiB more");
    }
}

// S-24
#[tokio::test]
async fn what_an_issuer_sends_does_not_grow_the_memory() {
    let _alone = ALONE.lock().await;
    let issuer = TestIssuer::start().await;
    let clock = TestClock::at(NumericDate::from_secs(0));
    let client = JwksClient::builder(issuer.url()).clock(Arc::new(clock.clone())).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    let attack = async || {
        let faults = [
            Fault::Huge,
            Fault::GzipBomb,
            Fault::TooManyKeys,
            Fault::Html,
            Fault::TruncatedJson,
            Fault::EmptySet,
        ];
        for fault in faults {
            issuer.fault(fault);
            clock.advance(Duration::from_secs(1));
            assert!(client.refresh_now().await.is_err());
            assert!(client.known(TestKey::es256().kid()).is_some());
        }
    };
    attack().await;
    let warm = resident();
    for _ in 0..20 {
        attack().await;
    }
    if let Some(growth) = growth_since(warm) {
        println!("20 rounds of faults: {growth} KiB more");
        assert!(growth <= ATTACK_KIB, "{growth} KiB more");
    }
}
