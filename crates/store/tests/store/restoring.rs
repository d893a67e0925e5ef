//! A database that was restored from a backup.

use claviger_store::{EndedSignIns, Revoked};

use crate::{
    fixture::on_each_database,
    house::{FAR, House, act, secret},
};

// S-80, fault F19
#[tokio::test]
async fn nothing_that_could_be_used_once_and_no_session_outlives_a_restore() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let (_, session) = house.begin("ada", 1).await;
        house.note_client(&session, "shop").await;
        house.add_family("f1", "shop", &session).await;
        house.add_code(1, "shop", &session, false).await;
        house.add_code(2, "shop", &session, true).await;
        let hash = house.hash(3);
        house
            .execute(&format!(
                "INSERT INTO pushed_request (hash, client_id, request, expires_at) VALUES ({hash}, 'shop', '', 4000000000)"
            ))
            .await;
        house
            .execute(&format!(
                "INSERT INTO one_time_link (hash, purpose, created_at, expires_at) VALUES ({hash}, 'reset', 0, 4000000000)"
            ))
            .await;
        let ended = house.store.end_all_sign_ins(FAR, &[act("store.restored")]).await.expect("ended");
        assert_eq!(ended, EndedSignIns { codes: 3, links: 1, families: 1, sessions: 1 });
        assert_eq!(house.alive(&secret(1)).await, None);
        assert_eq!((house.families().await.as_str(), house.codes().await), ("", 0));
        let feed: Vec<_> = house.feed().await.iter().map(|entry| entry.revoked).collect();
        assert_eq!(feed, [crate::house::revoked_sid(&session.sid)]);
        assert_eq!(house.store.take_logout_notices(9, &[]).await.expect("taken").len(), 1, "clients are told");
        let again = house.store.end_all_sign_ins(FAR, &[]).await.expect("no error");
        assert_eq!(again, EndedSignIns::default());
        house.begin("ada", 2).await;
        assert!(house.alive(&secret(2)).await.is_some(), "people sign in again");
        assert_eq!(house.audited().await, 1);
    })
    .await;
}

// S-80 S-85
#[tokio::test]
async fn more_sessions_than_the_feed_holds_are_told_by_one_word() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let numbers = if database.is_sqlite() {
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)"
        } else {
            "WITH numbers (n) AS (SELECT generate_series(1, 2500))"
        };
        let hash = if database.is_sqlite() { "randomblob(32)" } else { "sha256(n::text::bytea)" };
        house
            .execute(&format!(
                "{numbers} INSERT INTO session (hash, sid, account, auth_time, amr, created_at, seen_at, expires_at, user_agent, address)
                 SELECT {hash}, 's' || n, 'a' || n, 0, '[]', 0, 0, 4000000000, '', '' FROM numbers"
            ))
            .await;
        let ended = house.store.end_all_sign_ins_within(1800, FAR, &[]).await.expect("ended");
        assert_eq!(ended.sessions, 2500);
        let feed = house.feed().await;
        assert!(feed.iter().any(|entry| entry.revoked == Revoked::All));
        assert!(feed.len() <= 1800, "{}", feed.len());
    })
    .await;
}
