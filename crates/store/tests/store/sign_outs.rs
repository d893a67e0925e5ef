//! The end of sessions, and of all that came of them.

use std::time::Duration;

use claviger_oauth::Allowed;
use claviger_store::{Revoked, SignedOut};

use crate::{
    fixture::on_each_database,
    house::{FAR, House, act, client, revoked_sid, revoked_sub, user},
    upkeep::{hash, numbers},
};

/// Two people; Ada is signed in twice.
async fn house(database: &crate::fixture::Database) -> House {
    let house = House::of(database, &["ada", "bob"]).await;
    for (person, number) in [("ada", 1), ("ada", 2), ("bob", 3)] {
        let (_, session) = house.begin(person, number).await;
        house.note_client(&session, "shop").await;
        house.add_family(&format!("f{number}"), "shop", &session).await;
        house.add_code(number, "shop", &session, false).await;
        house.add_code(number + 10, "shop", &session, true).await;
    }
    house
}

async fn notices(house: &House) -> Vec<String> {
    let due = house.store.take_logout_notices(99, &[]).await.expect("taken");
    let mut due: Vec<_> = due.iter().map(|notice| format!("{} {}", notice.client_id, notice.sid)).collect();
    due.sort_unstable();
    due
}

// S-83
#[tokio::test]
async fn a_session_ends_with_all_that_came_of_it_in_one_transaction() {
    on_each_database(async |database| {
        let house = house(&database).await;
        let sid = "s1".parse().expect("a sid");
        let before = house.store.now().await.expect("a time");
        let ended = house.store.end_session(&sid, FAR, &[act("session.end")]).await.expect("ended");
        let sequence = house.store.revisions().await.expect("read").revocations;
        assert_eq!(ended, SignedOut { sessions: 1, sequence: Some(sequence) });
        assert_eq!(house.alive(&crate::house::secret(1)).await, None);
        assert!(house.alive(&crate::house::secret(2)).await.is_some(), "the others go on");
        assert_eq!((house.families().await.as_str(), house.codes().await), ("f2 f3", 5));
        let feed = house.feed().await;
        assert_eq!(feed.iter().map(|entry| entry.revoked).collect::<Vec<_>>(), [revoked_sid(&sid)]);
        // By a clock that is ahead by as much as is allowed, a token may be from then.
        assert!(feed[0].not_before > before + Duration::from_mins(1), "{feed:?}");
        assert_eq!(notices(&house).await, ["shop s1"]);
        assert_eq!(house.audited().await, 1);
        let again = house.store.end_session(&sid, FAR, &[act("session.end")]).await.expect("no error");
        assert_eq!(again, SignedOut { sessions: 0, sequence: None });
        assert_eq!(house.store.revisions().await.expect("read").revocations, sequence, "nothing happened");
        assert_eq!(house.audited().await, 1);
    })
    .await;
}

// S-83
#[tokio::test]
async fn a_person_ends_all_other_sessions_and_stays_in_this_one() {
    on_each_database(async |database| {
        let house = house(&database).await;
        let (kept, other) = ("s1".parse().expect("a sid"), "s2".parse().expect("a sid"));
        let ended = house.store.end_other_sessions(&user("ada"), &kept, FAR, &[]).await.expect("ended");
        assert_eq!(ended.sessions, 1);
        assert!(house.alive(&crate::house::secret(1)).await.is_some());
        assert!(house.alive(&crate::house::secret(3)).await.is_some(), "somebody else's");
        assert_eq!(house.families().await, "f1 f3");
        let feed: Vec<_> = house.feed().await.iter().map(|entry| entry.revoked).collect();
        assert_eq!(feed, [revoked_sid(&other)], "the person's own tokens live");
    })
    .await;
}

async fn check_everything_ends(disable: bool) {
    on_each_database(async |database| {
        let (house, ada) = (house(&database).await, user("ada"));
        house.execute("UPDATE refresh_family SET sid = 'forgotten' WHERE id = 'f2'").await;
        if disable {
            house.change(&ada, true).await;
        } else {
            let ended = house.store.end_sessions_of(&ada, FAR, &[act("user.sign_out")]).await;
            assert_eq!(ended.expect("ended").sessions, 2);
        }
        assert_eq!((house.families().await.as_str(), house.codes().await), ("f3", 4));
        let feed: Vec<_> = house.feed().await.iter().map(|entry| entry.revoked).collect();
        assert_eq!(feed.len(), 3);
        for revoked in [revoked_sub("ada"), revoked_sid(&"s1".parse().expect("a sid"))] {
            assert!(feed.contains(&revoked), "{revoked:?}");
        }
        assert_eq!(notices(&house).await, ["shop s1", "shop s2"]);
        let disabled = if disable { "disabled" } else { "NOT disabled" };
        let account = format!("SELECT id FROM account WHERE id = 'ada' AND not_before > 1 AND {disabled}");
        assert_eq!(house.intruder.read(&account).await, "ada");
        assert!(house.alive(&crate::house::secret(3)).await.is_some(), "somebody else's");
        assert_eq!(house.audited().await, 1);
    })
    .await;
}

// S-83
#[tokio::test]
async fn who_is_signed_out_everywhere_is_so_in_one_transaction() {
    check_everything_ends(false).await;
}

// S-83
#[tokio::test]
async fn who_is_disabled_is_signed_out_everywhere_in_one_transaction() {
    check_everything_ends(true).await;
}

// S-83
#[tokio::test]
async fn of_a_person_with_very_many_sessions_the_feed_names_the_person() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        for number in 0..70 {
            house.begin("ada", number).await;
        }
        let ended = house.store.end_sessions_of(&user("ada"), FAR, &[]).await.expect("ended");
        assert_eq!(ended.sessions, 70);
        let feed: Vec<_> = house.feed().await.iter().map(|entry| entry.revoked).collect();
        assert_eq!(feed, [revoked_sub("ada")]);
    })
    .await;
}

// S-85
#[tokio::test]
async fn a_full_feed_keeps_nobody_from_signing_out_and_everything_can_still_be_revoked() {
    on_each_database(async |database| {
        let house = house(&database).await;
        let now = house.store.now().await.expect("a time").as_secs();
        let mark = if database.is_sqlite() { "randomblob(16)" } else { "decode(md5(n::text), 'hex')" };
        let numbers = if database.is_sqlite() {
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 80000)"
        } else {
            "WITH numbers (n) AS (SELECT generate_series(1, 80000))"
        };
        let rows = format!("SELECT 'sid', {mark}, {}, {} FROM numbers", now + 61, now + 3600);
        house
            .execute(&format!("{numbers} INSERT INTO revocation (kind, mark, not_before, until) {rows}"))
            .await;
        let ended = house.store.end_session(&"s1".parse().expect("a sid"), FAR, &[]).await.expect("ended");
        assert_eq!(ended, SignedOut { sessions: 1, sequence: None });
        assert_eq!(house.families().await, "f2 f3");
        house.store.revoke(&[Revoked::All], FAR, &[]).await.expect("it is never refused");
        assert_eq!(house.feed().await.len(), 1);
    })
    .await;
}

// S-76
#[tokio::test]
async fn a_client_that_a_person_allows_no_more_has_nothing_of_theirs_left() {
    on_each_database(async |database| {
        let house = house(&database).await;
        let (ada, shop) = (user("ada"), client("shop"));
        let allowed = |text: &str| serde_json::from_str::<Allowed>(text).expect("well-formed");
        let (first, second) = (
            allowed(r#"{"identity":["openid","email"],"services":{"https://a.test":["read"]}}"#),
            allowed(r#"{"identity":["openid","profile"],"services":{"https://b.test":[]}}"#),
        );
        let both = r#"{"identity":["openid","email","profile"],"services":{"https://a.test":["read"],"https://b.test":[]}}"#;
        assert_eq!(house.store.consent(&ada, &shop).await.expect("read"), None);
        house
            .store
            .grant_consent(&ada, &shop, &first, &[act("consent.grant")])
            .await
            .expect("ok");
        house.store.grant_consent(&ada, &shop, &second, &[]).await.expect("ok");
        let held = house.store.consent(&ada, &shop).await.expect("read").expect("some");
        assert_eq!(held.allowed, allowed(both));
        assert_eq!(house.store.consents_of(&ada).await.expect("read"), [held]);
        assert_eq!(house.store.consents_of(&user("bob")).await.expect("read"), []);
        assert!(house.store.withdraw_consent(&ada, &shop, &[act("consent.withdraw")]).await.expect("ok"));
        assert_eq!(house.store.consent(&ada, &shop).await.expect("read"), None);
        assert_eq!((house.families().await.as_str(), house.codes().await), ("f3", 4));
        assert!(house.alive(&crate::house::secret(1)).await.is_some(), "the person stays signed in");
        let again = [act("consent.withdraw")];
        assert!(!house.store.withdraw_consent(&ada, &shop, &again).await.expect("nothing to take back"));
        assert_eq!(house.audited().await, 2);
    })
    .await;
}

// S-85
#[tokio::test]
async fn who_signs_in_and_out_without_an_end_keeps_nobody_else_from_being_told() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada", "bob"]).await;
        let ((_, adas), (_, bobs)) = (house.begin("ada", 1).await, house.begin("bob", 2).await);
        house.store.end_session(&adas.sid, FAR, &[]).await.expect("ended");
        let latest = house.feed().await[0].not_before;
        let (rows, hash) = (numbers(&database, 80_000), hash(&database));
        let first = "(SELECT sub FROM revocation), (SELECT not_before FROM revocation), 4000000000";
        house
            .execute(&format!(
                "INSERT INTO revocation (kind, mark, sub, not_before, until) {rows} 'sid', substr({hash}, 17), {first} FROM s"
            ))
            .await;
        let told = house.store.end_session(&bobs.sid, FAR, &[]).await.expect("ended");
        assert!(told.sequence.is_some(), "it is told");
        let feed = house.feed().await;
        let revoked: Vec<_> = feed.iter().map(|revocation| revocation.revoked).collect();
        assert_eq!(revoked.len(), 2, "what was ada's gives way to her");
        assert!(revoked.contains(&revoked_sub("ada")) && revoked.contains(&revoked_sid(&bobs.sid)));
        let ada = feed.iter().find(|revocation| revocation.revoked == revoked_sub("ada")).expect("there");
        assert_eq!(ada.not_before, latest, "no token of her sessions is missed");
        house.store.revoke(&[revoked_sub("bob")], FAR, &[]).await.expect("nor is an operator kept from it");
    })
    .await;
}
