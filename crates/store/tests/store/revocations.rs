//! What is revoked besides keys, and the number of the feed.

use std::{collections::HashMap, time::Instant};

use claviger_jose::{Mark, Marked, NumericDate};
use claviger_keyring::KeyState;
use claviger_store::{Act, KeyOp, MAX_REVOCATIONS, Revoked, Store, StoreError};

use crate::fixture::{active, at, move_to, on_each_database, prepared};

const FAR: NumericDate = NumericDate::from_secs(4_000_000_000);

fn mark(kind: Marked, name: &str) -> Mark {
    Mark::of(kind, name)
}

fn token(name: &str, sub: Option<&str>) -> Revoked {
    Revoked::Token { jti: mark(Marked::Jti, name), sub: sub.map(|sub| mark(Marked::Sub, sub)) }
}

/// The tokens `sub/first` to `sub/last`, each of its subject.
fn tokens(sub: &str, numbers: std::ops::Range<u64>) -> Vec<Revoked> {
    numbers.map(|number| token(&format!("{sub}/{number}"), Some(sub))).collect()
}

fn subject(name: &str) -> Revoked {
    Revoked::Subject(mark(Marked::Sub, name))
}

async fn revoke(store: &Store, revoked: &[Revoked]) -> u64 {
    store.revoke(revoked, FAR, &[]).await.expect("revoked")
}

fn act() -> Act {
    Act {
        actor: "operator:ada".to_owned(),
        origin: "cli host".to_owned(),
        act: "revoke.jti".to_owned(),
        subject: "x".to_owned(),
        detail: serde_json::Value::Null,
        request_id: None,
    }
}

#[tokio::test]
async fn what_is_revoked_comes_back_with_its_times() {
    on_each_database(async |database| {
        let store = database.open().await;
        let all = [
            token("1", Some("ada")),
            token("2", None),
            Revoked::Session(mark(Marked::Sid, "s")),
            subject("ada"),
            Revoked::Client(mark(Marked::Client, "web")),
            Revoked::All,
        ];
        let before = store.now().await.expect("a time").as_secs();
        let sequence = store.revoke(&all, FAR, &[act()]).await.expect("revoked");
        let after = store.now().await.expect("a time").as_secs();
        let read = store.load_revocations().await.expect("they load");
        assert_eq!(read.sequence, sequence);
        assert_eq!(store.revisions().await.expect("they are there").revocations, sequence);
        assert_eq!(read.revocations.len(), all.len());
        for revocation in &read.revocations {
            assert!(all.contains(&revocation.revoked), "{revocation:?}");
            let time = revocation.not_before.as_secs() - u64::from(!is_token(&revocation.revoked));
            assert!(before <= time && time <= after, "{revocation:?}");
            assert_eq!(revocation.until, FAR);
        }
        assert_eq!(store.audit_tail(9).await.expect("read").len(), 1);
    })
    .await;
}

fn is_token(revoked: &Revoked) -> bool {
    matches!(revoked, Revoked::Token { .. })
}

// S-42 S-114
#[tokio::test]
async fn the_number_of_the_feed_grows_and_is_never_behind_the_clock() {
    on_each_database(async |database| {
        let store = database.open().await;
        assert_eq!(store.load_revocations().await.expect("they load").sequence, 0);
        let now = store.now().await.expect("a time").as_secs();
        let mut last = revoke(&store, &[subject("a")]).await;
        assert!((now..now + 60).contains(&last), "{last} {now}");
        for _ in 0..20 {
            let next = revoke(&store, &[subject("a")]).await;
            assert!(next > last);
            last = next;
        }
        database.intruder().await.execute("UPDATE revision SET revocations = 17").await.expect("restored");
        assert!(revoke(&store, &[]).await >= now);
    })
    .await;
}

// S-42
#[tokio::test]
async fn a_revoked_key_is_on_the_feed_in_the_same_transaction() {
    on_each_database(async |database| {
        let store = database.open().await;
        let (old, next) = (active(), prepared());
        let inserts = [KeyOp::Insert(old.clone()), KeyOp::Insert(next.clone())];
        store.change_keys(0, &inserts, &[]).await.expect("applied");
        assert_eq!(store.revisions().await.expect("they are there").revocations, 0);
        let emergency = [
            move_to(&old, KeyState::Revoked { at: at(500) }),
            move_to(&next, KeyState::Active { since: at(500) }),
        ];
        let now = store.now().await.expect("a time").as_secs();
        store.change_keys(1, &emergency, &[]).await.expect("applied");
        let read = store.load_revocations().await.expect("they load");
        assert!(read.sequence >= now);
        assert_eq!((read.kids, read.revocations), (vec![*old.jwk.kid()], vec![]));
        let refused = store.change_keys(2, &[move_to(&old, KeyState::Revoked { at: at(600) })], &[]).await;
        assert!(matches!(refused, Err(StoreError::NotInState(_))), "{refused:?}");
        assert_eq!(store.revisions().await.expect("they are there").revocations, read.sequence);
    })
    .await;
}

// S-44
#[tokio::test]
async fn of_two_revocations_of_one_thing_the_later_times_hold() {
    on_each_database(async |database| {
        let store = database.open().await;
        revoke(&store, &[subject("ada"), token("1", Some("ada"))]).await;
        let intruder = database.intruder().await;
        let set = "UPDATE revocation SET not_before = 3999999999, until = 4000000001";
        intruder.execute(set).await.expect("as if by a clock that was ahead");
        let again = [subject("ada"), token("1", None), token("1", None), subject("ada")];
        store.revoke(&again, at(10), &[]).await.expect("revoked");
        let read = store.load_revocations().await.expect("they load").revocations;
        assert_eq!(read.len(), 2);
        for revocation in read {
            let times = (revocation.not_before.as_secs(), revocation.until.as_secs());
            assert_eq!(times, (3_999_999_999, 4_000_000_001));
            let found = revocation.revoked;
            assert!(
                [subject("ada"), token("1", Some("ada"))].contains(&found),
                "{found:?} keeps its subject"
            );
        }
    })
    .await;
}

// S-85
#[tokio::test]
async fn what_has_passed_is_forgotten_by_the_databases_time() {
    on_each_database(async |database| {
        let store = database.open().await;
        let now = store.now().await.expect("a time").as_secs();
        let sequence = revoke(&store, &[subject("ada")]).await;
        store.revoke(&tokens("eve", 0..5), at(now - 1), &[]).await.expect("revoked");
        assert_eq!(store.load_revocations().await.expect("they load").revocations.len(), 6);
        assert_eq!(store.forget_revocations().await.expect("forgotten"), 5);
        let left = store.load_revocations().await.expect("they load");
        assert_eq!(left.revocations.len(), 1);
        assert!(left.sequence > sequence, "the number stays");
    })
    .await;
}

// S-85
#[tokio::test]
async fn too_many_tokens_become_their_subject_and_none_is_missed() {
    on_each_database(async |database| {
        let store = database.open().await;
        let web = Revoked::Client(mark(Marked::Client, "web"));
        let rest = [token("alone", None), token("eve/0", Some("eve")), web];
        store.revoke_within(20, &rest, FAR, &[]).await.expect("they fit");
        store.revoke_within(20, &tokens("ada", 0..10), FAR, &[]).await.expect("they fit");
        store.revoke_within(20, &tokens("bob", 0..6), FAR, &[]).await.expect("they fit");
        let latest = store.load_revocations().await.expect("they load").revocations;
        let latest = latest.iter().map(|revocation| revocation.not_before).max().expect("some");
        store.revoke_within(20, &tokens("bob", 6..9), FAR, &[]).await.expect("ada gives way");
        let read = store.load_revocations().await.expect("they load").revocations;
        let ada = read.iter().find(|revocation| revocation.revoked == subject("ada")).expect("instead");
        assert!(ada.not_before <= latest + std::time::Duration::from_secs(1));
        assert_eq!(read.len(), 3 + 9 + 1);
        for kept in rest.iter().chain(&tokens("bob", 0..9)) {
            assert!(read.iter().any(|revocation| revocation.revoked == *kept), "{kept:?}");
        }
        store.revoke_within(20, &tokens("ada", 20..28), FAR, &[]).await.expect("bob gives way");
        let read = store.load_revocations().await.expect("they load").revocations;
        assert!(read.iter().any(|revocation| revocation.revoked == subject("bob")));
        assert_eq!(read.len(), 3 + 1 + 1 + 8);
    })
    .await;
}

// S-85
#[tokio::test]
async fn a_feed_that_is_full_changes_nothing() {
    on_each_database(async |database| {
        let store = database.open().await;
        let strangers: Vec<_> = (0..9).map(|number| token(&number.to_string(), None)).collect();
        store.revoke_within(10, &strangers, FAR, &[act()]).await.expect("they fit");
        let before = store.load_revocations().await.expect("they load");
        let (two, sessions) = (
            [token("a", None), token("b", Some("ada"))],
            ["s", "t"].map(|sid| Revoked::Session(mark(Marked::Sid, sid))),
        );
        for more in [two, sessions] {
            let full = store.revoke_within(10, &more, FAR, &[act()]).await;
            assert!(matches!(full, Err(StoreError::FeedFull)), "{full:?}");
        }
        assert_eq!(store.load_revocations().await.expect("they load"), before);
        assert_eq!(store.audit_tail(9).await.expect("read").len(), 1);
        store.revoke_within(10, &tokens("ada", 0..50), FAR, &[]).await.expect("the subject fits");
        database.intruder().await.execute("UPDATE revocation SET until = 9").await.expect("passed");
        store.revoke_within(10, &two, FAR, &[]).await.expect("what has passed makes room");
        assert_eq!(store.load_revocations().await.expect("they load").revocations.len(), 2);
    })
    .await;
}

// S-85
#[tokio::test]
async fn a_feed_that_is_full_still_takes_the_revocation_of_everything() {
    on_each_database(async |database| {
        let store = database.open().await;
        let strangers: Vec<_> = (0..9).map(|number| token(&number.to_string(), None)).collect();
        let session = Revoked::Session(mark(Marked::Sid, "s"));
        store.revoke_within(10, &strangers, FAR, &[]).await.expect("they fit");
        store.revoke_within(10, &[session], FAR, &[]).await.expect("it fits");
        let intruder = database.intruder().await;
        let ahead = "UPDATE revocation SET not_before = 3999999999 WHERE kind = 'sid'";
        intruder.execute(ahead).await.expect("as if by a clock that was ahead");
        let near = store.now().await.expect("a time") + std::time::Duration::from_hours(1);
        store.revoke_within(10, &[Revoked::All], near, &[act()]).await.expect("it is never refused");
        let read = store.load_revocations().await.expect("they load").revocations;
        let kept: Vec<_> = read.iter().map(|revocation| (revocation.revoked, revocation.until)).collect();
        assert_eq!(kept, [(Revoked::All, FAR), (session, FAR)], "what it does not mean stays");
        store.revoke_within(10, &strangers, FAR, &[]).await.expect("and there is room again");
    })
    .await;
}

// S-85
#[tokio::test]
async fn very_many_tokens_of_few_subjects_stay_within_the_bound() {
    const TOKENS: u64 = 150_000;
    const BATCH: u64 = 50_000;
    const SUBJECTS: u64 = 40;
    on_each_database(async |database| {
        let store = database.open().await;
        let started = Instant::now();
        for batch in 0..TOKENS / BATCH {
            let numbers = batch * BATCH..(batch + 1) * BATCH;
            let revoked: Vec<_> = numbers
                .map(|number| token(&number.to_string(), Some(&(number % SUBJECTS).to_string())))
                .collect();
            revoke(&store, &revoked).await;
        }
        println!("{TOKENS} tokens revoked in {:?}", started.elapsed());
        let read = store.load_revocations().await.expect("they load").revocations;
        assert!(read.len() as u64 <= MAX_REVOCATIONS, "{}", read.len());
        let held: HashMap<Mark, NumericDate> = read
            .iter()
            .filter_map(|revocation| match revocation.revoked {
                Revoked::Token { jti, .. } => Some((jti, revocation.not_before)),
                Revoked::Subject(sub) => Some((sub, revocation.not_before)),
                _ => None,
            })
            .collect();
        for number in 0..TOKENS {
            let jti = mark(Marked::Jti, &number.to_string());
            let sub = mark(Marked::Sub, &(number % SUBJECTS).to_string());
            assert!(held.contains_key(&jti) || held.contains_key(&sub), "token {number} was missed");
        }
    })
    .await;
}
