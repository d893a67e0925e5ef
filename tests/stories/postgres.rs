use std::time::Duration;

use e2e::{Database, Fleet, ORDERS, Reply, postgres::Postgres, until};

const PATIENCE: Duration = Duration::from_secs(20);

// S-108
#[tokio::test]
async fn the_main_job_is_the_same_on_postgresql() -> anyhow::Result<()> {
    let Some(server) = Postgres::shared() else { return Ok(()) };
    let database = Database::Postgres(server.create_database()?);
    let mut fleet = Fleet::start(&database, crate::BY_HAND).await?;
    let before = fleet.token("web", ORDERS).await?;
    let rotated =
        || async { fleet.home.run(&["keys", "rotate", "--now"]).await.ok().filter(|ran| ran.succeeded) };
    until("the lead has passed and the keys rotate", PATIENCE, rotated).await?;
    let header = |token: &str| token.split('.').next().map(str::to_owned);
    let after = until("the issuer signs with the next key", PATIENCE, || async {
        fleet.token("web", ORDERS).await.ok().filter(|token| header(token) != header(&before))
    });
    for token in [before.clone(), after.await?] {
        assert_eq!(fleet.orders.get(&fleet.http, "/orders", &token).await?.status, 200);
    }
    fleet.stop_issuer().await?;
    fleet.start_issuer().await?;
    assert_eq!(
        fleet.orders.get(&fleet.http, "/orders", &fleet.token("web", ORDERS).await?).await?.status,
        200
    );
    Ok(())
}

// S-35 S-37 S-78 S-110
#[tokio::test]
async fn without_its_database_an_issuer_publishes_keys_and_issues_nothing_after_its_lease()
-> anyhow::Result<()> {
    if Postgres::shared().is_none() {
        return Ok(());
    }
    let server = tokio::task::spawn_blocking(Postgres::start).await??;
    let database = Database::Postgres(server.create_database()?);
    let fleet = Fleet::start(&database, crate::BY_HAND).await?;
    let token = fleet.token("web", ORDERS).await?;
    tokio::task::spawn_blocking(move || drop(server)).await?;

    let refused = || async { fleet.token("web", ORDERS).await.err().map(|error| error.to_string()) };
    let refused = until("issuing stops", PATIENCE, refused).await?;
    assert!(refused.starts_with("503") && refused.contains("temporarily_unavailable"), "{refused}");
    let jwks = Reply::of(fleet.http.get(format!("{}/.well-known/jwks.json", fleet.home.url()))).await?;
    assert_eq!(jwks.status, 200);
    let age: u64 = jwks.headers["age"].to_str()?.parse()?;
    assert!(age >= 1, "it says that the lease is over");
    let ready = Reply::of(fleet.http.get(format!("{}/readyz", fleet.home.url()))).await?;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("lease"), "{}", ready.body);
    assert_eq!(fleet.orders.get(&fleet.http, "/orders", &token).await?.status, 200, "services go on");
    Ok(())
}
