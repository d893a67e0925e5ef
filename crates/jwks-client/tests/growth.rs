//! What is left of clients that are gone. A binary of its own: nothing else may run in the process that is measured.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{env, fs, time::Duration};

use claviger_jwks_client::JwksClient;
use claviger_testkit::{Fault, TestIssuer};
use tokio::{runtime::Handle, task::yield_now, time::timeout};

const HANDLES: u16 = 10_000;
/// What the allocator may keep for itself.
const TOLERATED_KIB: usize = 2 * 1024;

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

#[tokio::test]
async fn ten_thousand_handles_leave_no_task_and_no_memory() {
    let issuer = TestIssuer::start().await;
    issuer.fault(Fault::Hang);
    let before = tasks();
    make_and_drop(&issuer, before).await;
    let warm = resident();
    make_and_drop(&issuer, before).await;
    let (Some(warm), Some(after)) = (warm, resident()) else {
        assert!(env::var_os("CI").is_none(), "the memory of this process cannot be read");
        eprintln!("SKIPPED the look at the memory: there is no /proc/self/status");
        return;
    };
    println!("{HANDLES} handles: {warm} KiB before, {after} KiB after");
    assert!(after.saturating_sub(warm) <= TOLERATED_KIB, "{warm} KiB before, {after} KiB after");
}
