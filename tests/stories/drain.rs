use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use e2e::{Database, Fleet, Reply, until};

// S-111
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_is_asked_to_stop_turns_unready_finishes_and_drops_no_request() -> anyhow::Result<()> {
    let settings = [&crate::BY_HAND[..crate::BY_HAND.len() - 1], &[("SERVER_DRAIN_DELAY", "2s")]].concat();
    let mut fleet = Fleet::start(&Database::of_run_for_one(), &settings).await?;
    let mut issuer = fleet.issuers.pop().expect("it was started").process;
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("{}/.well-known/jwks.json", fleet.home.url());
    let asking = {
        let (http, over, answered) = (fleet.http.clone(), Arc::clone(&over), Arc::clone(&answered));
        tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                let reply = Reply::of(http.get(&url)).await?;
                anyhow::ensure!(reply.status == 200, "{}", reply.status);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        })
    };
    issuer.terminate()?;
    let ready = format!("{}/readyz", fleet.home.url());
    let unready =
        || async { Reply::of(fleet.http.get(&ready)).await.ok().filter(|reply| reply.status == 503) };
    let reply = until("it says that it is stopping", Duration::from_secs(5), unready).await?;
    assert!(reply.body.contains("stopping"), "{}", reply.body);
    let before = answered.load(Ordering::Relaxed);
    until("requests are answered all the same", Duration::from_secs(5), || async {
        (answered.load(Ordering::Relaxed) > before + 20).then_some(())
    })
    .await?;
    over.store(true, Ordering::Release);
    asking.await??;
    assert!(issuer.ended().await?.success());
    Ok(())
}
