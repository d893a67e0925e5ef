use std::{os::unix::process::ExitStatusExt, time::Duration};

use e2e::{Database, Fleet, ORDERS, Reply, until};

/// Each point of a rotation at which the process can die.
const POINTS: &[&str] = &[
    "keys.before_begin",
    "keys.after_version",
    "keys.after_first_move",
    "keys.after_insert",
    "keys.before_commit",
    "keys.after_commit",
];
const PATIENCE: Duration = Duration::from_secs(20);

async fn published(fleet: &Fleet) -> anyhow::Result<usize> {
    let set = Reply::of(fleet.http.get(format!("{}/.well-known/jwks.json", fleet.home.url()))).await?;
    assert!(!set.body.contains("\"d\""), "no private member");
    Ok(set.json()["keys"].as_array().map_or(0, Vec::len))
}

/// A command line that dies in the middle of a rotation, at each step, while the issuer serves.
#[tokio::test]
async fn a_rotation_that_is_killed_at_any_step_happens_whole_or_not_at_all() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), crate::BY_HAND).await?;
    // The keys after the next are no part of a rotation: the issuer that serves makes them.
    for point in POINTS.iter().filter(|point| **point != "keys.after_insert") {
        let before = published(&fleet).await?;
        let token = fleet.token("web", ORDERS).await?;
        let died = || async {
            let mut command = fleet.home.command(&["keys", "rotate", "--now"]).ok()?;
            command.env("CLAVIGER_FAILPOINT", point);
            let output = e2e::run(command).await.ok()?;
            output.status.signal().is_some().then_some(())
        };
        until("the rotation dies where it was told to", PATIENCE, died).await?;
        let committed = *point == "keys.after_commit";
        let expected = if committed { before + 2 } else { before };
        let settled = || async { (published(&fleet).await.ok()? == expected).then_some(()) };
        until("the issuer has noticed what was committed, and nothing else", PATIENCE, settled).await?;
        let reply = fleet.orders.get(&fleet.http, "/orders", &token).await?;
        assert_eq!(reply.status, 200, "{point}: a token from before");
        let token = fleet.token("web", ORDERS).await?;
        assert_eq!(
            fleet.orders.get(&fleet.http, "/orders", &token).await?.status,
            200,
            "{point}: a token from after"
        );
    }
    Ok(())
}

/// The issuer itself dies in its first rotation, at each step, and is started again.
#[tokio::test]
async fn an_issuer_that_is_killed_while_it_makes_its_first_keys_starts_clean() -> anyhow::Result<()> {
    for point in POINTS.iter().filter(|point| **point != "keys.after_first_move") {
        let home = e2e::IssuerHome::init(&Database::of_run(), crate::BY_HAND).await?;
        let mut command = home.command(&["serve"])?;
        command.env("CLAVIGER_FAILPOINT", point);
        let output = e2e::run(command).await?;
        assert!(output.status.signal().is_some(), "{point}: {output:?}");
        let _issuer = home.serve().await?;
        let jwks = Reply::of(e2e::client().get(format!("{}/.well-known/jwks.json", home.url()))).await?;
        assert_eq!(
            jwks.json()["keys"].as_array().map(Vec::len),
            Some(4),
            "{point}: two keys per algorithm, no orphans"
        );
    }
    Ok(())
}
