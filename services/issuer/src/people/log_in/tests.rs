use std::sync::Arc;

use claviger_store::{AttemptLimits, NewUser, Profile, UserChange};
use migrations::Migrator;
use tempfile::TempDir;

use super::*;
use crate::people::{Scheme, new_user_id};

const PASSWORD: &str = "the fog hums over tartu";
const HERE: &str = "192.0.2.1";

struct Home {
    directory: TempDir,
    gate: Gate,
}

impl Home {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        let (passwords, devices) = (Passwords::start(2).unwrap(), Devices::new(&[1; 32]));
        let turned_away = TurnedAway::default();
        Self { directory, gate: Gate { store, passwords, devices, turned_away } }
    }

    async fn add(&self, name: &str, disabled: bool) {
        let hash = Scheme::hash(&Password::parse(&PASSWORD.into()).unwrap()).unwrap();
        self.add_with(name, Some(hash.expose()), disabled).await;
    }

    async fn add_with(&self, name: &str, hash: Option<&str>, disabled: bool) {
        let new = NewUser {
            id: new_user_id(),
            username: name.parse().unwrap(),
            password_hash: hash.map(|hash| hash.parse().unwrap()),
            disabled,
            profile: Profile::default(),
        };
        self.gate.store.add_user(&new, &[]).await.unwrap();
    }

    async fn log_in(&self, name: &str, password: &str) -> Result<LoggedIn, LogInError> {
        self.log_in_from(name, password, HERE, None).await
    }

    async fn log_in_from(
        &self,
        username: &str,
        password: &str,
        address: &str,
        device: Option<&str>,
    ) -> Result<LoggedIn, LogInError> {
        let password = password.into();
        let origin = Origin { address: address.parse().unwrap(), device };
        log_in(&self.gate, Credentials { username, password: &password }, origin).await
    }
}

async fn open(directory: &TempDir) -> Store {
    let url = format!("sqlite://{}", directory.path().join("data/claviger.db").display());
    Store::open::<Migrator>(&url).await.unwrap()
}

#[tokio::test]
async fn who_knows_the_password_gets_in() {
    let home = Home::new().await;
    home.add("ada", false).await;
    let LoggedIn { user, device } = home.log_in(" Ada", PASSWORD).await.unwrap();
    assert_eq!(user.username.as_str(), "ada");
    assert!(device.starts_with("dv_"));
    let user = home.gate.store.user(&user.id).await.unwrap().unwrap();
    assert!(user.last_login_at.is_some());
    let log = home.gate.store.audit_tail(1).await.unwrap();
    assert_eq!(
        (log[0].act.act.as_str(), log[0].act.actor.clone()),
        ("user.log_in", format!("user:{}", user.id))
    );
}

// S-89
#[tokio::test]
async fn a_wrong_password_an_unknown_a_disabled_and_a_passwordless_person_are_one_answer_for_one_work() {
    let home = Home::new().await;
    home.add("ada", false).await;
    home.add("dora", true).await;
    home.add_with("nell", None, false).await;
    for (name, password) in
        [("ada", "the fog hums"), ("nobody", PASSWORD), ("dora", PASSWORD), ("nell", PASSWORD)]
    {
        let before = home.gate.passwords.evaluated();
        let refused = home.log_in(name, password).await.unwrap_err();
        assert!(matches!(refused, LogInError::Wrong), "{name}: {refused:?}");
        assert_eq!(home.gate.passwords.evaluated(), before + 1, "{name}");
    }
    assert!(home.gate.store.audit_tail(9).await.unwrap().is_empty(), "nobody has logged in");
}

// S-89
#[tokio::test]
async fn by_the_time_that_it_takes_nobody_can_tell_who_has_an_account() {
    const ROUNDS: usize = 40;
    let home = Home::new().await;
    home.add("ada", false).await;
    let mut times: [Vec<Duration>; 2] = Default::default();
    for round in 0..ROUNDS {
        // Names of one length, each with guesses left; known and unknown by turns, so that a busy machine is so for both.
        for known in [true, false] {
            let name = if known { "ada" } else { "eve" };
            let started = std::time::Instant::now();
            let address = format!("192.0.2.{round}");
            assert!(matches!(home.log_in_from(name, "x", &address, None).await, Err(LogInError::Wrong)));
            times[usize::from(known)].push(started.elapsed());
            home.gate
                .store
                .clear_attempts(&buckets(&name.parse().unwrap(), None, address.parse().unwrap()))
                .await
                .unwrap();
        }
    }
    let [unknown, known] = &times;
    let faster =
        known.iter().flat_map(|one| unknown.iter().map(move |other| usize::from(one < other))).sum::<usize>();
    // Mann and Whitney's U as a share: one half if neither is faster. Three deviations of it, for these many samples, are 0.2.
    let share =
        f64::from(u32::try_from(faster).unwrap()) / f64::from(u32::try_from(ROUNDS * ROUNDS).unwrap());
    assert!((0.3..0.7).contains(&share), "an account is known faster in {share} of all pairs");
}

// S-90
#[tokio::test]
async fn of_a_thousand_guesses_at_once_from_a_hundred_addresses_at_most_ten_are_evaluated() {
    let home = Home::new().await;
    home.add("ada", false).await;
    // Three replicas: each has connections and threads of its own, and they share the database.
    let mut gates = vec![home.gate.clone()];
    for _ in 0..2 {
        let (store, passwords) = (open(&home.directory).await, Passwords::start(2).unwrap());
        let turned_away = TurnedAway::default();
        gates.push(Gate { store, passwords, turned_away, ..home.gate.clone() });
    }
    let gates = Arc::new(gates);
    let mut guesses = Vec::new();
    for number in 0..1_000_usize {
        let gates = Arc::clone(&gates);
        guesses.push(tokio::spawn(async move {
            let password = format!("guess {number}").into();
            let origin =
                Origin { address: format!("192.0.2.{}", number % 100).parse().unwrap(), device: None };
            log_in(&gates[number % 3], Credentials { username: "ada", password: &password }, origin).await
        }));
    }
    let mut wrong = 0;
    for guess in guesses {
        match guess.await.unwrap().unwrap_err() {
            LogInError::Wrong => wrong += 1,
            LogInError::TooMany { .. }
            | LogInError::Stopped
            | LogInError::Busy(_)
            | LogInError::Unavailable(_) => {}
            LogInError::Malformed(reason) => panic!("{reason}"),
        }
    }
    let evaluated: u64 = gates.iter().map(|gate| gate.passwords.evaluated()).sum();
    assert_eq!(evaluated, wrong);
    assert!((1..=10).contains(&evaluated), "{evaluated}");
    assert!(
        matches!(home.log_in("ada", PASSWORD).await, Err(LogInError::TooMany { .. })),
        "nor is the right one"
    );
}

// S-90
#[tokio::test]
async fn strangers_who_guess_do_not_keep_the_person_out() {
    let mut home = Home::new().await;
    home.add("ada", false).await;
    let device = home.log_in("ada", PASSWORD).await.unwrap().device;
    for _ in 0..10 {
        assert!(matches!(home.log_in("ada", "guess").await, Err(LogInError::Wrong)));
    }
    assert!(matches!(home.log_in("ada", PASSWORD).await, Err(LogInError::TooMany { .. })));
    let again = home.log_in_from("ada", PASSWORD, HERE, Some(&device)).await.unwrap();
    assert_eq!(again.device, device, "it stays the same browser");
    assert!(
        matches!(home.log_in("ada", PASSWORD).await, Err(LogInError::TooMany { .. })),
        "strangers stay out"
    );
    for _ in 0..10 {
        let guess = home.log_in_from("ada", "guess", HERE, Some(&device)).await;
        assert!(matches!(guess, Err(LogInError::Wrong)), "{guess:?}");
    }
    let stolen = home.log_in_from("ada", PASSWORD, HERE, Some(&device)).await;
    assert!(matches!(stolen, Err(LogInError::TooMany { .. })), "nor does a stolen cookie let anybody guess");

    let enabled = UserChange { disabled: Some(false), ..UserChange::default() };
    let until = home.gate.store.now().await.unwrap();
    home.gate.store.change_user(&again.user.id, None, enabled, until, &[]).await.unwrap();
    // What was remembered of the refusals is forgotten after some seconds.
    home.gate.turned_away = TurnedAway::default();
    home.log_in_from("ada", PASSWORD, HERE, Some(&device)).await.unwrap();
}

// S-90
#[tokio::test]
async fn at_the_hard_stop_no_time_is_promised() {
    let home = Home::new().await;
    let [ada, _] = buckets(&"ada".parse().unwrap(), None, HERE.parse().unwrap());
    let AttemptLimits::Guesses { within, longest, stop, .. } = ada.limits else { panic!() };
    // The same bucket, without the pauses on the way.
    let mut quick = ada;
    quick.limits = AttemptLimits::Guesses { most: u32::MAX, within, longest, stop };
    for _ in 0..stop {
        assert_eq!(home.gate.store.reserve_attempt(&[quick]).await.unwrap(), Reservation::Reserved);
    }
    assert!(
        matches!(home.log_in("ada", PASSWORD).await, Err(LogInError::Stopped)),
        "nobody is there, and it is the same"
    );
    home.add("ada", false).await;
    assert!(matches!(home.log_in("ada", PASSWORD).await, Err(LogInError::Stopped)));
}

// S-90
#[tokio::test]
async fn a_right_password_starts_the_count_anew() {
    let home = Home::new().await;
    home.add("ada", false).await;
    for _ in 0..2 {
        for _ in 0..9 {
            assert!(matches!(home.log_in("ada", "guess").await, Err(LogInError::Wrong)));
        }
        home.log_in("ada", PASSWORD).await.unwrap();
    }
}

// S-90
#[tokio::test]
async fn who_guesses_at_many_accounts_is_stopped_by_the_address_and_who_knows_the_password_is_not_counted() {
    let home = Home::new().await;
    home.add("ada", false).await;
    let [_, address] = buckets(&"ada".parse().unwrap(), None, HERE.parse().unwrap());
    for _ in 0..98 {
        assert_eq!(home.gate.store.reserve_attempt(&[address]).await.unwrap(), Reservation::Reserved);
    }
    for _ in 0..5 {
        home.log_in("ada", PASSWORD).await.unwrap();
    }
    let mut wrong = 0;
    let refused = loop {
        match home.log_in(&format!("somebody{wrong}"), "guess").await {
            Err(LogInError::Wrong) => wrong += 1,
            refused => break refused,
        }
        // Every six seconds there is one more.
        assert!(wrong < 30);
    };
    assert!(matches!(refused, Err(LogInError::TooMany { .. })), "{refused:?}");
}

// S-88
#[tokio::test]
async fn a_hash_from_elsewhere_is_replaced_at_the_first_log_in() {
    let home = Home::new().await;
    let password = "correct horse battery staple, Zo\u{eb}";
    let hash = "pbkdf2_sha256$1000$seasalt1$8jBMdJO2YrB8kt5BiUQjkABCCdjO0BtNhgZB9SGSwAc=";
    home.add_with("ada", Some(hash), false).await;
    let before = home.gate.store.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap();
    assert!(matches!(home.log_in("ada", "wrong").await, Err(LogInError::Wrong)));
    home.log_in("ada", password).await.unwrap();
    let after = home.gate.store.user(&before.id).await.unwrap().unwrap();
    assert!(after.password_hash.as_ref().unwrap().expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(after.password_changed_at, before.password_changed_at, "it is the same password");
    assert_eq!(after.tag(), before.tag());
    home.log_in("ada", password).await.unwrap();
}

// S-87
#[tokio::test]
async fn what_can_be_no_password_is_refused_before_anything_is_computed() {
    let home = Home::new().await;
    home.add("ada", false).await;
    for (name, password) in
        [("ada", &*"x".repeat(1025)), ("ada", "x\0"), ("ada", ""), ("", PASSWORD), ("a\0", PASSWORD)]
    {
        let refused = home.log_in(name, password).await.unwrap_err();
        assert!(matches!(refused, LogInError::Malformed(_)), "{refused:?}");
    }
    assert_eq!(home.gate.passwords.evaluated(), 0);
}

// S-88
#[tokio::test]
async fn who_comes_when_all_places_are_taken_does_not_even_count() {
    let home = Home::new().await;
    let places: Vec<_> = std::iter::from_fn(|| home.gate.passwords.place().ok()).collect();
    for _ in 0..20 {
        assert!(matches!(home.log_in("ada", "guess").await, Err(LogInError::Busy(_))));
    }
    drop(places);
    assert!(matches!(home.log_in("ada", "guess").await, Err(LogInError::Wrong)));
}

// S-88 S-90
#[tokio::test]
async fn who_comes_back_too_early_costs_neither_a_place_nor_a_question_to_the_database() {
    let home = Home::new().await;
    for _ in 0..10 {
        assert!(matches!(home.log_in("ada", "guess").await, Err(LogInError::Wrong)));
    }
    assert!(matches!(home.log_in("ada", "guess").await, Err(LogInError::TooMany { .. })));
    let places: Vec<_> = std::iter::from_fn(|| home.gate.passwords.place().ok()).collect();
    let elsewhere = home.log_in_from("ada", "guess", "192.0.2.2", None).await;
    assert!(matches!(elsewhere, Err(LogInError::TooMany { .. })), "the account is closed: {elsewhere:?}");
    drop(places);
    home.gate.store.clone().close().await.unwrap();
    let Err(LogInError::TooMany { retry_after }) = home.log_in("ada", "guess").await else {
        panic!("the database is asked");
    };
    assert!(retry_after > Duration::from_mins(9), "{retry_after:?}");
    let another = home.log_in("bob", "guess").await;
    assert!(matches!(another, Err(LogInError::Unavailable(_))), "nobody else is refused: {another:?}");
}

// S-103
#[test]
fn what_somebody_presents_is_not_shown() {
    let password = "hunter2 hunter2".into();
    let credentials = Credentials { username: "hunter2", password: &password };
    assert_eq!(format!("{credentials:?}"), "Credentials(..)");
}
