//! A process that is killed while it uses a refresh token: `cargo test -p claviger-store --features failpoints`.

use std::{env, process::Command};

use claviger_oauth::RefreshToken;
use claviger_store::{RefreshOutcome, Store};
use migrations::Migrator;

use crate::{
    fixture::on_each_database,
    granted::{Home, attempt, child, presented, shop},
};

const URL: &str = "CLAVIGER_TEST_KILLED_URL";
const TOKEN: &str = "CLAVIGER_TEST_KILLED_TOKEN";
const ROUNDS: usize = 12;

/// The process that is killed: it presents a token.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn refresh() {
    let store = Store::open::<Migrator>(&env::var(URL).expect("a URL")).await.expect("it opens");
    let token: RefreshToken = env::var(TOKEN).expect("a token").parse().expect("a token");
    let outcome = store.present_refresh(attempt(&token)).await.expect("it is answered");
    assert!(matches!(outcome, RefreshOutcome::Refreshed(_)), "{outcome:?}");
}

/// The process that is killed: it redeems a code.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn redeem() {
    let store = Store::open::<Migrator>(&env::var(URL).expect("a URL")).await.expect("it opens");
    let (code, shop) = (env::var(TOKEN).expect("a code").parse().expect("a code"), shop());
    let redemption = store.redeem_code(presented(&code, &shop, "f"), |_| Ok::<_, ()>(None)).await;
    assert!(redemption.is_ok(), "{redemption:?}");
}

fn kill(test: &str, url: &str, secret: &str, point: &str) {
    let status = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", test, "--ignored"])
        .env(URL, url)
        .env(TOKEN, secret)
        .env("CLAVIGER_FAILPOINT", point)
        .output()
        .expect("it starts")
        .status;
    assert_eq!(status.code(), None, "{point}: the process was to be killed by a signal");
}

// S-79
#[tokio::test]
async fn who_is_killed_with_a_token_in_hand_leaves_the_parent_or_its_child_and_never_both_or_none() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let mut token = home.family("f").await;
        let mut rows = 1;
        for round in 0..ROUNDS {
            let point = ["refresh.before_commit", "refresh.after_commit"][round % 2];
            kill("refresh_failpoints::refresh", &database.url, token.expose(), point);
            assert_eq!(home.live_tokens().await, 1, "{point}");
            // The client asks again: for the use that did not happen, or for the answer of the one that did.
            let next = child(&token, &home.present(attempt(&token)).await);
            assert_eq!(child(&token, &home.present(attempt(&token)).await).hash(), next.hash());
            rows += 1;
            assert_eq!(home.intruder.count("refresh_token").await, rows, "{point}");
            token = next;
        }
        assert_eq!(home.live_tokens().await, 1);
    })
    .await;
}

// S-66
#[tokio::test]
async fn who_is_killed_with_a_code_in_hand_has_used_it_with_its_family_or_not_at_all() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let code = home.code().await;
        kill("refresh_failpoints::redeem", &database.url, code.expose(), "code.before_commit");
        let used = "authorization_code WHERE used_at IS NOT NULL";
        let families = "refresh_family";
        assert_eq!((home.intruder.count(used).await, home.intruder.count(families).await), (0, 0));
        kill("refresh_failpoints::redeem", &database.url, code.expose(), "code.after_commit");
        assert_eq!((home.intruder.count(used).await, home.intruder.count(families).await), (1, 1));
    })
    .await;
}
