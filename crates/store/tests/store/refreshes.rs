//! Refresh tokens: used once, answered again to who lost the answer, and the end of their family for a thief.

use std::time::Duration;

use claviger_jose::{Mark, Marked};
use claviger_oauth::{RefreshPolicy, RefreshRefusal, RefreshToken};
use claviger_store::{
    FamilyEnd, NextToken, RefreshAttempt, RefreshOutcome, RefusedRefresh, Revoked, StoreError,
};

use crate::{
    fixture::{at, on_each_database},
    granted::{AUDIENCE, CONSENT, Home, act, attempt, child, random, scopes, shop},
};

#[track_caller]
fn refused(outcome: &RefreshOutcome, expected: RefusedRefresh) {
    assert!(
        matches!(outcome, RefreshOutcome::Refused(why) if *why == expected),
        "{outcome:?}, not {expected:?}"
    );
}

async fn is_on_feed(home: &Home) -> bool {
    let session = Revoked::Session(Mark::of(Marked::Sid, "s1"));
    let feed = home.store.load_revocations().await.expect("it loads");
    assert_eq!(home.intruder.count("revocation WHERE sub IS NULL").await, 0, "it is known whose it is");
    feed.revocations.iter().any(|revocation| revocation.revoked == session)
}

// S-71 S-73
#[tokio::test]
async fn a_token_is_used_once_and_its_child_follows_it() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let mut token = home.family("f").await;
        for _ in 0..5 {
            let next = home.refresh(&token).await;
            assert_ne!(next.hash(), token.hash());
            assert_eq!(home.live_tokens().await, 1);
            token = next;
        }
        let text = home.intruder.read("SELECT CAST(count(*) AS TEXT) FROM refresh_token").await;
        assert_eq!(text, "6", "one row for each");
        let unknown = RefreshToken::from_random(random());
        assert!(matches!(home.present(attempt(&unknown)).await, RefreshOutcome::Unknown));
    })
    .await;
}

// S-71
#[tokio::test]
async fn no_token_is_in_the_database_but_its_hash() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let next = home.refresh(&token).await;
        let dump = home
            .intruder
            .read(if database.is_sqlite() {
                "SELECT group_concat(quote(hash) || quote(child) || quote(nonce)) FROM refresh_token"
            } else {
                "SELECT string_agg(hash::text || child::text || nonce::text, ',') FROM refresh_token"
            })
            .await;
        for token in [token, next] {
            let secret = token.expose().trim_start_matches("rt_");
            let hex = crate::fixture::hex(secret.as_bytes());
            assert!(!dump.contains(secret) && !dump.to_lowercase().contains(&hex), "{dump}");
        }
    })
    .await;
}

// S-72
#[tokio::test]
async fn another_client_or_another_key_does_not_use_a_token_up() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let other = RefreshAttempt { client_id: "other".parse().unwrap(), ..attempt(&token) };
        refused(&home.present(other).await, RefusedRefresh::OtherClient);
        let bound = RefreshAttempt { jkt: Some("thumbprint".to_owned()), ..attempt(&token) };
        refused(&home.present(bound).await, RefusedRefresh::OtherKey);
        home.run("UPDATE refresh_family SET jkt = 'thumbprint'").await;
        refused(&home.present(attempt(&token)).await, RefusedRefresh::OtherKey);
        let bound = RefreshAttempt { jkt: Some("thumbprint".to_owned()), ..attempt(&token) };
        child(&token, &home.present(bound).await);
        // Not even one that was used: a stranger must not be able to end the family.
        let other = RefreshAttempt { client_id: "other".parse().unwrap(), ..attempt(&token) };
        refused(&home.present(other).await, RefusedRefresh::OtherClient);
        assert_eq!(home.live_tokens().await, 1);
    })
    .await;
}

// S-74
#[tokio::test]
async fn who_lost_the_answer_gets_the_same_child_three_times_and_not_a_fourth() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let first = home.refresh(&token).await;
        for _ in 0..3 {
            assert_eq!(home.refresh(&token).await.hash(), first.hash());
            assert_eq!(home.live_tokens().await, 1);
        }
        // Many workers of one client are no theft: nobody is signed out.
        refused(&home.present(attempt(&token)).await, RefreshRefusal::TooOften.into());
        home.refresh(&first).await;
        assert!(matches!(home.present(attempt(&token)).await, RefreshOutcome::Reused { told: true, .. }));
    })
    .await;
}

// S-78
#[tokio::test]
async fn the_time_of_grace_begins_when_the_use_is_on_the_disk() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let lost = home.refresh(&token).await;
        let used = home.refresh(&lost).await;
        home.refresh(&used).await;
        home.run("UPDATE refresh_token SET used_at = used_at - 60 WHERE used_at IS NOT NULL").await;
        // What a writer does whose commit took long.
        let late = [lost.hash(), used.hash()];
        home.store.date_uses_anew(&late).await.expect("a database");
        assert!(
            matches!(home.present(attempt(&used)).await, RefreshOutcome::Refreshed(_)),
            "its answer was lost"
        );
        assert!(
            matches!(home.present(attempt(&lost)).await, RefreshOutcome::Reused { .. }),
            "its child was used"
        );
    })
    .await;
}

// S-74 S-75
#[tokio::test]
async fn after_the_time_of_grace_a_used_token_ends_its_family() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let next = home.refresh(&token).await;
        home.run("UPDATE refresh_token SET used_at = used_at - 60 WHERE used_at IS NOT NULL").await;
        assert!(matches!(home.present(attempt(&token)).await, RefreshOutcome::Reused { .. }));
        refused(&home.present(attempt(&next)).await, RefreshRefusal::Ended.into());
        assert_eq!(home.live_tokens().await, 0);
    })
    .await;
}

// S-75
#[tokio::test]
async fn a_grandparent_ends_the_family_at_once_and_its_session_is_on_the_feed() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let (first, stranger) = (home.family("f").await, home.family("g").await);
        let second = home.refresh(&first).await;
        let third = home.refresh(&second).await;
        assert!(!is_on_feed(&home).await);
        let outcome = home.present(attempt(&first)).await;
        let RefreshOutcome::Reused { sid, told: true } = &outcome else { panic!("{outcome:?}") };
        assert_eq!(sid.as_str(), "s1");
        for token in [&first, &second, &third] {
            refused(&home.present(attempt(token)).await, RefreshRefusal::Ended.into());
        }
        assert!(is_on_feed(&home).await);
        let log = home.store.audit_tail(1).await.expect("it is read");
        assert_eq!((log[0].act.act.as_str(), log[0].act.subject.as_str()), ("refresh.reuse", "s1"));
        assert_eq!(log[0].act.actor, "client:shop");
        // Another authorization of the same person is another family.
        home.refresh(&stranger).await;
    })
    .await;
}

// S-74
#[tokio::test]
async fn of_many_who_present_one_token_at_once_all_get_one_child_or_nothing() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        for (name, crowd) in [("pair", 2), ("four", 4), ("crowd", 50)] {
            let token = home.family(name).await;
            let presented = (0..crowd).map(|_| {
                let (store, attempt) = (home.store.clone(), attempt(&token));
                tokio::spawn(async move { store.present_refresh(attempt).await })
            });
            let presented: Vec<_> = presented.collect();
            let mut children = Vec::new();
            for outcome in presented {
                match outcome.await.expect("no panic") {
                    Ok(outcome @ RefreshOutcome::Refreshed(_)) => {
                        children.push(child(&token, &outcome).hash());
                    }
                    Ok(RefreshOutcome::Refused(_)) | Err(StoreError::Unavailable(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
            let granted = children.len();
            children.dedup();
            assert_eq!(children.len(), 1, "{name}: one child");
            assert!(granted <= 4 && (granted == crowd || crowd > 4), "{name}: {granted}");
            // Nobody is signed out: the token goes on for whoever holds the child.
            let sql = format!("refresh_family WHERE id = '{name}' AND ended_at IS NULL");
            assert_eq!(home.intruder.count(&sql).await, 1, "{name}");
            let sql = format!("refresh_token WHERE family = '{name}'");
            assert_eq!(home.intruder.count(&sql).await, 2, "{name}: a parent and a child");
        }
    })
    .await;
}

// S-73
#[tokio::test]
async fn many_families_at_once_are_each_refreshed() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let mut tokens = Vec::new();
        for number in 0..60 {
            tokens.push(home.family(&format!("f{number}")).await);
        }
        let presented = tokens.iter().map(|token| {
            let (store, attempt) = (home.store.clone(), attempt(token));
            tokio::spawn(async move { store.present_refresh(attempt).await })
        });
        let presented: Vec<_> = presented.collect();
        for (token, outcome) in tokens.iter().zip(presented) {
            child(token, &outcome.await.expect("no panic").expect("it is refreshed"));
        }
        assert_eq!(home.live_tokens().await, 60);
    })
    .await;
}

// S-78
#[tokio::test]
async fn one_damaged_family_is_no_refusal_of_the_others() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let mut tokens = Vec::new();
        for number in 0..8 {
            tokens.push(home.family(&format!("f{number}")).await);
        }
        home.run(r#"UPDATE refresh_family SET "authorization" = '{}' WHERE id = 'f3'"#).await;
        let presented = tokens.iter().map(|token| {
            let (store, attempt) = (home.store.clone(), attempt(token));
            tokio::spawn(async move { store.present_refresh(attempt).await })
        });
        let presented: Vec<_> = presented.collect();
        for (number, outcome) in presented.into_iter().enumerate() {
            let outcome = outcome.await.expect("no panic");
            match number {
                3 => assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{outcome:?}"),
                _ => assert!(matches!(outcome, Ok(RefreshOutcome::Refreshed(_))), "{outcome:?}"),
            }
        }
    })
    .await;
}

// S-60 S-76
#[tokio::test]
async fn each_refresh_asks_for_the_person_the_session_and_the_consent_anew() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let mut token = home.family("f").await;
        let consent = format!(
            "INSERT INTO consent (account, client_id, scopes, granted_at) VALUES ('ann', 'shop', '{CONSENT}', 1)"
        );
        let whole = format!("UPDATE consent SET scopes = '{CONSENT}'");
        let only = |held: String| format!("UPDATE consent SET scopes = '{held}'");
        let less = only(CONSENT.replace(r#","orders:write""#, ""));
        let elsewhere = only(CONSENT.replace(AUDIENCE, "https://ledger.test"));
        let not_here = only(r#"{"identity":["offline_access","openid","orders:read","orders:write"],"services":{}}"#.to_owned());
        let not_who = only(CONSENT.replace(r#","openid""#, ""));
        let of_before = only("openid offline_access orders:read orders:write".to_owned());
        let more = only(CONSENT.replace("}}", r#","more"],"https://ledger.test":[]}}"#).replace("],\"more", ",\"more"));
        let facts = [
            (
                "UPDATE account SET disabled = TRUE",
                "UPDATE account SET disabled = FALSE",
                RefusedRefresh::Disabled,
            ),
            (
                "UPDATE account SET not_before = 1001",
                "UPDATE account SET not_before = 1000",
                RefusedRefresh::SignedOut,
            ),
            (
                "UPDATE account SET password_changed_at = 1001",
                "UPDATE account SET password_changed_at = 1000",
                RefusedRefresh::SignedOut,
            ),
            (
                "UPDATE session SET ended_at = 1001",
                "UPDATE session SET ended_at = NULL",
                RefusedRefresh::SessionEnded,
            ),
            ("DELETE FROM consent", &consent, RefusedRefresh::NoConsent),
            (&less, &whole, RefusedRefresh::NoConsent),
            (&elsewhere, &whole, RefusedRefresh::NoConsent),
            (&not_here, &whole, RefusedRefresh::NoConsent),
            (&not_who, &more, RefusedRefresh::NoConsent),
            (&of_before, &whole, RefusedRefresh::NoConsent),
        ];
        home.run(&consent).await;
        for (fall, rise, why) in facts {
            let presented = |token: &RefreshToken| RefreshAttempt { needs_consent: true, ..attempt(token) };
            home.run(fall).await;
            refused(&home.present(presented(&token)).await, why);
            home.run(rise).await;
            token = child(&token, &home.present(presented(&token)).await);
        }
        home.run("DELETE FROM consent").await;
        home.refresh(&token).await;
    })
    .await;
}

// S-77
#[tokio::test]
async fn who_asks_for_more_is_refused_before_the_token_is_used_up() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let wider = RefreshAttempt { scope: Some(scopes("orders:read orders:delete")), ..attempt(&token) };
        assert!(matches!(home.present(wider).await, RefreshOutcome::WiderScope));
        let other =
            RefreshAttempt { resource: vec!["https://ledger.test".parse().unwrap()], ..attempt(&token) };
        assert!(matches!(home.present(other).await, RefreshOutcome::OtherTarget));
        // The client has lost the resource server: for as long as that is so, nothing is used up either.
        let lost =
            RefreshAttempt { targets: vec!["https://ledger.test".parse().unwrap()], ..attempt(&token) };
        for _ in 0..2 {
            assert!(matches!(home.present(lost.clone()).await, RefreshOutcome::OtherTarget));
        }
        let narrower = RefreshAttempt {
            scope: Some(scopes("orders:read")),
            resource: vec![AUDIENCE.parse().unwrap()],
            ..attempt(&token)
        };
        let next = child(&token, &home.present(narrower).await);
        home.refresh(&next).await;
    })
    .await;
}

// S-77
#[tokio::test]
async fn a_token_ends_by_idleness_and_by_the_end_of_its_family_on_the_databases_clock() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let (idle, old) = (home.family("idle").await, home.family("old").await);
        home.run("UPDATE refresh_token SET idle_until = 5 WHERE family = 'idle'").await;
        refused(&home.present(attempt(&idle)).await, RefreshRefusal::Idle.into());
        home.run("UPDATE refresh_family SET expires_at = 5 WHERE id = 'old'").await;
        refused(&home.present(attempt(&old)).await, RefreshRefusal::Expired.into());
        // A child never outlives its family.
        let last = home.family("last").await;
        home.run("UPDATE refresh_family SET expires_at = created_at + 100 WHERE id = 'last'").await;
        home.refresh(&last).await;
        let late = "refresh_token t JOIN refresh_family f ON f.id = t.family
                    WHERE f.id = 'last' AND t.used_at IS NULL AND t.idle_until > f.expires_at";
        assert_eq!(home.intruder.count(late).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_not_rotated_is_good_again_and_does_not_die_of_idleness() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let same = |outcome: RefreshOutcome| {
            let RefreshOutcome::Refreshed(refreshed) = outcome else { panic!("{outcome:?}") };
            refreshed.next == NextToken::Same
        };
        let by = |policy| RefreshAttempt { policy, ..attempt(&token) };
        assert!(same(home.present(by(RefreshPolicy::Never)).await));
        assert!(same(home.present(by(RefreshPolicy::RotateNearEnd)).await));
        // Ten of its twenty-four hours are left.
        home.run("UPDATE refresh_token SET idle_until = idle_until - 14 * 3600").await;
        assert!(same(home.present(by(RefreshPolicy::RotateNearEnd)).await));
        assert!(same(home.present(by(RefreshPolicy::Never)).await));
        let short =
            "refresh_token t JOIN refresh_family f ON f.id = t.family WHERE t.idle_until < f.expires_at - 60";
        assert_eq!(home.intruder.count(short).await, 0, "it has all of its time again");
        // Seven are.
        home.run("UPDATE refresh_token SET idle_until = idle_until - 17 * 3600").await;
        assert!(!same(home.present(by(RefreshPolicy::RotateNearEnd)).await));
    })
    .await;
}

// S-81
#[tokio::test]
async fn a_client_ends_a_family_of_its_own_by_any_of_its_tokens() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        let next = home.refresh(&token).await;
        let (shop, other) = (shop(), "other".parse().unwrap());
        let end = |client_id| FamilyEnd { client_id, until: at(99_999_999_999), act: act("refresh.revoke") };
        assert_eq!(home.store.end_family_of(&token, end(&other)).await.expect("it answers"), None);
        assert_eq!(home.store.session_of(&next, &other).await.expect("it answers"), None);
        let sid = home.store.session_of(&next, &shop).await.expect("it answers").expect("a session");
        assert_eq!(home.store.end_family_of(&token, end(&shop)).await.expect("it answers"), Some(sid));
        refused(&home.present(attempt(&next)).await, RefreshRefusal::Ended.into());
        assert!(is_on_feed(&home).await);
        let unknown = RefreshToken::from_random(random());
        assert_eq!(home.store.end_family_of(&unknown, end(&shop)).await.expect("it answers"), None);
    })
    .await;
}

#[tokio::test]
async fn what_nobody_can_use_any_more_is_forgotten_and_the_rest_is_not() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let (alive, past, ended) =
            (home.family("alive").await, home.family("past").await, home.family("ended").await);
        let next = home.refresh(&alive).await;
        home.refresh(&past).await;
        home.refresh(&ended).await;
        assert_eq!(home.store.forget_past_grants().await.expect("it answers"), 0);
        home.run("UPDATE refresh_family SET expires_at = 5 WHERE id = 'past'").await;
        home.run("UPDATE refresh_family SET ended_at = 5 WHERE id = 'ended'").await;
        home.run("UPDATE authorization_code SET expires_at = 5 WHERE family <> 'alive'").await;
        assert_eq!(home.store.forget_past_grants().await.expect("it answers"), 2 * 2 + 2 + 2);
        assert!(matches!(home.present(attempt(&past)).await, RefreshOutcome::Unknown));
        // Its parent is still known for what it is.
        let next = home.refresh(&next).await;
        let outcome = home.present(attempt(&alive)).await;
        assert!(matches!(outcome, RefreshOutcome::Reused { .. }), "{outcome:?} {next:?}");
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_closed_is_no_refusal() {
    on_each_database(async |database| {
        let home = Home::of(&database).await;
        let token = home.family("f").await;
        home.store.clone().close().await.expect("it closes");
        let patience = Duration::from_secs(30);
        let outcome = tokio::time::timeout(patience, home.store.present_refresh(attempt(&token))).await;
        assert!(matches!(outcome, Ok(Err(StoreError::Unavailable(_)))), "{outcome:?}");
    })
    .await;
}
