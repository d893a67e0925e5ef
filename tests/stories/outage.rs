use std::time::{Duration, Instant};

use e2e::{Database, Fleet, IssuerHome, LEDGER, ORDERS, Reply, Service, client, until};

const PATIENCE: Duration = Duration::from_secs(45);

// S-22
#[tokio::test]
async fn services_outlive_the_issuer_for_as_long_as_it_said_and_then_answer_503_never_401()
-> anyhow::Result<()> {
    let staleness = Duration::from_secs(6);
    let settings = [crate::BY_HAND, &[("VERIFIERS_STALENESS", "6s")]].concat();
    let mut fleet = Fleet::start(&Database::of_run(), &settings).await?;
    let token = fleet.token("web", ORDERS).await?;
    fleet.stop_issuer().await?;
    let stopped = Instant::now();
    let mut served_until = Duration::ZERO;
    let unavailable = loop {
        let reply = fleet.orders.get(&fleet.http, "/orders", &token).await?;
        match reply.status {
            200 => served_until = stopped.elapsed(),
            503 => break reply,
            other => panic!("a good token was answered with {other} after {:?}", stopped.elapsed()),
        }
        assert!(stopped.elapsed() < PATIENCE, "served beyond the time of staleness");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    // The last contact was up to one refresh (0.88 s) before the stop.
    assert!(served_until + Duration::from_millis(1500) > staleness, "served for {served_until:?} only");
    assert!(served_until < staleness + Duration::from_millis(500), "served for {served_until:?}");
    assert!(unavailable.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    let ready = Reply::of(fleet.http.get(format!("{}/readyz", fleet.orders.url()))).await?;
    assert_eq!(ready.status, 503);

    fleet.start_issuer().await?;
    let served = || async {
        let reply = fleet.orders.get(&fleet.http, "/orders", &token).await.ok()?;
        assert_ne!(reply.status, 401, "a good token");
        (reply.status == 200).then_some(())
    };
    until("the service serves again", PATIENCE, served).await
}

// S-29
#[tokio::test]
async fn a_service_starts_while_the_issuer_is_away_and_becomes_ready_when_it_comes() -> anyhow::Result<()> {
    let home = IssuerHome::init(&Database::of_run(), crate::BY_HAND).await?;
    let arguments = [("--issuer", home.url()), ("--audience", LEDGER)];
    let service = Service::start("ledger", &arguments, &home.path().join("ledger")).await?;
    let http = client();
    let status = async |path: &str| {
        Reply::of(http.get(format!("{}{path}", service.url()))).await.map(|reply| reply.status)
    };
    assert_eq!(status("/livez").await?, 200);
    assert_eq!(status("/readyz").await?, 503);
    let key = claviger_testkit::TestKey::es256();
    let token = key.access_token(&serde_json::json!({"sub": "x"}));
    assert_eq!(
        service.get(&http, "/entries", &token).await?.status,
        503,
        "no key set: not the token's fault"
    );
    let _issuer = home.serve().await?;
    service.ready().await
}

// S-49 S-112
#[tokio::test]
async fn with_another_key_encryption_key_keys_are_published_and_nothing_is_signed_or_made()
-> anyhow::Result<()> {
    let mut fleet = Fleet::start(&Database::of_run(), crate::BY_HAND).await?;
    let token = fleet.token("web", ORDERS).await?;
    let jwks = format!("{}/.well-known/jwks.json", fleet.home.url());
    let before = Reply::of(fleet.http.get(&jwks)).await?.body;
    fleet.stop_issuer().await?;

    let kek = fleet.home.path().join("kek");
    let right = tokio::fs::read(&kek).await?;
    tokio::fs::write(&kek, "Zt7wB1mP0xQ4nVYc8s2LkGf5RjUoAeHd3iT6yKq9MNE\n").await?;
    let wrong = fleet.home.listen(&[]).await?;
    let ready = Reply::of(fleet.http.get(format!("{}/readyz", fleet.home.url()))).await?;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("verify-only"), "{}", ready.body);
    assert_eq!(Reply::of(fleet.http.get(&jwks)).await?.body, before, "the same keys");
    let refused = fleet.token("web", ORDERS).await.map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|error| error.starts_with("503")), "{refused:?}");
    assert_eq!(fleet.orders.get(&fleet.http, "/orders", &token).await?.status, 200, "services go on");
    let rotated = fleet.home.run(&["keys", "rotate", "--now"]).await?;
    assert!(!rotated.succeeded && rotated.err.contains("verify-only"), "{}", rotated.err);
    wrong.kill().await?;

    tokio::fs::write(&kek, right).await?;
    fleet.start_issuer().await?;
    assert_eq!(Reply::of(fleet.http.get(&jwks)).await?.body, before, "no key was made in between");
    let token = fleet.token("web", ORDERS).await?;
    assert_eq!(fleet.orders.get(&fleet.http, "/orders", &token).await?.status, 200);
    Ok(())
}

// S-107
#[tokio::test]
async fn a_second_issuer_on_the_same_file_does_not_start() -> anyhow::Result<()> {
    let home = IssuerHome::init(&Database::Sqlite, &[]).await?;
    let _first = home.serve().await?;
    let second = home.run(&["serve"]).await?;
    assert!(!second.succeeded);
    assert!(second.err.contains("another"), "{}", second.err);
    Ok(())
}
