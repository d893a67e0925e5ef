//! Accounts: who there is, and what operators change.

use claviger_oauth::UserId;
use claviger_store::{
    Act, LogIn, NewUser, PasswordHash, Profile, Store, StoreError, User, UserChange, UserOutcome, Username,
};
use serde_json::{Map, Value, json};

use crate::fixture::{at, on_each_database};

pub(crate) const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA";

pub(crate) fn name(text: &str) -> Username {
    text.parse().expect("a name")
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    text.parse().expect("a hash")
}

pub(crate) fn new_user(number: u8, text: &str) -> NewUser {
    NewUser {
        id: UserId::from_random([number; 16]),
        username: name(text),
        password_hash: Some(hash(HASH)),
        disabled: false,
        profile: Profile {
            claims: Map::from_iter([("name".to_owned(), Value::from("A\0da \u{1f511}"))]),
            roles: vec!["a \"b\"".to_owned()],
            groups: vec!["c".to_owned()],
        },
    }
}

pub(crate) fn act(act: &str) -> Act {
    Act {
        actor: "operator:ada".to_owned(),
        origin: "cli host".to_owned(),
        act: act.to_owned(),
        subject: "x".to_owned(),
        detail: Value::Null,
        request_id: None,
    }
}

async fn found(store: &Store, id: &UserId) -> User {
    store.user(id).await.expect("read").expect("there")
}

async fn acts(store: &Store) -> usize {
    store.audit_tail(99).await.expect("read").len()
}

#[tokio::test]
async fn somebody_who_was_added_is_found_by_id_and_by_any_way_to_write_the_name() {
    on_each_database(async |database| {
        let store = database.open().await;
        let new = new_user(1, "Zo\u{eb}");
        store.add_user(&new, &[act("user.add")]).await.expect("added");
        let user = found(&store, &new.id).await;
        assert_eq!((user.username.as_str(), user.profile.clone()), ("Zo\u{eb}", new.profile.clone()));
        assert_eq!(user.password_hash.map(|hash| hash.expose().to_owned()).as_deref(), Some(HASH));
        assert_eq!(user.password_changed_at, Some(user.created_at));
        assert_eq!((user.disabled, user.last_login_at), (false, None));
        let same = store.user_by_name(&name(" ZOE\u{308}")).await.expect("read").expect("there");
        assert_eq!(same.id, new.id);
        assert!(store.user_by_name(&name("zoe")).await.expect("read").is_none());
        assert_eq!(acts(&store).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_one_person_s_and_who_comes_second_changes_nothing() {
    on_each_database(async |database| {
        let store = database.open().await;
        store.add_user(&new_user(1, "ada"), &[]).await.expect("added");
        let twice = store.add_user(&new_user(2, "ADA"), &[act("user.add")]).await;
        assert!(matches!(&twice, Err(StoreError::UserExists(taken)) if taken.as_str() == "ADA"), "{twice:?}");
        let many = [new_user(3, "bob"), new_user(4, "Ada")];
        assert!(matches!(
            store.add_users(&many, &[act("user.add")], |_| ()).await,
            Err(StoreError::UserExists(_))
        ));
        assert_eq!(store.users(None, 9).await.expect("read").len(), 1, "nobody was half-imported");
        assert_eq!(acts(&store).await, 0);
        let at_once = (5..15).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.add_user(&new_user(number, "eve"), &[]).await.is_ok() })
        });
        let mut added = 0;
        for task in at_once.collect::<Vec<_>>() {
            added += usize::from(task.await.expect("it ran"));
        }
        assert_eq!(added, 1);
    })
    .await;
}

#[tokio::test]
async fn many_are_added_at_once_and_listed_in_pages() {
    on_each_database(async |database| {
        let store = database.open().await;
        let many: Vec<NewUser> = (0..1_201_u32)
            .map(|number| {
                let mut random = [0; 16];
                random[..4].copy_from_slice(&number.to_be_bytes());
                NewUser { id: UserId::from_random(random), ..new_user(0, &format!("user{number:05}")) }
            })
            .collect();
        let written = std::sync::Mutex::new(Vec::new());
        store
            .add_users(&many, &[], |count| written.lock().expect("no panic").push(count))
            .await
            .expect("added");
        assert_eq!(written.into_inner().expect("no panic"), [500, 1_000, 1_201]);
        let taken =
            store.taken_names(&[name("nobody"), name("USER00007"), name("user01200")]).await.expect("read");
        assert_eq!(taken, [name("USER00007"), name("user01200")]);
        let (mut after, mut listed) = (None, Vec::new());
        loop {
            let page = store.users(after.as_ref(), 500).await.expect("read");
            let Some(last) = page.last() else { break };
            after = Some(last.username.clone());
            listed.extend(page.into_iter().map(|user| user.username.as_str().to_owned()));
        }
        assert_eq!(listed.len(), 1_201);
        assert!(listed.is_sorted());
    })
    .await;
}

// S-99
#[tokio::test]
async fn of_two_who_change_what_both_have_seen_one_does() {
    on_each_database(async |database| {
        let store = database.open().await;
        let new = new_user(1, "ada");
        store.add_user(&new, &[]).await.expect("added");
        let seen = found(&store, &new.id).await.tag();
        let profile = Profile { roles: vec!["boss".to_owned()], ..Profile::default() };
        let change = UserChange { profile: Some(&profile), ..UserChange::default() };
        let change = async || {
            store
                .change_user(&new.id, Some(&seen), change, at(9), &[act("user.change")])
                .await
                .expect("it answers")
        };
        let (one, other) = tokio::join!(change(), change());
        assert!([one, other].contains(&UserOutcome::Applied) && [one, other].contains(&UserOutcome::Changed));
        let user = found(&store, &new.id).await;
        assert_eq!(user.profile, profile);
        assert_ne!(user.tag(), seen);
        assert_eq!(acts(&store).await, 1, "what was not done is not in the log");
        let nobody = UserId::from_random([9; 16]);
        let unknown = store.change_user(&nobody, None, UserChange::default(), at(9), &[act("x")]).await;
        assert_eq!(unknown.expect("it answers"), UserOutcome::Unknown);
        assert_eq!(acts(&store).await, 1);
    })
    .await;
}

// S-83
#[tokio::test]
async fn a_new_password_and_being_disabled_end_what_was_signed_in_to_in_the_same_transaction() {
    on_each_database(async |database| {
        let store = database.open().await;
        let new = new_user(1, "ada");
        store.add_user(&new, &[]).await.expect("added");
        let (other, until) = (hash("$argon2id$other"), at(4_000_000_000));
        let password = UserChange { password: Some(&other), ..UserChange::default() };
        let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
        for (number, change) in [(1, password), (2, disabled)] {
            let before = store.load_revocations().await.expect("read").sequence;
            let outcome = store.change_user(&new.id, None, change, until, &[act("user.change")]).await;
            assert_eq!(outcome.expect("changed"), UserOutcome::Applied);
            let now = store.now().await.expect("a time");
            let user = found(&store, &new.id).await;
            assert!(user.not_before >= now, "whoever was signed in is not any more");
            let feed = store.load_revocations().await.expect("read");
            assert!(feed.sequence > before && feed.revocations.len() == 1, "{feed:?}");
            assert_eq!(acts(&store).await, number);
        }
        let user = found(&store, &new.id).await;
        assert_eq!(user.password_hash.as_ref().map(PasswordHash::expose), Some("$argon2id$other"));
        assert!(user.disabled);
        let refused = store.change_user(&new.id, Some("stale"), password, until, &[act("x")]).await;
        assert_eq!(refused.expect("it answers"), UserOutcome::Changed);
        assert_eq!(found(&store, &new.id).await.not_before, user.not_before, "nothing was changed");
    })
    .await;
}

// S-90
#[tokio::test]
async fn a_log_in_counts_only_while_the_password_is_the_one_that_was_verified() {
    on_each_database(async |database| {
        let store = database.open().await;
        let new = new_user(1, "ada");
        store.add_user(&new, &[]).await.expect("added");
        let (first, better) = (hash(HASH), hash("$argon2id$better"));
        let log_in = |verified, upgraded| LogIn { user: &new.id, verified, upgraded, buckets: &[] };
        assert!(store.note_log_in(log_in(&first, None), &[act("user.log_in")]).await.expect("it answers"));
        assert!(found(&store, &new.id).await.last_login_at.is_some());
        assert!(store.note_log_in(log_in(&first, Some(&better)), &[]).await.expect("it answers"));
        assert!(!store.note_log_in(log_in(&first, None), &[act("user.log_in")]).await.expect("it answers"));
        assert!(store.note_log_in(log_in(&better, None), &[]).await.expect("it answers"));
        let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
        store.change_user(&new.id, None, disabled, at(9), &[]).await.expect("disabled");
        assert!(!store.note_log_in(log_in(&better, None), &[act("user.log_in")]).await.expect("it answers"));
        assert_eq!(acts(&store).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_role_is_had_by_its_whole_name_and_by_who_is_not_disabled() {
    on_each_database(async |database| {
        let store = database.open().await;
        let mut new = new_user(1, "ada");
        new.profile.roles = vec!["administrators".to_owned()];
        store.add_user(&new, &[]).await.expect("added");
        assert!(!store.has_user_in_role("administrator").await.expect("read"));
        let mut new = new_user(2, "bob");
        new.profile.roles = vec!["administrator".to_owned()];
        store.add_user(&new, &[]).await.expect("added");
        assert!(store.has_user_in_role("administrator").await.expect("read"));
        let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
        store.change_user(&new.id, None, disabled, at(9), &[]).await.expect("disabled");
        assert!(!store.has_user_in_role("administrator").await.expect("read"));
    })
    .await;
}

// S-103
#[tokio::test]
async fn a_damaged_row_is_named_and_not_shown() {
    on_each_database(async |database| {
        let store = database.open().await;
        let new = new_user(1, "ada");
        store.add_user(&new, &[]).await.expect("added");
        let intruder = database.intruder().await;
        for damage in
            ["claims = '[secret]'", "password_hash = 'sec ret'", "not_before = -1", "roles = 'secret'"]
        {
            intruder.execute(&format!("UPDATE account SET {damage}")).await.expect("damaged");
            let error = store.user(&new.id).await.expect_err(damage);
            assert!(matches!(&error, StoreError::Corrupt(what) if !what.contains("secret")), "{error}");
        }
    })
    .await;
}

// S-103
#[test]
fn what_is_known_of_somebody_is_not_in_the_log() {
    let new = new_user(1, "ada");
    let text = format!("{new:?} {}", json!(act("x").detail));
    assert!(!text.contains("argon2") && !text.contains("A\\0da") && text.contains("name"), "{text}");
}
