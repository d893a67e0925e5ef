use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::{LEDGER, ORDERS, client, until};
use tokio::time::sleep;

use crate::{
    Run,
    figure::Figure,
    rig::{PATIENCE, Rig},
};

const M: Duration = Duration::from_mins(1);
const SETTINGS: &[(&str, &str)] =
    &[("TOKEN_LIFETIME", "10m"), ("ROTATION_TAIL", "11m"), ("VERIFIERS_STALENESS", "60s")];

/// F3.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let (services, restarts) = (run.either(4, 10), run.either(2, 5));
    let mut rig = Rig::start(&run, SETTINGS, services).await?;
    let tokens = [rig.fleet.token("batch", ORDERS).await?, rig.fleet.token("batch", LEDGER).await?];
    let http = client();
    // Each has written what it holds.
    sleep(Duration::from_secs(2)).await;
    rig.fleet.stop_issuer().await?;
    let (down, mut rejected, mut starts) = (Instant::now(), Vec::new(), Vec::new());
    for number in 0..services * restarts {
        let number = number % services;
        let start = Instant::now();
        // The old process ends before the new one opens the same directory.
        rig.services[number].0.process.stop().await?;
        rig.services[number] = rig.start_service(number, &[], &[]).await?;
        let (service, _) = &rig.services[number];
        let token = &tokens[number % 2];
        let decided = || async {
            let reply = service.get(&http, "/whoami", token).await.ok()?;
            (reply.status != 503).then_some(reply.status)
        };
        let status = until("the service decides", PATIENCE, decided).await?;
        starts.push(start.elapsed());
        if status != 200 {
            rejected.push(format!("service {number} answered {status}"));
        }
    }
    ensure!(down.elapsed() < M, "the restarts took longer than M");
    let mut after = Vec::new();
    let silent = || async {
        let reply = rig.services[0].0.get(&http, "/whoami", &tokens[0]).await.ok()?;
        (reply.status == 503).then(|| down.elapsed())
    };
    let refused_after = until("the first service gives up", M + PATIENCE, silent).await?;
    sleep((M + Duration::from_secs(3)).saturating_sub(down.elapsed())).await;
    for (number, (service, _)) in rig.services.iter().enumerate() {
        let status = service.get(&http, "/whoami", &tokens[number % 2]).await?.status;
        if status != 503 {
            after.push(format!("service {number} answered {status}"));
        }
    }
    Ok(vec![
        Figure::counted("restarts of services without an issuer", starts.len()),
        Figure::none_of("V1: good tokens rejected", rejected),
        Figure::swift(
            "slowest start, to the first decision",
            starts.into_iter().max().unwrap_or_default(),
            Duration::from_secs(2),
        ),
        Figure::took("a service gives up after", refused_after, M + Duration::from_secs(1)),
        Figure::none_of("answers other than 503 beyond M", after),
    ])
}
