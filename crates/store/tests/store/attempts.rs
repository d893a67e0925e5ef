//! Attempts are counted before they are evaluated, and links are used once.

use std::time::Duration;

use claviger_oauth::LinkSecret;
use claviger_store::{
    AttemptLimits, Bucket, LinkOutcome, LinkPurpose, NewUser, NoRoom, Reservation, Store, StoreError,
    UserChange, UserOutcome,
};

use crate::{
    accounts::{act, hash, name, new_user},
    fixture::{Database, Intruder, at, on_each_database},
};

const GUESSES: AttemptLimits = AttemptLimits::Guesses {
    most: 10,
    within: Duration::from_mins(10),
    longest: Duration::from_hours(24),
    stop: 100,
};
const RATE: AttemptLimits = AttemptLimits::Rate { burst: 30, each: Duration::from_mins(1) };
const PURPOSE: LinkPurpose = LinkPurpose::FirstAdministrator;
const LIFE: Duration = Duration::from_mins(15);

fn account() -> Bucket {
    Bucket::of_account(&name("ada"), GUESSES)
}

fn address(text: &str) -> Bucket {
    Bucket::new("address", text, RATE)
}

async fn passes(store: &Store, buckets: &[Bucket]) -> bool {
    store.reserve_attempt(buckets).await.expect("it answers") == Reservation::Reserved
}

/// How many of so many attempts pass.
async fn passing(store: &Store, buckets: &[Bucket], attempts: usize) -> usize {
    let mut passed = 0;
    for _ in 0..attempts {
        passed += usize::from(passes(store, buckets).await);
    }
    passed
}

// S-90
#[tokio::test]
async fn of_three_hundred_at_once_over_three_replicas_ten_pass() {
    on_each_database(async |database| {
        let stores = [database.open().await, database.open().await, database.open().await];
        let mut asked = Vec::new();
        for number in 0..300_usize {
            let store = stores[number % 3].clone();
            asked.push(tokio::spawn(async move {
                let buckets = [account(), address(&number.to_string())];
                loop {
                    match store.reserve_attempt(&buckets).await {
                        Ok(reservation) => return reservation == Reservation::Reserved,
                        // A queue for a connection, or a lock that took too long.
                        Err(error) => assert!(error.is_transient(), "{error:?}"),
                    }
                }
            }));
        }
        let mut passed = 0;
        for asked in asked {
            passed += usize::from(asked.await.expect("it ran"));
        }
        assert_eq!(passed, 10);
    })
    .await;
}

// S-90
#[tokio::test]
async fn an_attempt_counts_in_all_of_its_buckets_or_in_none() {
    on_each_database(async |database| {
        let store = database.open().await;
        assert_eq!(passing(&store, &[account(), address("a")], 20).await, 10);
        assert_eq!(
            passing(&store, &[address("a")], 40).await,
            20,
            "what was refused took nothing from the address"
        );
        assert!(passes(&store, &[address("b")]).await);
        let Reservation::Refused { no_room: NoRoom::For(retry_after), bucket } =
            store.reserve_attempt(&[address("b"), account()]).await.expect("it answers")
        else {
            panic!("refused");
        };
        assert!((590..=600).contains(&retry_after.as_secs()), "{retry_after:?}");
        assert_eq!(bucket, account());
    })
    .await;
}

// S-90
#[tokio::test]
async fn after_a_success_guesses_begin_anew_and_the_address_has_one_back() {
    on_each_database(async |database| {
        let store = database.open().await;
        let both = [account(), address("a")];
        for _ in 0..40 {
            assert!(passes(&store, &both).await, "neither runs out");
            store.clear_attempts(&both).await.expect("cleared");
        }
        assert_eq!(passing(&store, &both, 12).await, 10, "all ten are there");
        assert_eq!(passing(&store, &[address("a")], 40).await, 20);
    })
    .await;
}

// S-90
#[tokio::test]
async fn a_new_password_and_being_enabled_end_a_lock_out() {
    on_each_database(async |database| {
        let store = database.open().await;
        let new = new_user(1, "ada");
        store.add_user(&new, &[]).await.expect("added");
        let other = hash("$argon2id$other");
        let password = UserChange { password: Some(&other), ..UserChange::default() };
        let enabled = UserChange { disabled: Some(false), ..UserChange::default() };
        for change in [password, enabled] {
            let browsers = ["one", "two"].map(|mark| Bucket::of_browser(mark, &name("ada"), GUESSES));
            let stranger = Bucket::of_browser("one", &name("bob"), GUESSES);
            for bucket in [account(), browsers[0], browsers[1], stranger] {
                passing(&store, &[bucket], 12).await;
                assert!(!passes(&store, &[bucket]).await);
            }
            let outcome = store.change_user(&new.id, None, change, at(9), &[]).await;
            assert_eq!(outcome.expect("changed"), UserOutcome::Applied);
            for bucket in [account(), browsers[0], browsers[1]] {
                assert!(passes(&store, &[bucket]).await, "where the person sits, too");
            }
            assert!(!passes(&store, &[stranger]).await, "somebody else's guesses stay");
        }
    })
    .await;
}

/// Lets days pass for what was counted, and a minute.
async fn days_pass(intruder: &Intruder, days: u32) {
    let seconds = days * 86_400 + 60;
    let back = format!(
        "UPDATE attempt SET window_at = window_at - {seconds}, not_before = not_before - {seconds},
         forget_at = CASE WHEN forget_at < 4000000000 THEN forget_at - {seconds} ELSE forget_at END"
    );
    intruder.execute(&back).await.expect("as if so long ago");
}

// S-90
#[tokio::test]
async fn what_is_long_past_is_forgotten_and_a_hard_stop_never() {
    on_each_database(async |database| {
        let (store, intruder) = (database.open().await, database.intruder().await);
        let forgotten = async || store.forget_attempts().await.expect("it answers");
        assert!(passes(&store, &[account(), address("a")]).await);
        assert!(passes(&store, &[account()]).await);
        assert_eq!(forgotten().await, 0);
        days_pass(&intruder, 1).await;
        assert_eq!(forgotten().await, 1, "the address: two guesses are remembered for two days");
        days_pass(&intruder, 2).await;
        assert_eq!(forgotten().await, 1);

        let quick = AttemptLimits::Guesses { most: 1_000, within: LIFE, longest: LIFE, stop: 100 };
        let quick = Bucket::of_account(&name("ada"), quick);
        assert_eq!(passing(&store, &[quick], 101).await, 100);
        days_pass(&intruder, 99).await;
        assert_eq!(forgotten().await, 0);
        let stopped = store.reserve_attempt(&[account(), address("a")]).await.expect("it answers");
        let expected = Reservation::Refused { no_room: NoRoom::Stopped, bucket: account() };
        assert_eq!(stopped, expected, "no time is promised");
    })
    .await;
}

// S-90
#[tokio::test]
async fn what_an_older_binary_has_counted_is_remembered_for_a_month() {
    on_each_database(async |database| {
        let (store, intruder) = (database.open().await, database.intruder().await);
        assert!(passes(&store, &[account()]).await);
        intruder.execute("UPDATE attempt SET forget_at = NULL").await.expect("as if by an older binary");
        days_pass(&intruder, 29).await;
        assert_eq!(store.forget_attempts().await.expect("it answers"), 0);
        days_pass(&intruder, 2).await;
        assert_eq!(store.forget_attempts().await.expect("it answers"), 1);

        assert!(passes(&store, &[account()]).await);
        intruder.execute("UPDATE attempt SET consecutive = 100, forget_at = 9").await.expect("counted on");
        assert_eq!(
            store.forget_attempts().await.expect("it answers"),
            0,
            "a hard stop is one whoever says it"
        );
    })
    .await;
}

// S-90
#[tokio::test]
async fn guesses_at_very_many_names_are_gone_after_a_day() {
    on_each_database(async |database| {
        let (store, intruder) = (database.open().await, database.intruder().await);
        let names: Vec<Bucket> =
            (0..600).map(|number| Bucket::of_account(&name(&format!("nobody{number}")), GUESSES)).collect();
        assert!(passes(&store, &names).await);
        days_pass(&intruder, 1).await;
        assert!(passes(&store, &names[..1]).await, "one goes on");
        assert_eq!(store.forget_attempts().await.expect("it answers"), 599);
        assert_eq!(intruder.count("attempt").await, 1);
    })
    .await;
}

// S-90
#[tokio::test]
async fn the_database_does_not_tell_who_was_guessed_at() {
    let database = Database::sqlite();
    let store = database.open().await;
    assert!(passes(&store, &[account(), address("192.0.2.1")]).await);
    let intruder = database.intruder().await;
    let text = intruder.read("SELECT group_concat(hex(bucket)) FROM attempt").await;
    assert_eq!(text.len(), 2 * 64 + 1, "two hashes");
}

fn link(number: u8) -> LinkSecret {
    LinkSecret::from_random([number; 32])
}

// S-92 S-93
#[tokio::test]
async fn a_link_is_used_once_and_until_its_end() {
    on_each_database(async |database| {
        let store = database.open().await;
        let now = store.now().await.expect("a time");
        let expires =
            store.add_link(&link(1), PURPOSE, None, LIFE, &[act("link.create")]).await.expect("added");
        assert!((900..910).contains(&expires.since(now).as_secs()));
        let found = store.link(&link(1), PURPOSE).await.expect("read").expect("it can be used");
        assert_eq!((found.account, found.expires_at), (None, expires));
        assert!(store.link(&link(2), PURPOSE).await.expect("read").is_none());
        let intruder = database.intruder().await;
        intruder.execute("UPDATE one_time_link SET expires_at = expires_at - 1000").await.expect("later");
        assert!(store.link(&link(1), PURPOSE).await.expect("read").is_none());
        let late = store.add_user_by_link(&link(1), PURPOSE, &new_user(1, "ada"), &[]).await;
        assert_eq!(late.expect("it answers"), LinkOutcome::Invalid);
        intruder.execute("UPDATE one_time_link SET expires_at = expires_at + 1000").await.expect("in time");
        let taken = new_user(9, "eve");
        store.add_user(&taken, &[]).await.expect("added");
        let exists = store.add_user_by_link(&link(1), PURPOSE, &new_user(1, "eve"), &[]).await;
        assert!(matches!(exists, Err(StoreError::UserExists(_))), "{exists:?}");
        let used = store.add_user_by_link(&link(1), PURPOSE, &new_user(1, "ada"), &[act("user.add")]).await;
        assert_eq!(used.expect("it answers"), LinkOutcome::Used, "a name that is taken has not used it up");
        let again = store.add_user_by_link(&link(1), PURPOSE, &new_user(2, "bob"), &[]).await;
        assert_eq!(again.expect("it answers"), LinkOutcome::Invalid);
        assert!(store.link(&link(1), PURPOSE).await.expect("read").is_none());
        assert_eq!(store.audit_tail(9).await.expect("read").len(), 2);
    })
    .await;
}

// S-92 S-93
#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_does() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.add_link(&link(1), PURPOSE, None, LIFE, &[]).await.expect("added");
        let at_once = (0..20).map(|number| {
            let store = store.clone();
            let new = new_user(number, &format!("user{number}"));
            tokio::spawn(async move { store.add_user_by_link(&link(1), PURPOSE, &new, &[]).await })
        });
        let mut used = 0;
        for task in at_once.collect::<Vec<_>>() {
            used += usize::from(task.await.expect("it ran").expect("it answers") == LinkOutcome::Used);
        }
        assert_eq!(used, 1);
        assert_eq!(store.users(None, 99).await.expect("read").len(), 1);
    })
    .await;
}

// S-92 S-93
#[tokio::test]
async fn a_newer_link_voids_the_older_and_what_has_expired_is_forgotten() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.add_link(&link(1), PURPOSE, None, LIFE, &[]).await.expect("added");
        store.add_link(&link(2), PURPOSE, None, LIFE, &[]).await.expect("added");
        assert!(store.link(&link(1), PURPOSE).await.expect("read").is_none());
        assert!(store.link(&link(2), PURPOSE).await.expect("read").is_some());
        assert_eq!(store.forget_links().await.expect("it answers"), 0);
        database.intruder().await.execute("UPDATE one_time_link SET expires_at = 9").await.expect("later");
        assert_eq!(store.forget_links().await.expect("it answers"), 1);
    })
    .await;
}

/// A person who would be administrator.
fn administrator(number: u8) -> NewUser {
    let mut new = new_user(number, &format!("admin{number}"));
    new.profile.roles = vec![PURPOSE.role().to_owned()];
    new
}

// S-93
#[tokio::test]
async fn there_is_one_first_administrator_even_of_two_links() {
    on_each_database(async |database| {
        let (store, intruder) = (database.open().await, database.intruder().await);
        store.add_link(&link(1), PURPOSE, None, LIFE, &[]).await.expect("added");
        // As if the two had been made at the same time.
        intruder.execute("UPDATE one_time_link SET account = 'x'").await.expect("hidden");
        store.add_link(&link(2), PURPOSE, None, LIFE, &[]).await.expect("added");
        intruder.execute("UPDATE one_time_link SET account = NULL").await.expect("there are two");
        let at_once = [1, 2].map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store.add_user_by_link(&link(number), PURPOSE, &administrator(number), &[]).await
            })
        });
        let mut used = 0;
        for task in at_once {
            used += usize::from(task.await.expect("it ran").expect("it answers") == LinkOutcome::Used);
        }
        assert_eq!((used, store.users(None, 9).await.expect("read").len()), (1, 1));
        assert_eq!(
            intruder.count("one_time_link WHERE used_at IS NULL").await,
            1,
            "nothing was done by the other"
        );
    })
    .await;
}

// S-93
#[tokio::test]
async fn of_links_that_are_made_at_once_one_can_be_used() {
    on_each_database(async |database| {
        let store = database.open().await;
        let at_once = (0..8).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.add_link(&link(number), PURPOSE, None, LIFE, &[]).await })
        });
        for task in at_once.collect::<Vec<_>>() {
            task.await.expect("it ran").expect("added");
        }
        assert_eq!(database.intruder().await.count("one_time_link").await, 1);
    })
    .await;
}
