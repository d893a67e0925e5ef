use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use claviger_jose::{Clock, NumericDate};
use claviger_jwks_client::{FetchError, JwksClient, KeyError, SystemClock, Timing};
use claviger_testkit::{Fault, TestIssuer, TestKey};
use tokio::runtime::Handle;

use crate::{is_unavailable, nobodys_kid};

/// Waits until this runtime has no more tasks than that; answers whether it came true.
async fn falls_to(tasks: usize) -> bool {
    let fallen = async {
        while Handle::current().metrics().num_alive_tasks() > tasks {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), fallen).await.is_ok()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn build(issuer: &str) -> JwksClient {
    JwksClient::builder(issuer).build().unwrap()
}

#[tokio::test]
async fn what_is_built_alike_is_one_client_with_one_task() {
    let issuer = TestIssuer::start().await;
    let before = tasks();
    let clients: Vec<JwksClient> = (0..100).map(|_| build(issuer.url())).collect();
    assert_eq!(tasks(), before + 1);
    assert!(clients[0].ready_within(Duration::from_secs(10)).await);
    assert!(clients.iter().all(|client| client.known(TestKey::es256().kid()).is_some()));
    assert_eq!((issuer.metadata_fetches(), issuer.fetches()), (1, 1));
    // What is denied outlives the test, and another may get the port: a kid that no test has.
    clients[1].deny_kid(&"denied-of-one-client".parse().unwrap()).unwrap();
    assert_eq!(clients[2].status().denied, 1, "a key that is dead for one is dead for all");
    // The connections of the issuer end on their own; what counts is the one task of the client.
    drop(clients);
    assert!(falls_to(before).await);
}

#[tokio::test]
async fn what_is_built_otherwise_is_another_client() {
    let issuer = TestIssuer::start().await;
    let plain = || JwksClient::builder(issuer.url());
    let timing = Timing::default().with_freshness(Duration::from_mins(2)).unwrap();
    let before = tasks();
    let clients = [
        plain().build(),
        plain().timing(timing).build(),
        plain().jwks_url(&issuer.jwks_url()).build(),
        plain().foreign_kids().build(),
        plain().clock(Arc::new(SystemClock::new())).build(),
    ];
    assert_eq!(tasks(), before + clients.len());
    for client in &clients {
        assert!(client.as_ref().unwrap().resolve(TestKey::es256().kid()).await.is_ok());
    }
}

#[tokio::test]
async fn a_key_that_is_denied_is_dead_for_all_clients_of_the_issuer_and_those_to_come() {
    let (server, directory) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    // A name that no other test has, for it stays denied.
    let plain = || JwksClient::builder("https://denied.id.test").jwks_url(&server.jwks_url());
    let timing = Timing::default().with_freshness(Duration::from_mins(2)).unwrap();
    let kid = TestKey::es256().kid();
    let (first, second) = (plain().build().unwrap(), plain().timing(timing).build().unwrap());
    let apart = plain().clock(Arc::new(SystemClock::new())).build().unwrap();
    for client in [&first, &second, &apart] {
        assert!(client.resolve(kid).await.is_ok());
    }
    first.deny_kid(kid).unwrap();
    assert!(second.known(kid).is_none());
    assert_eq!((second.status().denied, second.generation()), (1, 2));
    assert!(apart.known(kid).is_some(), "a clock of its own is a world of its own");
    drop((first, second));
    let fixed = plain_set("https://denied.id.test");
    assert!(fixed.known(kid).is_none());
    // A copy that was written after the end of all clients has it, too.
    let next = plain().disk_copy(directory.path().join("jwks")).build().unwrap();
    assert_eq!(next.resolve(kid).await.unwrap_err(), KeyError::UnknownKid);
    let other = plain_set("https://other.id.test");
    assert!(other.known(kid).is_some());
}

fn plain_set(issuer: &str) -> JwksClient {
    JwksClient::builder(issuer).fixed_set(crate::set_of(&[TestKey::es256()])).build().unwrap()
}

#[tokio::test]
async fn a_client_that_is_built_again_after_its_end_begins_anew() {
    let issuer = TestIssuer::start().await;
    for life in 1..=3 {
        let client = build(issuer.url());
        assert!(client.ready_within(Duration::from_secs(10)).await);
        assert_eq!((client.generation(), issuer.fetches()), (1, life));
    }
}

// S-23
#[tokio::test]
async fn two_issuers_do_not_share_task_bucket_or_state() {
    let (good, bad) = (TestIssuer::start().await, TestIssuer::start().await);
    let clients = [build(good.url()), build(bad.url())];
    for client in &clients {
        assert!(client.ready_within(Duration::from_secs(10)).await);
    }
    // Even where one hangs and its bucket is empty, the other answers and learns.
    bad.fault(Fault::Hang);
    let stuck = tokio::spawn({
        let client = clients[1].clone();
        async move { client.resolve(&nobodys_kid()).await.map(|_| ()) }
    });
    bad.wait_for_fetches(2).await;
    for _ in 0..100 {
        assert_eq!(clients[0].resolve(&nobodys_kid()).await.unwrap_err(), KeyError::UnknownKid);
    }
    assert_eq!((good.fetches(), bad.fetches()), (3, 2), "the flood was charged to its own bucket");
    assert!(is_unavailable(stuck.await.unwrap().unwrap_err()));
    bad.heal();
    bad.set_keys(&[TestKey::rs256_other()]);
    // What is denied outlives the test, and another may get the port: a kid that no test has.
    clients[0].deny_kid(&"denied-of-one-issuer".parse().unwrap()).unwrap();
    assert_eq!(clients[1].status().denied, 0);
    let failed = async {
        while clients[1].status().fetches.failed == 0 {
            let _ = clients[1].refresh_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), failed).await.expect("the attempt ends");
    clients[1].refresh_now().await.unwrap();
    assert!(clients[0].known(TestKey::rs256_other().kid()).is_none());
    assert!(clients[1].known(TestKey::rs256_other().kid()).is_some());
    let status = clients[0].status();
    assert_eq!((status.last_error, status.fetches.failed, status.denied), (None, 0, 1));
}

/// A clock that can be made to panic in the client's task, as a recorder of metrics or a subscriber of traces may.
struct FaultyClock {
    clock: SystemClock,
    faulty: AtomicBool,
}

impl fmt::Debug for FaultyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyClock")
    }
}

impl Clock for FaultyClock {
    fn now(&self) -> NumericDate {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        // The test itself runs in no task.
        let in_task = tokio::task::try_id().is_some();
        assert!(!(in_task && self.faulty.load(SeqCst)), "this panic is part of the test");
        self.clock.monotonic()
    }
}

#[test]
fn a_client_whose_runtime_has_ended_says_so() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (lasting, ending) = (runtime(), runtime());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks");
    let issuer = lasting.block_on(TestIssuer::start());
    // One thread for both: the issuer runs while it is waited for.
    let client =
        ending.block_on(async { JwksClient::builder(issuer.url()).disk_copy(&path).build().unwrap() });
    drop(ending);
    let status = client.status();
    assert_eq!((status.last_error, status.fetches.failed), (Some(FetchError::Interrupted), 1));
    assert!(status.last_error.unwrap().remedy().contains("the runtime must live as long"));
    lasting.block_on(async {
        assert_eq!(client.refresh_now().await, Err(FetchError::Interrupted));
        assert!(is_unavailable(client.resolve(TestKey::es256().kid()).await.unwrap_err()));
        // Whoever builds it again gets one that lives, and the place on the disk.
        let again = JwksClient::builder(issuer.url()).disk_copy(&path).build().unwrap();
        assert!(again.resolve(TestKey::es256().kid()).await.is_ok());
    });
}

#[tokio::test]
async fn a_panic_in_the_task_is_an_attempt_that_failed_and_not_its_end() {
    let issuer = TestIssuer::start().await;
    let clock = Arc::new(FaultyClock { clock: SystemClock::new(), faulty: AtomicBool::new(false) });
    let client = JwksClient::builder(issuer.url()).clock(clock.clone()).build().unwrap();
    assert!(client.ready_within(Duration::from_secs(10)).await);
    clock.faulty.store(true, SeqCst);
    assert!(client.resolve(&nobodys_kid()).await.is_err());
    assert!(client.resolve(TestKey::es256().kid()).await.is_ok(), "known keys do not depend on the task");
    clock.faulty.store(false, SeqCst);
    issuer.set_keys(&[TestKey::es256_other()]);
    let recovered = async {
        while client.resolve(TestKey::es256_other().kid()).await.is_err() {
            let _ = client.refresh_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recovered).await.expect("the task goes on");
    assert_eq!(client.status().last_error, None::<FetchError>);
}
