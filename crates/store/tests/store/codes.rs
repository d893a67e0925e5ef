//! Authorization codes, pushed requests, assertions: each is good once.

use std::time::Duration;

use claviger_jose::{Mark, Marked};
use claviger_oauth::{AuthorizationCode, RefreshRefusal, RefreshToken, RequestUri};
use claviger_store::{NewCode, PresentedCode, Redemption, RefreshOutcome, RefusedRefresh, Revoked};

use crate::{
    fixture::{at, on_each_database},
    granted::{AUDIENCE, CONSENT, Home, attempt, new_code, presented, random, shop},
};

// S-66
#[tokio::test]
async fn of_two_hundred_at_once_at_two_replicas_one_redeems_a_code_and_the_replay_ends_what_it_got() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let replica = database.open().await;
        let code = home.code().await;
        let first = RefreshToken::from_random(random());
        let redemptions = (0..200).map(|number| {
            let store = if number % 2 == 0 { home.store.clone() } else { replica.clone() };
            let (code, hash) = (code.clone(), first.hash());
            tokio::spawn(async move {
                let (family, shop) = (format!("f{number}"), shop());
                store.redeem_code(presented(&code, &shop, &family), |_| Ok::<_, ()>(Some(hash))).await
            })
        });
        let redemptions: Vec<_> = redemptions.collect();
        let mut redeemed = 0;
        for redemption in redemptions {
            // An SQLite file lets one in at a time, and some of two hundred wait too long.
            match redemption.await.expect("no panic") {
                Ok(Redemption::Redeemed(_)) => redeemed += 1,
                Ok(Redemption::Replayed { .. }) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
        }
        assert_eq!(redeemed, 1);
        assert_eq!(home.intruder.count("refresh_family").await, 1);
        let outcome = home.redeem(&code, "late", None).await.expect("it answers");
        assert!(matches!(outcome, Redemption::Replayed { .. }), "{outcome:?}");
        let outcome = home.present(attempt(&first)).await;
        let ended = RefusedRefresh::Past(RefreshRefusal::Ended);
        assert!(matches!(&outcome, RefreshOutcome::Refused(why) if *why == ended), "{outcome:?}");
        let session = Revoked::Session(Mark::of(Marked::Sid, "s1"));
        let feed = home.store.load_revocations().await.expect("it loads").revocations;
        assert!(feed.iter().any(|revocation| revocation.revoked == session), "{feed:?}");
        assert_eq!(home.intruder.count("revocation WHERE sub IS NULL").await, 0, "it is known whose it is");
    })
    .await;
}

// S-66
#[tokio::test]
async fn a_second_use_ends_the_family_of_the_first_once() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let (code, first) = (home.code().await, RefreshToken::from_random(random()));
        let redeemed = home.redeem(&code, "f", Some(&first)).await.expect("it answers");
        let Redemption::Redeemed(redeemed) = redeemed else { panic!("{redeemed:?}") };
        assert_eq!((redeemed.user.id.as_str(), redeemed.sid.as_str()), ("ann", "s1"));
        assert_eq!(redeemed.authorization, new_code().authorization);
        assert_eq!(home.intruder.count("session_client WHERE sid = 's1' AND client_id = 'shop'").await, 1);
        let next = home.refresh(&first).await;
        // Another client cannot end it.
        let other = "other".parse().unwrap();
        let stranger = home.store.redeem_code(presented(&code, &other, "g"), |_| Ok::<_, ()>(None)).await;
        assert!(matches!(stranger, Ok(Redemption::Unknown)), "{stranger:?}");
        let next = home.refresh(&next).await;
        let replayed = home.redeem(&code, "g", None).await.expect("it answers");
        let Redemption::Replayed { ended: Some(sid), told: true } = &replayed else { panic!("{replayed:?}") };
        assert_eq!(sid.as_str(), "s1");
        assert_eq!(home.live_tokens().await, 0);
        assert!(matches!(home.present(attempt(&next)).await, RefreshOutcome::Refused(_)));
        let log = home.store.audit_tail(1).await.expect("it is read");
        assert_eq!((log[0].act.act.as_str(), log[0].act.subject.as_str()), ("code.replay", "s1"));
        let again = home.redeem(&code, "g", None).await.expect("it answers");
        assert!(matches!(again, Redemption::Replayed { ended: None, .. }), "{again:?}");
    })
    .await;
}

// S-62
#[tokio::test]
async fn a_request_that_fails_the_check_uses_the_code_up() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let (code, shop) = (home.code().await, shop());
        let wrong = home.store.redeem_code(presented(&code, &shop, "f"), |_| Err("wrong verifier")).await;
        assert!(matches!(wrong, Ok(Redemption::Refused("wrong verifier"))), "{wrong:?}");
        let right = home.redeem(&code, "g", None).await.expect("it answers");
        assert!(matches!(right, Redemption::Replayed { ended: None, .. }), "{right:?}");
        assert_eq!(home.intruder.count("refresh_family").await, 0);
    })
    .await;
}

// S-66
#[tokio::test]
async fn a_code_is_its_clients_and_lives_for_a_minute_at_most() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let (code, other) = (home.code().await, "other".parse().unwrap());
        let stranger = home.store.redeem_code(presented(&code, &other, "f"), |_| Ok::<_, ()>(None)).await;
        assert!(matches!(stranger, Ok(Redemption::Unknown)), "{stranger:?}");
        let redeemed = home.redeem(&code, "f", None).await.expect("it answers");
        assert!(matches!(redeemed, Redemption::Redeemed(_)), "{redeemed:?}: a stranger did not use it up");
        let long = NewCode { lifetime: Duration::from_hours(1), ..new_code() };
        let code = AuthorizationCode::from_random(random());
        home.store.add_code(&code, &long).await.expect("it is kept");
        let long = "authorization_code WHERE expires_at > created_at + 60";
        assert_eq!(home.intruder.count(long).await, 0);
        home.run("UPDATE authorization_code SET expires_at = created_at").await;
        let late = home.redeem(&code, "g", None).await.expect("it answers");
        assert!(matches!(late, Redemption::Unknown), "{late:?}");
    })
    .await;
}

// S-60
#[tokio::test]
async fn a_code_is_worth_nothing_when_the_person_the_session_or_the_consent_is_gone() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        for (fall, rise) in [
            ("UPDATE account SET disabled = TRUE", "UPDATE account SET disabled = FALSE"),
            ("UPDATE account SET not_before = 1001", "UPDATE account SET not_before = 1000"),
            ("UPDATE session SET ended_at = 1001", "UPDATE session SET ended_at = NULL"),
            ("DELETE FROM consent", "DELETE FROM consent"),
            ("DELETE FROM session", "DELETE FROM session"),
        ] {
            let (code, shop) = (home.code().await, shop());
            home.run(fall).await;
            let code = PresentedCode { needs_consent: true, ..presented(&code, &shop, "f") };
            let gone = home.store.redeem_code(code, |_| Ok::<_, ()>(None)).await;
            assert!(matches!(gone, Ok(Redemption::Gone(_))), "{fall}: {gone:?}");
            home.run(rise).await;
        }
        assert_eq!(home.intruder.count("refresh_family").await, 0);
    })
    .await;
}

// S-70
#[tokio::test]
async fn a_code_is_redeemed_by_the_consent_to_what_it_stands_for_where_it_does() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        home.run(
            "INSERT INTO consent (account, client_id, scopes, granted_at) VALUES ('ann', 'shop', '', 1)",
        )
        .await;
        let (elsewhere, less) =
            (CONSENT.replace(AUDIENCE, "https://ledger.test"), CONSENT.replace(",\"orders:write\"", ""));
        let of_before = "openid offline_access orders:read orders:write".to_owned();
        for (held, is_good) in [
            (elsewhere, false),
            (less, false),
            (of_before, false),
            (String::new(), false),
            (CONSENT.to_owned(), true),
        ] {
            home.run(&format!("UPDATE consent SET scopes = '{held}'")).await;
            let (code, shop) = (home.code().await, shop());
            let code = PresentedCode { needs_consent: true, ..presented(&code, &shop, "f") };
            let redeemed = home.store.redeem_code(code, |_| Ok::<_, ()>(None)).await.expect("it answers");
            assert_eq!(matches!(redeemed, Redemption::Redeemed(_)), is_good, "{held}: {redeemed:?}");
        }
    })
    .await;
}

// S-67
#[tokio::test]
async fn a_pushed_request_is_taken_once_by_the_client_that_pushed_it() {
    on_each_database(async |database| {
        let (store, replica) = (database.open().await, database.open().await);
        let intruder = database.intruder().await;
        let (shop, other) = (shop(), "other".parse().unwrap());
        let uri = RequestUri::from_random(random());
        store.push_request(&uri, &shop, "the request", Duration::from_hours(1)).await.expect("it is kept");
        assert_eq!(store.take_pushed_request(&uri, &other).await.expect("it answers"), None);
        let both =
            tokio::join!(store.take_pushed_request(&uri, &shop), replica.take_pushed_request(&uri, &shop));
        let taken = [both.0.expect("it answers"), both.1.expect("it answers")];
        assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), ["the request"]);
        assert_eq!(store.take_pushed_request(&uri, &shop).await.expect("it answers"), None);
        let late = RequestUri::from_random(random());
        store.push_request(&late, &shop, "late", Duration::from_hours(1)).await.expect("it is kept");
        intruder.execute("UPDATE pushed_request SET expires_at = expires_at - 90").await.expect("it runs");
        assert_eq!(store.take_pushed_request(&late, &shop).await.expect("it answers"), None);
    })
    .await;
}

// S-55
#[tokio::test]
async fn an_assertion_is_new_once_across_replicas() {
    on_each_database(async |database| {
        let replicas = [database.open().await, database.open().await];
        for _ in 0..20 {
            let hash = random();
            let tries = (0..10).map(|number| {
                let store = replicas[number % 2].clone();
                tokio::spawn(async move { store.use_assertion(&hash, at(99_999_999_999)).await })
            });
            let tries: Vec<_> = tries.collect();
            let mut new = 0;
            for tried in tries {
                new += usize::from(tried.await.expect("no panic").expect("it answers"));
            }
            assert_eq!(new, 1);
        }
        // Of a replica whose clock is behind it is good for a while yet.
        let (hash, now) = (random(), replicas[0].now().await.expect("a time"));
        let past = at(now.as_secs() - 30);
        assert!(replicas[0].use_assertion(&hash, past).await.expect("it answers"));
        assert_eq!(replicas[0].forget_past_grants().await.expect("it answers"), 0);
        assert!(!replicas[1].use_assertion(&hash, past).await.expect("it answers"));
        replicas[0].use_assertion(&random(), at(5)).await.expect("it answers");
        assert_eq!(replicas[0].forget_past_grants().await.expect("it answers"), 1);
    })
    .await;
}
