use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
    time::Duration,
};

use claviger_issuer::keys::RotationError;
use claviger_jose::{Algorithm, Kid, VerifierReport};
use claviger_keyring::StepRefused;
use claviger_store::{Heartbeat, Store};
use migrations::Migrator;

use crate::{
    fixture::{House, Intruder, closed_fleet},
    home::{Home, err},
};

const ES256: &[Algorithm] = &[Algorithm::Es256];

/// Says what a verifier would.
async fn report(store: &Store, instance: &str, keys: &str, sequence: Option<u64>) {
    let report = VerifierReport {
        audience: "https://orders.example.test".to_owned(),
        instance: instance.to_owned(),
        keys: keys.to_owned(),
        sequence,
        version: "0.1.0".to_owned(),
    };
    store.note_verifiers(&[report]).await.expect("noted");
}

/// Says what a replica would.
async fn beat(store: &Store, keys: &str) {
    let heartbeat = Heartbeat {
        replica: "0198".to_owned(),
        place: "host:7".to_owned(),
        keys: keys.to_owned(),
        sequence: u64::MAX >> 1,
        version: "0.1.0".to_owned(),
        refusal: None,
    };
    store.beat(&heartbeat).await.expect("noted");
}

async fn keep(store: &Store, etag: &str, kids: &[Kid]) {
    store.keep_key_set(etag, kids).await.expect("kept");
}

// S-33 S-36
#[tokio::test]
async fn a_rotation_comes_early_only_when_every_verifier_and_every_replica_has_the_key() {
    let house = House::with(closed_fleet()).await;
    let (active, next) = (house.active(Algorithm::Es256).await, house.prepared(Algorithm::Es256).await);
    keep(&house.store, "old", &[active]).await;
    keep(&house.store, "both", &[active, next]).await;
    let refused = async || match house.rotation().rotate_now(ES256, None).await {
        Err(RotationError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    report(&house.store, "a", "both", None).await;
    report(&house.store, "b", "old", None).await;
    assert!(matches!(refused().await.reason, StepRefused::TooEarly { .. }));

    report(&house.store, "b", "both", None).await;
    beat(&house.store, "old").await;
    let behind = refused().await;
    assert_eq!(behind.reason, StepRefused::ReplicaBehind { kid: next, replica: "host:7".to_owned() });
    assert_eq!(behind.key.map(|(kid, state)| (kid, state.name())), Some((next, "prepared")));
    assert!(behind.earliest.is_some(), "it is not waited for for ever");
    let forced = house.rotation().force(ES256, None).await;
    assert!(matches!(forced, Err(RotationError::Refused(_))), "not even by force");

    beat(&house.store, "both").await;
    house.rotation().rotate_now(ES256, None).await.expect("all have it");
    assert_eq!(house.active(Algorithm::Es256).await, next);
    assert_eq!(house.acts(1).await[0].act.detail["known_by"], "fleet");
}

// S-33
#[tokio::test]
async fn what_verifiers_say_shortens_nothing_where_others_are_allowed_for() {
    let house = House::new().await;
    let (active, next) = (house.active(Algorithm::Es256).await, house.prepared(Algorithm::Es256).await);
    keep(&house.store, "both", &[active, next]).await;
    report(&house.store, "a", "both", None).await;
    let refused = house.rotation().rotate_now(ES256, None).await.expect_err("the lead holds");
    assert!(matches!(refused, RotationError::Refused(refusal) if refusal.earliest.is_some()));
}

/// A home with two verifiers and a replica, of which `b` lacks the next key.
struct Rig {
    home: Home,
    store: Store,
    active: Kid,
}

impl Rig {
    async fn new() -> Self {
        let home = Home::with(false);
        home.out(&["keys", "rotate"]);
        let url = format!("sqlite://{}", home.path().join("claviger.db").display());
        let store = Store::open_existing::<Migrator>(&url).await.expect("it opens");
        let kid = |state| home.kid("ES256", state).parse().expect("a kid");
        let (active, next): (Kid, Kid) = (kid("active"), kid("prepared"));
        keep(&store, "old", &[active]).await;
        keep(&store, "both", &[active, next]).await;
        keep(&store, "new", &[next]).await;
        beat(&store, "both").await;
        store.note_serving(Duration::from_mins(1)).await.expect("it is ready");
        report(&store, "a", "both", Some(0)).await;
        report(&store, "b", "old", None).await;
        Self { home, store, active }
    }

    fn start(&self, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
        let mut command = self.home.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        (child, lines)
    }
}

fn ends_well(child: Child) {
    let ran = child.wait_with_output().expect("it ends");
    assert!(ran.status.success(), "{}", err(&ran));
}

/// Reads on until a line says so, and answers it; what ends before never will.
fn line_with(lines: &mut BufReader<ChildStdout>, words: &str) -> String {
    let found = lines.lines().map_while(Result::ok).find(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("it ended and never said {words:?}"))
}

// S-33
#[tokio::test]
async fn rotate_wait_names_who_lacks_the_key_and_goes_on_when_all_have_it() {
    let rig = Rig::new().await;
    let wait = ["keys", "rotate", "--wait", "--alg", "ES256", "--timeout", "60s"];
    let (child, mut lines) = rig.start(&wait);
    let named = line_with(&mut lines, "not yet:");
    assert!(named.contains("1 of 2") && named.contains("orders.example.test b"), "{named}");
    assert!(named.contains("published by 1 of 1 replicas"), "{named}");
    beat(&rig.store, "both").await;
    report(&rig.store, "b", "both", None).await;
    line_with(&mut lines, "signs from now on");
    ends_well(child);
    assert_ne!(rig.home.kid("ES256", "active"), rig.active.to_string());
}

// S-33 S-100
#[tokio::test]
async fn rotate_wait_gives_up_on_a_frozen_verifier_by_name_and_the_key_stays_prepared() {
    let rig = Rig::new().await;
    let wait = ["keys", "rotate", "--wait", "--alg", "ES256", "--timeout", "1s"];
    let ran = rig.home.run(&wait);
    let text = err(&ran);
    assert_eq!(ran.status.code(), Some(1));
    assert!(text.contains("stays prepared") && text.contains("orders.example.test b"), "{text}");
    assert!(text.contains("by the clock it may sign from") && text.lines().count() == 1, "{text}");
    assert_eq!(rig.home.kid("ES256", "active"), rig.active.to_string());
    assert!(rig.home.log().lines().last().is_some_and(|line| line.contains("keys.refused")));
}

// S-42
#[tokio::test]
async fn a_compromised_key_is_followed_until_the_last_verifier_has_dropped_it() {
    let rig = Rig::new().await;
    let kid = rig.active.to_string();
    let (child, mut lines) = rig.start(&["keys", "revoke", &kid, "--compromised", "--timeout", "60s"]);
    let waiting = line_with(&mut lines, "waiting for");
    assert!(waiting.contains("0 of 2"), "{waiting}");
    let sequence = rig.store.revisions().await.expect("they are there").revocations;
    report(&rig.store, "a", "both", Some(sequence)).await;
    line_with(&mut lines, "1 of 2");
    report(&rig.store, "b", "new", None).await;
    let told = line_with(&mut lines, "dropped by 2 verifiers: p50");
    assert!(told.contains("p99") && told.contains("max"), "{told}");
    line_with(&mut lines, "worst case from now");
    ends_well(child);

    let again = rig.home.out(&["keys", "revoke", &kid, "--compromised", "--timeout", "60s"]);
    assert!(again.contains("cannot be revoked again") && again.contains("dropped by 2 verifiers"), "{again}");
    assert_eq!(rig.home.run(&["keys", "revoke", &kid]).status.code(), Some(1), "nobody asked to follow");
}

// S-42 S-85
#[tokio::test]
async fn a_fleet_that_is_not_known_whole_is_never_told_to_have_dropped_a_key() {
    let rig = Rig::new().await;
    let sequence = Some(u64::MAX >> 1);
    report(&rig.store, "a", "both", sequence).await;
    report(&rig.store, "b", "both", sequence).await;
    let intruder = Intruder::of(rig.home.path().join("claviger.db")).await;
    intruder.execute("UPDATE verifier_overflow SET noted_at = unixepoch()").await;
    let kid = rig.active.to_string();
    let ran = rig.home.run(&["keys", "revoke", &kid, "--compromised", "--timeout", "60s"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(err(&ran).contains("those that were not noted may still hold it"), "{}", err(&ran));
    assert_eq!(rig.home.kid("ES256", "revoked"), kid, "it is revoked all the same");
}

// S-42
#[tokio::test]
async fn who_has_not_dropped_a_compromised_key_in_time_is_named() {
    let rig = Rig::new().await;
    let kid = rig.active.to_string();
    let ran = rig.home.run(&["keys", "revoke", &kid, "--compromised", "--timeout", "1s"]);
    let text = err(&ran);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        text.contains("2 of 2 verifiers had not dropped it") && text.contains("orders.example.test b"),
        "{text}"
    );
    assert_eq!(rig.home.kid("ES256", "revoked"), kid, "it is revoked all the same");
}
