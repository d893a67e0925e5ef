//! Clients that are to be told that a session has ended.

use claviger_store::{LogoutNotice, MAX_LOGOUT_ATTEMPTS};

use crate::{
    fixture::on_each_database,
    house::{FAR, House, client},
};

async fn take(house: &House, most: u32) -> Vec<LogoutNotice> {
    house.store.take_logout_notices(most, &[]).await.expect("taken")
}

// S-84
#[tokio::test]
async fn a_notice_is_taken_once_and_comes_again_until_it_is_settled() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let (_, session) = house.begin("ada", 1).await;
        for client in ["shop", "mail"] {
            house.note_client(&session, client).await;
        }
        house.store.end_session(&session.sid, FAR, &[]).await.expect("ended");
        let other = database.open().await;
        let (first, second) = tokio::join!(take(&house, 1), other.take_logout_notices(1, &[]));
        let mut both = first;
        both.extend(second.expect("taken"));
        both.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        let clients: Vec<_> = both.iter().map(|notice| notice.client_id.as_str()).collect();
        assert_eq!(clients, ["mail", "shop"], "two that take at once take different ones");
        assert_eq!(both[0].sid, session.sid);
        assert_eq!(take(&house, 9).await, [], "not before some time has passed");
        house.store.settle_logout_notice(&both[0].id).await.expect("settled");
        house.execute("UPDATE logout_notice SET next_at = 0").await;
        let again = take(&house, 9).await;
        assert_eq!(again.iter().map(|notice| notice.client_id.as_str()).collect::<Vec<_>>(), ["shop"]);
        assert_eq!(again[0].attempts, 2);
    })
    .await;
}

// S-84
#[tokio::test]
async fn a_client_that_is_not_reached_is_left_alone_with_all_its_notices() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        for number in 1..=3 {
            let (_, session) = house.begin("ada", number).await;
            for client in ["shop", "mail"] {
                house.note_client(&session, client).await;
            }
        }
        let ended = house.store.end_sessions_of(&crate::house::user("ada"), FAR, &[]).await;
        assert_eq!(ended.expect("ended").sessions, 3);
        let first =
            house.store.take_logout_notices(1, &[client("mail"), client("other")]).await.expect("taken");
        assert_eq!(first.iter().map(|notice| notice.client_id.as_str()).collect::<Vec<_>>(), ["shop"]);
        house.store.put_off_logout_notices(&client("shop")).await.expect("put off");
        let rest = take(&house, 9).await;
        assert!(rest.len() == 3 && rest.iter().all(|notice| notice.client_id == client("mail")), "{rest:?}");
        house.execute("UPDATE logout_notice SET next_at = 0").await;
        let again = house.store.take_logout_notices(9, &[client("mail")]).await.expect("taken");
        assert_eq!(again.iter().map(|notice| notice.attempts).collect::<Vec<_>>(), [2, 2, 2]);
    })
    .await;
}

// S-84
#[tokio::test]
async fn attempts_come_less_and_less_often_and_have_an_end() {
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let (_, session) = house.begin("ada", 1).await;
        house.note_client(&session, "shop").await;
        house.store.end_session(&session.sid, FAR, &[]).await.expect("ended");
        let mut pauses = Vec::new();
        for attempt in 1..=MAX_LOGOUT_ATTEMPTS {
            assert_eq!(house.store.abandon_logout_notices().await.expect("read"), [], "{attempt}");
            let now = house.store.now().await.expect("a time").as_secs();
            assert_eq!(take(&house, 9).await[0].attempts, attempt);
            let next = house.intruder.read("SELECT CAST(next_at AS TEXT) FROM logout_notice").await;
            pauses.push(next.parse::<u64>().expect("a number") - now);
            house.execute("UPDATE logout_notice SET next_at = 0").await;
        }
        let expected = (0..11).map(|exponent| 10 << exponent).chain([21_600; 3]);
        for (pause, expected) in pauses.iter().zip(expected) {
            assert!((expected..expected + 5).contains(pause), "{pauses:?}");
        }
        assert_eq!(take(&house, 9).await, []);
        assert_eq!(house.store.abandon_logout_notices().await.expect("read").len(), 1);
        assert_eq!(house.intruder.count("logout_notice").await, 0);
    })
    .await;
}
