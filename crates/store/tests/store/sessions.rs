//! Sessions: what is kept of them, and when they are alive.

use std::time::Duration;

use claviger_jose::NumericDate;

use crate::{
    fixture::on_each_database,
    house::{House, IDLE, new, secret, user},
};

// S-94
#[tokio::test]
async fn of_a_sessions_secret_only_the_hash_is_kept() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let (secret, begun) = house.begin("ada", 1).await;
        assert_eq!(house.alive(&secret).await, Some(begun.clone()));
        assert_eq!(begun.amr, ["pwd"]);
        assert_eq!(begun.expires_at, begun.created_at + Duration::from_hours(720));
        let hex = if database.is_sqlite() { "lower(hex(hash))" } else { "encode(hash, 'hex')" };
        let kept = house.intruder.read(&format!("SELECT {hex} FROM session")).await;
        assert_eq!(kept, crate::fixture::hex(&secret.hash()));
        let columns = "sid || account || amr || COALESCE(acr, '') || user_agent || address";
        let row = house.intruder.read(&format!("SELECT {columns} FROM session")).await;
        assert!(!row.contains(secret.expose()) && !row.contains(&secret.expose()[3..]), "{row}");
    })
    .await;
}

// S-94
#[tokio::test]
async fn a_secret_that_was_known_before_a_new_log_in_is_worth_nothing_after_it() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada", "bob"]).await;
        let (known, begun) = house.begin("ada", 1).await;
        house.execute("UPDATE session SET auth_time = 5, created_at = 5").await;
        let fresh = secret(2);
        let renewed = house.store.renew_session(&known, &fresh, &new("ada", 9)).await.expect("no error");
        let renewed = renewed.expect("it goes on");
        assert_eq!((&renewed.sid, renewed.created_at.as_secs()), (&begun.sid, 5), "the same session");
        assert!(renewed.auth_time >= begun.auth_time);
        assert_eq!(house.alive(&known).await, None);
        assert_eq!(house.alive(&fresh).await, Some(renewed));
        for (old, person) in [(&known, "ada"), (&fresh, "bob")] {
            let none = house.store.renew_session(old, &secret(3), &new(person, 9)).await.expect("no error");
            assert_eq!(none, None, "{person}");
        }
        assert_eq!(house.alive(&secret(3)).await, None);
    })
    .await;
}

// S-94 S-109
#[tokio::test]
async fn a_session_ends_by_itself_when_it_is_not_used_and_in_any_case_some_day() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let (secret, _) = house.begin("ada", 1).await;
        let now = house.store.now().await.expect("a time").as_secs();
        house.execute(&format!("UPDATE session SET seen_at = {}", now - IDLE.as_secs() + 30)).await;
        assert!(house.alive(&secret).await.is_some(), "it was used just in time");
        let seen = house.alive(&secret).await.expect("and that counts").seen_at.as_secs();
        assert!(seen >= now, "{seen} {now}");
        house.execute(&format!("UPDATE session SET seen_at = {}", now - IDLE.as_secs() - 1)).await;
        assert_eq!(house.alive(&secret).await, None, "too late");
        let held = house.store.held_session(&secret).await.expect("a database");
        assert!(held.is_some(), "there is still something to end");
        house.execute(&format!("UPDATE session SET seen_at = {now}, expires_at = {now}")).await;
        assert_eq!(house.alive(&secret).await, None, "its time is over, however much it is used");
        assert_eq!(house.store.held_session(&secret).await.expect("a database"), None);
    })
    .await;
}

// S-94
#[tokio::test]
async fn that_a_session_is_used_is_written_at_most_once_a_minute() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let (secret, _) = house.begin("ada", 1).await;
        let now = house.store.now().await.expect("a time").as_secs();
        for (ago, written) in [(30, false), (70, true)] {
            house.execute(&format!("UPDATE session SET seen_at = {}", now - ago)).await;
            house.alive(&secret).await.expect("it is alive");
            let seen = house.alive(&secret).await.expect("it is alive").seen_at.as_secs();
            assert_eq!(seen >= now, written, "{ago}");
        }
    })
    .await;
}

// S-83
#[tokio::test]
async fn who_was_signed_out_while_the_password_was_checked_is_not_signed_in_by_it() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada", "bob"]).await;
        house.store.end_sessions_of(&user("ada"), crate::house::FAR, &[]).await.expect("ended");
        let begun = house.store.begin_session(&secret(1), &new("ada", 1)).await.expect("no error");
        assert_eq!(begun, None);
        house.change(&user("bob"), true).await;
        let mut read_again = new("bob", 1);
        let not_before =
            house.intruder.read("SELECT CAST(not_before AS TEXT) FROM account WHERE id = 'bob'").await;
        read_again.not_before = NumericDate::from_secs(not_before.parse().expect("a number"));
        assert_eq!(house.store.begin_session(&secret(1), &read_again).await.expect("no error"), None);
        house.change(&user("bob"), false).await;
        let begun = house.store.begin_session(&secret(1), &read_again).await.expect("no error");
        assert!(begun.is_some(), "who signs in after it is, in the same second too");
        assert!(house.alive(&secret(1)).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_person_sees_what_is_open_and_what_clients_still_hold() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada", "bob"]).await;
        let (_, used) = house.begin("ada", 1).await;
        let (_, unused) = house.begin("ada", 2).await;
        let (_, idle) = house.begin("ada", 3).await;
        let (_, ended) = house.begin("ada", 4).await;
        let (_, other) = house.begin("bob", 5).await;
        house.note_client(&used, "shop").await;
        house.note_client(&used, "mail").await;
        house.note_client(&unused, "shop").await;
        house.add_family("f2", "shop", &unused).await;
        house.store.end_session(&ended.sid, crate::house::FAR, &[]).await.expect("ended");
        house.execute("UPDATE session SET seen_at = 9 WHERE sid IN ('s2', 's3')").await;
        let open = house.store.sessions_of(&user("ada"), IDLE).await.expect("read");
        let open: Vec<_> =
            open.iter().map(|own| (own.session.sid.as_str(), own.is_signed_in, own.clients.len())).collect();
        assert_eq!(open, [("s1", true, 2), ("s2", false, 1)]);
        assert_eq!(house.store.forget_sessions(IDLE).await.expect("forgotten"), 2);
        assert_eq!(house.intruder.count("session").await, 3);
        for (session, found) in
            [(&used, true), (&unused, true), (&idle, false), (&ended, false), (&other, true)]
        {
            let held = house.store.session_of_sid(&session.sid).await.expect("read");
            assert_eq!(held.is_some(), found, "{}", session.sid);
        }
        assert_eq!(house.intruder.count("session_client").await, 3, "those of the forgotten are gone");
    })
    .await;
}
