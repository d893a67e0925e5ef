use std::time::{Duration, Instant};

use e2e::{Reply, until};
use tokio::time::sleep;

use crate::{
    Run,
    figure::Figure,
    rig::{PATIENCE, Rig},
};

/// Good tokens for the whole time, and services that go on for as long.
const SETTINGS: &[(&str, &str)] =
    &[("TOKEN_LIFETIME", "10m"), ("ROTATION_TAIL", "11m"), ("VERIFIERS_STALENESS", "10m")];

/// F2.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let rig = Rig::start(&run, SETTINGS, 4).await?;
    let loading = rig.load(40, 50).await?;
    sleep(Duration::from_secs(3)).await;
    let (before, start) = (loading.account().grants.len(), Instant::now());
    rig.server.stop()?;
    let (mut asked, mut published) = (0, 0);
    while start.elapsed() < Duration::from_secs(run.either(12, 600)) {
        sleep(Duration::from_millis(100)).await;
        for replica in &rig.fleet.issuers {
            let set = rig.fleet.http.get(format!("{}/.well-known/jwks.json", replica.process.url()));
            asked += 1;
            published += usize::from(Reply::of(set).await.is_ok_and(|set| set.status == 200));
        }
    }
    let (during, back) = (loading.account().grants, Instant::now());
    rig.server.start_again()?;
    rig.healthy().await?;
    let issued = || async { rig.fleet.token("batch", e2e::ORDERS).await.ok() };
    until("tokens are issued again", PATIENCE, issued).await?;
    let recovered = back.elapsed();
    sleep(Duration::from_secs(2)).await;
    let account = rig.end(loading).await;

    let allowed = |grant: &&e2e::account::Grant| {
        grant.status == 200 || (grant.status == 503 && grant.error == "temporarily_unavailable")
    };
    let wrong = during[before..].iter().filter(|grant| !allowed(grant));
    let wrong = wrong.map(|grant| format!("{} {}", grant.status, grant.error)).collect();
    let served = account.answers.len() - account.unanswered();
    let mut figures = vec![
        Figure::all_of("key set served, of all requests to all replicas", published, asked),
        Figure::all_of("requests that services could decide", served, account.answers.len()),
        Figure::none_of("wrong errors of the token endpoint", wrong),
        Figure::counted(
            "token requests answered with 503",
            during[before..].iter().filter(|grant| grant.status == 503).count(),
        ),
        Figure::swift("recovery", recovered, Duration::from_secs(5)),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}
