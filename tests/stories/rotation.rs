use std::time::Duration;

use e2e::{Database, Fleet, LEDGER, ORDERS, Reply, until};

const PATIENCE: Duration = Duration::from_secs(20);

async fn published(fleet: &Fleet) -> anyhow::Result<Vec<String>> {
    let set = Reply::of(fleet.http.get(format!("{}/.well-known/jwks.json", fleet.home.url()))).await?;
    let keys = set.json()["keys"].as_array().cloned().unwrap_or_default();
    Ok(keys.iter().filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect())
}

fn kid(token: &str) -> String {
    let header =
        claviger_jose::base64url::decode(token.split('.').next().unwrap_or_default()).unwrap_or_default();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    header["kid"].as_str().unwrap_or_default().to_owned()
}

async fn rotate(fleet: &Fleet) -> anyhow::Result<()> {
    let rotated = || async {
        let ran = fleet.home.run(&["keys", "rotate", "--now"]).await.ok()?;
        ran.succeeded.then_some(())
    };
    until("the lead has passed and the keys rotate", PATIENCE, rotated).await
}

#[tokio::test]
async fn a_token_signed_before_a_rotation_is_still_accepted_after_it() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), crate::BY_HAND).await?;
    let before = fleet.token("web", ORDERS).await?;
    let was_published = published(&fleet).await?;
    rotate(&fleet).await?;
    let after = until("the issuer signs with the next key", PATIENCE, || async {
        fleet.token("web", ORDERS).await.ok().filter(|token| kid(token) != kid(&before))
    });
    let after = after.await?;
    assert!(was_published.contains(&kid(&after)), "the next key was published before it signed");
    for (name, token) in [("old", &before), ("new", &after)] {
        let reply = fleet.orders.get(&fleet.http, "/orders", token).await?;
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    }
    // The key after the next is made by the issuer that serves.
    let listed = || async {
        let listed = fleet.home.run(&["keys", "list"]).await.ok()?.out;
        ["prepared", "active", "retiring", "next:"].iter().all(|state| listed.contains(state)).then_some(())
    };
    until("every state is shown", PATIENCE, listed).await
}

// S-33
#[tokio::test]
async fn a_rotation_before_the_lead_has_passed_is_refused_with_the_earliest_time() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[("SERVER_DRAIN_DELAY", "0s")]).await?;
    let before = published(&fleet).await?;
    let ran = fleet.home.run(&["keys", "rotate", "--now"]).await?;
    assert!(!ran.succeeded);
    let in_a_day = ran.err.contains("in 23h 59m") || ran.err.contains("in 1day");
    assert!(ran.err.contains("may sign from") && in_a_day, "{}", ran.err);
    assert_eq!(published(&fleet).await?, before);
    let ran = fleet.home.run(&["keys", "rotate"]).await?;
    assert!(ran.succeeded && ran.out.contains("nothing is due"), "{}", ran.out);
    Ok(())
}

#[tokio::test]
async fn a_revoked_key_leaves_the_set_and_its_tokens_are_refused_while_the_next_key_signs()
-> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), crate::BY_HAND).await?;
    let stolen = fleet.token("web", ORDERS).await?;
    assert_eq!(fleet.orders.get(&fleet.http, "/orders", &stolen).await?.status, 200);
    let ran = fleet.home.run(&["keys", "revoke", &kid(&stolen)]).await?;
    assert!(ran.succeeded, "{}", ran.err);
    let refused = || async {
        let reply = fleet.orders.get(&fleet.http, "/orders", &stolen).await.ok()?;
        (reply.status == 401).then_some(())
    };
    until("the service has dropped the key", PATIENCE, refused).await?;
    assert!(!published(&fleet).await?.contains(&kid(&stolen)));
    let next = fleet.token("web", ORDERS).await?;
    assert_eq!(fleet.orders.get(&fleet.http, "/orders", &next).await?.status, 200);
    let again = fleet.home.run(&["keys", "revoke", &kid(&stolen)]).await?;
    assert!(!again.succeeded && again.err.contains("cannot be revoked again"), "{}", again.err);
    Ok(())
}

// S-32
#[tokio::test]
async fn of_two_rotations_at_once_one_happens_and_neither_does_harm() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), crate::BY_HAND).await?;
    rotate(&fleet).await?;
    until("the next keys may sign", PATIENCE, || async {
        let ran = fleet.home.run(&["keys", "list"]).await.ok()?;
        let prepared = ran.out.lines().filter(|line| line.contains("prepared"));
        let aged = prepared.filter(|line| !line.contains(" 0s") && !line.contains(" 1s"));
        (aged.count() == 2).then_some(())
    })
    .await?;
    let before = published(&fleet).await?.len();
    let both = ["keys", "rotate", "--now"];
    let (one, two) = tokio::join!(fleet.home.run(&both), fleet.home.run(&both));
    let (one, two) = (one?, two?);
    let rotated = |ran: &e2e::Ran| ran.out.contains("signs from now on");
    assert_eq!(usize::from(rotated(&one)) + usize::from(rotated(&two)), 1, "{one:?} {two:?}");
    let settled = || async { (published(&fleet).await.ok()?.len() == before + 2).then_some(()) };
    until("one new key per algorithm is published", PATIENCE, settled).await?;
    let token = fleet.token("web", ORDERS).await?;
    assert_eq!(fleet.orders.get(&fleet.http, "/orders", &token).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn of_two_revocations_at_once_none_is_lost() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), crate::BY_HAND).await?;
    let stolen = [kid(&fleet.token("web", ORDERS).await?), kid(&fleet.token("batch", LEDGER).await?)];
    let revoke = |kid: &str| {
        let command = ["keys", "revoke", kid].map(str::to_owned);
        let home = &fleet.home;
        async move { home.run(&command.each_ref().map(String::as_str)).await }
    };
    let (one, two) = tokio::join!(revoke(&stolen[0]), revoke(&stolen[1]));
    assert!(one?.succeeded && two?.succeeded);
    let gone = || async {
        let published = published(&fleet).await.ok()?;
        stolen.iter().all(|kid| !published.contains(kid)).then_some(())
    };
    until("both keys have left the set", PATIENCE, gone).await?;
    fleet.token("web", ORDERS).await?;
    fleet.token("batch", LEDGER).await?;
    Ok(())
}
