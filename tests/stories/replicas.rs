use std::time::{Duration, Instant};

use e2e::{Database, Fleet, LEDGER, Reply, gate::Line, postgres::Postgres, published, ready, until};

const PATIENCE: Duration = Duration::from_secs(45);

/// Three replicas over a database of their own, or `None` where there is no PostgreSQL.
async fn replicated(settings: &[(&str, &str)]) -> anyhow::Result<Option<Fleet>> {
    let Some(server) = Postgres::shared() else { return Ok(None) };
    let database = Database::Replicated(server.create_database()?);
    Ok(Some(Fleet::start(&database, &[crate::BY_HAND, settings].concat()).await?))
}

/// The status of the token endpoint of one replica.
async fn issuing(fleet: &Fleet, replica: usize) -> anyhow::Result<u16> {
    let url = format!("{}/oauth2/token", fleet.issuers[replica].process.url());
    let form = [("grant_type", "client_credentials"), ("resource", LEDGER)];
    let asked = fleet.http.post(url).basic_auth("batch", Some(fleet.secret("batch"))).form(&form);
    Ok(Reply::of(asked).await?.status)
}

// S-36 S-40
#[tokio::test]
async fn three_replicas_that_have_slept_over_three_periods_rotate_once_after_a_lead() -> anyhow::Result<()> {
    // Three seconds are the least lead as well: freshness, lease and skew.
    let lead = [("ROTATION_LEAD", "3s"), ("VERIFIERS_FRESHNESS", "2s")];
    let settings = [&lead[..], &[("ROTATION_PERIOD", "5s"), ("ROTATION_TAIL", "1h")]].concat();
    let Some(mut fleet) = replicated(&settings).await? else { return Ok(()) };
    fleet.stop_issuer().await?;
    let before = fleet.home.keys().await?;
    tokio::time::sleep(Duration::from_secs(16)).await;
    let woken = Instant::now();
    fleet.start_issuer().await?;
    let changed = || async { fleet.home.keys().await.ok().filter(|keys| *keys != before) };
    let after = until("they rotate", PATIENCE, changed).await?;
    // The clocks of databases are whole seconds.
    assert!(woken.elapsed() >= Duration::from_secs(2), "nobody was served the next key while they slept");
    for alg in ["ES256", "RS256"] {
        let of = |keys: &[e2e::ListedKey]| keys.iter().filter(|key| key.alg == alg).count();
        assert_eq!(of(&after), of(&before) + 1, "one new {alg} key: {after:?}");
        let signs = after.iter().find(|key| key.alg == alg && key.state == "active").map(|key| &key.kid);
        let was = before.iter().find(|key| Some(&key.kid) == signs).map(|key| key.state.as_str());
        assert_eq!(was, Some("prepared"), "the key that was published before");
    }
    Ok(())
}

// S-36
#[tokio::test]
async fn no_key_signs_before_every_replica_publishes_it_and_the_one_that_does_not_is_named()
-> anyhow::Result<()> {
    let settings = [("ROTATION_LEASE", "5s"), ("ROTATION_LEAD", "6s")];
    let Some(fleet) = replicated(&settings).await? else { return Ok(()) };
    let frozen = &fleet.issuers[1].process;
    frozen.freeze()?;
    let held_up = Instant::now();
    let replaced = fleet.home.kid("ES256", "prepared").await?;
    assert!(fleet.home.run(&["keys", "revoke", &replaced]).await?.succeeded);
    assert!(fleet.home.run(&["keys", "rotate"]).await?.succeeded, "the next key is made");
    let active = fleet.home.kid("ES256", "active").await?;
    let pid = frozen.id().unwrap_or_default().to_string();
    let named = || async {
        let ran = fleet.home.run(&["keys", "rotate", "--now", "--alg", "ES256"]).await.ok()?;
        assert!(!ran.succeeded || held_up.elapsed() > Duration::from_secs(15), "it rotated: {}", ran.out);
        ran.err.contains(&pid).then_some(ran.err)
    };
    until("the refusal names the replica", PATIENCE, named).await?;
    assert_eq!(fleet.home.kid("ES256", "active").await?, active);
    frozen.thaw()?;
    let rotated = || async {
        let ran = fleet.home.run(&["keys", "rotate", "--now", "--alg", "ES256"]).await.ok()?;
        ran.succeeded.then_some(())
    };
    until("it publishes the key, and the key signs", PATIENCE, rotated).await
}

// S-35
#[tokio::test]
async fn a_replica_that_is_cut_off_from_the_database_signs_for_its_lease_and_publishes_on()
-> anyhow::Result<()> {
    let settings = [("ROTATION_LEASE", "2s"), ("ROTATION_LEAD", "4s")];
    let Some(fleet) = replicated(&settings).await? else { return Ok(()) };
    for line in [Line::Cut, Line::Silent] {
        let gate = fleet.issuers[0].database.as_ref().expect("a replica has a line");
        gate.set(line);
        let cut = Instant::now();
        let stops = || async { (issuing(&fleet, 0).await.ok()? == 503).then_some(()) };
        until("it issues nothing", PATIENCE, stops).await?;
        assert!(cut.elapsed() < Duration::from_millis(3500), "{line:?}: it signed for {:?}", cut.elapsed());
        assert_eq!(issuing(&fleet, 1).await?, 200, "the others go on");
        assert!(!published(&fleet.http, fleet.issuers[0].process.url()).await?.is_empty());
        // It looks at their health now and then.
        let asked = || async { fleet.token("batch", LEDGER).await.ok() };
        until("the platform asks the others", Duration::from_secs(2), asked).await?;
        gate.set(Line::Open);
        let healed = Instant::now();
        ready(&fleet.issuers[0].process).await?;
        assert!(healed.elapsed() < Duration::from_secs(5), "{line:?}: recovery took {:?}", healed.elapsed());
    }
    Ok(())
}

// S-108 S-110
#[tokio::test]
async fn a_slow_database_ends_issuing_and_nothing_else_and_is_forgiven_at_once() -> anyhow::Result<()> {
    let settings = [("ROTATION_LEASE", "2s"), ("ROTATION_LEAD", "4s")];
    let Some(fleet) = replicated(&settings).await? else { return Ok(()) };
    let token = fleet.token("batch", LEDGER).await?;
    let set = |line| {
        fleet.issuers.iter().filter_map(|replica| replica.database.as_ref()).for_each(|gate| gate.set(line));
    };
    set(Line::Late(Duration::from_secs(3)));
    for replica in 0..fleet.issuers.len() {
        let stops = || async { (issuing(&fleet, replica).await.ok()? == 503).then_some(()) };
        until("it sheds", PATIENCE, stops).await?;
    }
    let mut slowest = Duration::ZERO;
    for replica in fleet.issuers.iter().cycle().take(60) {
        let start = Instant::now();
        published(&fleet.http, replica.process.url()).await?;
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "the key set took {slowest:?}");
    assert_eq!(fleet.ledger.get(&fleet.http, "/entries", &token).await?.status, 200);
    set(Line::Open);
    let healed = Instant::now();
    for replica in &fleet.issuers {
        ready(&replica.process).await?;
    }
    assert!(healed.elapsed() < Duration::from_secs(5), "recovery took {:?}", healed.elapsed());
    Ok(())
}

// S-113
#[tokio::test]
async fn replicas_that_are_killed_while_they_migrate_leave_a_database_that_the_next_can_use()
-> anyhow::Result<()> {
    let Some(server) = Postgres::shared() else { return Ok(()) };
    let home = e2e::IssuerHome::init(&Database::Postgres(server.create_database()?), crate::BY_HAND).await?;
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..10 {
        let database = server.create_database()?;
        let environment = [("CLAVIGER_DATABASE", database.as_str()), ("CLAVIGER_LISTEN", "127.0.0.1:0")];
        let mut racing = Vec::new();
        for _ in 0..2 {
            let mut command = home.command(&["serve"])?;
            command.envs(environment).env("CLAVIGER_ADMIN_LISTEN", "127.0.0.1:0");
            racing.push(e2e::Process::spawn(command, &home.log_path())?);
        }
        tokio::time::sleep(Duration::from_millis(random.u64(20..250))).await;
        for process in racing {
            process.kill().await?;
        }
        let next = home.listen(&environment).await?;
        ready(&next).await?;
        next.kill().await?;
    }
    Ok(())
}
