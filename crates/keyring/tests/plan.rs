//! What is due when: one line per fact.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use claviger_jose::{Algorithm, Jwk, NumericDate, PublicKey};
use claviger_keyring::{
    FleetView, KeyState, Keyring, KnownBy, Lifetimes, ManagedKey, RotationPolicy, Serving, Step, StepRefused,
    Witness,
};
use expect_test::{Expect, expect};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const NOW: u64 = 1000 * DAY;

fn at(hours: i64) -> NumericDate {
    NumericDate::from_secs(NOW.checked_add_signed(hours * 3600).unwrap())
}

/// Not a point on the curve, but nothing here verifies: a key is only a name.
fn jwk(name: u8) -> Jwk {
    Jwk::new(PublicKey::P256 { x: [name; 32], y: [name; 32] }).unwrap()
}

fn key(name: u8, state: KeyState) -> ManagedKey {
    ManagedKey { jwk: jwk(name), state }
}

fn prepared(name: u8, since: i64) -> ManagedKey {
    key(name, KeyState::Prepared { since: at(since) })
}

fn active(name: u8, since: i64) -> ManagedKey {
    key(name, KeyState::Active { since: at(since) })
}

fn retiring(name: u8, until: i64) -> ManagedKey {
    key(name, KeyState::Retiring { since: at(until - 1), until: at(until) })
}

fn rsa(name: u8, state: KeyState) -> ManagedKey {
    let jwk = Jwk::new(PublicKey::Rsa { n: vec![name; 256], e: vec![1, 0, 1] });
    ManagedKey { jwk: jwk.unwrap(), state }
}

fn describe(step: &Step) -> String {
    let name =
        |kid| (1..30).find(|name| jwk(*name).kid() == kid).map_or("?".to_owned(), |name| format!("K{name}"));
    match step {
        Step::Create { active, .. } => format!("create {}", if *active { "active" } else { "prepared" }),
        Step::Activate { kid, .. } => format!("activate {}", name(kid)),
        Step::Remove { kid } => format!("remove {}", name(kid)),
        Step::Revoke { kid } => format!("revoke {}", name(kid)),
    }
}

fn es256(steps: &[Step]) -> String {
    let of_rs256 = |step: &&Step| matches!(step, Step::Create { alg: Algorithm::Rs256, .. });
    let steps: Vec<String> = steps.iter().filter(|step| !of_rs256(step)).map(describe).collect();
    steps.join(", ")
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
fn check_plan(keys: &[ManagedKey], expected: Expect) {
    let plan = Keyring::new(keys.to_vec()).plan(&RotationPolicy::default(), &FleetView::default(), at(0));
    expected.assert_eq(&es256(&plan));
}

#[test]
fn steps_are_due_by_the_clock_and_not_before() {
    check_plan(&[], expect!["create active, create prepared"]);
    check_plan(&[active(1, -1)], expect!["create prepared"]);
    check_plan(&[active(1, -1), prepared(2, -1)], expect![""]);
    check_plan(&[active(1, -720), prepared(2, -24)], expect!["activate K2, create prepared"]);
    check_plan(&[active(1, -719), prepared(2, -24)], expect![""]);
    check_plan(&[active(1, -800), prepared(2, -23)], expect![""]);
    check_plan(&[active(1, -9999), prepared(2, -9999)], expect!["activate K2, create prepared"]);
    check_plan(&[active(1, -1), prepared(2, -1), retiring(3, 1)], expect![""]);
    check_plan(&[active(1, -1), prepared(2, -1), retiring(3, 0)], expect!["remove K3"]);
    check_plan(
        &[active(1, -800), prepared(2, -30), retiring(3, -5)],
        expect!["activate K2, create prepared, remove K3"],
    );
    check_plan(&[prepared(2, 0)], expect!["activate K2, create prepared"]);
    check_plan(&[retiring(3, 1)], expect!["create active, create prepared"]);
    check_plan(&[active(1, 5), prepared(2, 5)], expect![""]);
}

// S-26 S-33
#[test]
fn the_published_set_never_outgrows_what_verifiers_read() {
    let set = |retiring: u8| {
        let mut keys = vec![active(1, -800), prepared(2, -800)];
        keys.extend((0..retiring).map(|n| self::retiring(10 + n, 1 + i64::from(n))));
        keys
    };
    check_plan(&set(13), expect!["activate K2, create prepared"]);
    check_plan(&set(14), expect![""]);
    assert_eq!(refusal(&set(13), 0).unwrap(), "activate K2");
    assert_eq!(refusal(&set(14), 0), Err(StepRefused::SetFull(Algorithm::Es256)));
    let mut keys = set(14);
    keys.extend([
        rsa(0xff, KeyState::Active { since: at(0) }),
        rsa(0xfd, KeyState::Prepared { since: at(0) }),
    ]);
    let (time, step) = Keyring::new(keys).next_due(&RotationPolicy::default(), Serving::Always).unwrap();
    assert_eq!(time, at(1), "the first that leaves makes room");
    assert!(matches!(step, Step::Remove { .. }));
}

fn refusal(keys: &[ManagedKey], now: i64) -> Result<String, StepRefused> {
    let keyring = Keyring::new(keys.to_vec());
    keyring
        .plan_rotation(Algorithm::Es256, &RotationPolicy::default(), &FleetView::default(), at(now))
        .map(|steps| es256(&steps))
}

// S-33
#[test]
fn a_rotation_ahead_of_time_waits_for_the_lead_and_names_the_time() {
    let keys = [active(1, -48), prepared(2, -20)];
    assert_eq!(refusal(&keys, 3), Err(StepRefused::TooEarly { alg: Algorithm::Es256, earliest: at(4) }));
    assert_eq!(refusal(&keys, 4).unwrap(), "activate K2");
    assert_eq!(refusal(&keys[..1], 4), Err(StepRefused::NothingPrepared(Algorithm::Es256)));
}

// S-32 S-38
#[test]
fn a_created_key_is_new_and_of_its_algorithm_and_one_at_a_time_signs() {
    let keys =
        [active(1, -1), key(4, KeyState::Removed { at: at(-9) }), key(5, KeyState::Revoked { at: at(-9) })];
    let check = |active: bool, created: Option<Jwk>, expected: StepRefused| {
        let mut keyring = Keyring::new(keys.to_vec());
        let step = Step::Create { alg: Algorithm::Es256, active };
        assert_eq!(keyring.apply(&step, created, &RotationPolicy::default(), at(0)), Err(expected));
        assert_eq!(keyring.keys(), keys, "a refusal changes nothing");
    };
    for name in [1, 4, 5] {
        check(false, Some(jwk(name)), StepRefused::KnownKey(*jwk(name).kid()));
    }
    check(true, Some(jwk(9)), StepRefused::SecondActive(Algorithm::Es256));
    check(false, Some(rsa(0xff, keys[0].state).jwk), StepRefused::NothingCreated(Algorithm::Es256));
    check(false, None, StepRefused::NothingCreated(Algorithm::Es256));
}

// S-31 S-33
#[test]
fn a_step_that_cannot_be_taken_changes_nothing() {
    let keys = [active(1, -9), prepared(2, -9), retiring(3, 9), key(4, KeyState::Removed { at: at(-9) })];
    let check = |step: Step, expected: Expect| {
        let mut keyring = Keyring::new(keys.to_vec());
        let refused = keyring.apply(&step, None, &RotationPolicy::default(), at(0)).unwrap_err();
        expected.assert_eq(&refused.to_string().replace(jwk(9).kid().as_str(), "K9"));
        assert_eq!(keyring.keys(), keys);
    };
    let kid = |name| *jwk(name).kid();
    check(
        Step::Activate { kid: kid(2), known_by: KnownBy::Lead },
        expect!["the next ES256 key may sign from 86454000 on: verifiers must have learned it first"],
    );
    check(
        Step::Activate { kid: kid(1), known_by: KnownBy::Lead },
        expect!["a key that is active cannot be activated"],
    );
    check(
        Step::Activate { kid: kid(4), known_by: KnownBy::Lead },
        expect!["a key that is removed cannot be activated"],
    );
    check(Step::Activate { kid: kid(9), known_by: KnownBy::Lead }, expect!["there is no key K9"]);
    check(Step::Remove { kid: kid(1) }, expect!["a key that is active cannot be removed now"]);
    check(Step::Remove { kid: kid(3) }, expect!["a key that is retiring cannot be removed now"]);
    check(Step::Revoke { kid: kid(9) }, expect!["there is no key K9"]);
}

// S-33 S-40
#[test]
fn a_clock_that_jumped_back_delays_and_breaks_nothing() {
    let keys = [active(1, 1440), prepared(2, 1440), retiring(3, 1441)];
    check_plan(&keys, expect![""]);
    assert_eq!(refusal(&keys, 0), Err(StepRefused::TooEarly { alg: Algorithm::Es256, earliest: at(1464) }));
    let steps = Keyring::new(keys.to_vec()).plan_revocation(
        *jwk(1).kid(),
        &RotationPolicy::default(),
        &FleetView::default(),
        at(0),
    );
    assert_eq!(es256(&steps.unwrap()), "revoke K1, activate K2");
}

#[test]
fn a_revocation_promotes_the_prepared_key_in_the_same_breath() {
    let check = |keys: &[ManagedKey], name: u8, expected: Expect| {
        let steps = Keyring::new(keys.to_vec()).plan_revocation(
            *jwk(name).kid(),
            &RotationPolicy::default(),
            &FleetView::default(),
            at(0),
        );
        expected.assert_eq(&steps.map_or_else(|error| error.to_string(), |steps| es256(&steps)));
    };
    check(&[active(1, -1), prepared(2, 0)], 1, expect!["revoke K1, activate K2"]);
    check(&[active(1, -1)], 1, expect!["revoke K1, create active"]);
    check(&[active(1, -1), prepared(2, 0)], 2, expect!["revoke K2"]);
    check(&[active(1, -999), prepared(2, -99), retiring(3, -1)], 3, expect!["revoke K3"]);
    check(&[active(1, -999), prepared(2, -99), retiring(3, -1)], 1, expect!["revoke K1, activate K2"]);
    check(&[active(1, -1), prepared(2, 0), retiring(3, 9)], 3, expect!["revoke K3"]);
    check(
        &[active(1, -1), key(4, KeyState::Revoked { at: at(-9) })],
        4,
        expect!["a key that is revoked cannot be revoked again"],
    );
}

// S-42
#[test]
fn a_revocation_leaves_the_other_algorithm_alone() {
    let keys = [
        active(1, -1),
        prepared(2, 0),
        rsa(0xff, KeyState::Active { since: at(-999) }),
        rsa(0xfd, KeyState::Prepared { since: at(-99) }),
    ];
    let revoked = Keyring::new(keys.to_vec()).plan_revocation(
        *jwk(1).kid(),
        &RotationPolicy::default(),
        &FleetView::default(),
        at(0),
    );
    assert_eq!(revoked.unwrap().iter().map(describe).collect::<Vec<_>>(), ["revoke K1", "activate K2"]);
}

// S-45
#[test]
fn everything_can_be_revoked_at_once_and_a_new_pair_signs() {
    let keys = [
        active(1, -1),
        prepared(2, 0),
        retiring(3, 9),
        key(4, KeyState::Removed { at: at(-9) }),
        key(5, KeyState::Revoked { at: at(-9) }),
    ];
    let mut keyring = Keyring::new(keys.to_vec());
    let steps = keyring.plan_revocation_of_all();
    assert_eq!(es256(&steps), "revoke K1, revoke K2, revoke K3, revoke K4, create active");
    for step in steps {
        let created = match step {
            Step::Create { alg: Algorithm::Es256, .. } => Some(jwk(6)),
            Step::Create { alg: Algorithm::Rs256, .. } => Some(rsa(0xff, keys[0].state).jwk),
            _ => None,
        };
        keyring.apply(&step, created, &RotationPolicy::default(), at(0)).unwrap();
    }
    assert_eq!(keyring.active(Algorithm::Es256).unwrap().jwk, jwk(6));
    assert_eq!(keyring.published().count(), 2);
}

// S-33
#[test]
fn only_an_operator_who_insists_rotates_before_the_key_is_known() {
    let keys = [active(1, -48), prepared(2, -1)];
    let forced = |fleet: &FleetView| {
        let keyring = Keyring::new(keys.to_vec());
        let steps =
            keyring.plan_forced_rotation(Algorithm::Es256, &RotationPolicy::default(), fleet, at(0))?;
        Ok(es256(&steps))
    };
    assert!(matches!(refusal(&keys, 0), Err(StepRefused::TooEarly { .. })));
    assert_eq!(forced(&FleetView::default()), Ok("activate K2".to_owned()));

    let behind =
        Witness { name: "b".to_owned(), seen: at(0), kids: vec![*jwk(1).kid()].into(), sequence: None };
    let fleet = FleetView { replicas: vec![behind], ..FleetView::default() };
    let refused = StepRefused::ReplicaBehind { kid: *jwk(2).kid(), replica: "b".to_owned() };
    assert_eq!(forced(&fleet), Err(refused), "a replica that does not publish it is waited for all the same");
}

// S-33 S-36
#[test]
fn after_a_break_in_which_no_replica_was_ready_a_key_is_served_for_long_enough_before_it_signs() {
    let policy = RotationPolicy::default();
    let keyring = Keyring::new(vec![active(1, -24 * 40), prepared(2, -24)]);
    let served = |serving| FleetView { serving, ..FleetView::default() };
    // A foreign verifier may hold its set for an hour, a replica for a lease, and clocks differ.
    let earliest = at(0) + Duration::from_secs(3600 + 60 + 30);
    let early = StepRefused::TooEarly { alg: Algorithm::Es256, earliest };
    let activates = || Ok("activate K2".to_owned());
    for (serving, now, expected) in [
        (Serving::Since(at(0)), 0, Err(early.clone())),
        (Serving::Since(at(0)), 1, Err(early)),
        (Serving::Since(at(0)), 2, activates()),
        (Serving::Since(at(-24)), 0, activates()),
        (Serving::Nobody, 9, Err(StepRefused::NobodyServes(Algorithm::Es256))),
    ] {
        let (fleet, now) = (served(serving), at(now));
        let steps = keyring.plan_rotation(Algorithm::Es256, &policy, &fleet, now);
        assert_eq!(steps.map(|steps| es256(&steps)), expected, "{serving:?} {now}");
        let is_planned = es256(&keyring.plan(&policy, &fleet, now)).contains("activate K2");
        assert_eq!(is_planned, expected.is_ok(), "{serving:?} {now}");
        let forced = keyring.plan_forced_rotation(Algorithm::Es256, &policy, &fleet, now);
        assert_eq!(forced.map(|steps| es256(&steps)), activates(), "an operator may insist");
        let stolen = keyring.plan_revocation(*jwk(1).kid(), &policy, &fleet, now);
        assert_eq!(es256(&stolen.unwrap()), "revoke K1, activate K2", "an emergency does not wait");
    }
    let due = |serving| keyring.rotation_due(Algorithm::Es256, &policy, serving);
    assert_eq!(due(Serving::Since(at(0))), Some(earliest));
    assert_eq!((due(Serving::Always), due(Serving::Nobody)), (Some(at(0)), None));
    let young = Keyring::new(vec![active(1, -24 * 40), prepared(2, -1)]);
    let due = young.rotation_due(Algorithm::Es256, &policy, Serving::Since(at(0)));
    assert_eq!(due, Some(at(23)), "its lead is longer than that");
}

#[test]
fn only_live_keys_are_published() {
    let keys = vec![
        active(1, 0),
        prepared(2, 0),
        retiring(3, 9),
        key(4, KeyState::Removed { at: at(0) }),
        key(5, KeyState::Revoked { at: at(0) }),
    ];
    let keyring = Keyring::new(keys);
    let published: Vec<_> = keyring.published().map(|key| key.state.name()).collect();
    assert_eq!(published, ["active", "prepared", "retiring"]);
}

#[test]
fn the_next_step_is_announced_with_its_time() {
    let short = Lifetimes { period: Duration::from_secs(2 * DAY), ..Lifetimes::default() };
    let policy = RotationPolicy::new(short).unwrap();
    let next = |keys: &[ManagedKey]| {
        let (time, step) = Keyring::new(keys.to_vec()).next_due(&policy, Serving::Always).unwrap();
        (time.since(at(0)).as_secs() / HOUR, describe(&step))
    };
    let mut keys = vec![active(1, 0), prepared(2, 0)];
    keys.extend([
        rsa(0xff, KeyState::Active { since: at(-24) }),
        rsa(0xfd, KeyState::Prepared { since: at(5) }),
    ]);
    assert_eq!(
        next(&keys),
        (29, "activate ?".to_owned()),
        "the lead of one is over before the period of the other"
    );
    keys.push(retiring(3, 1));
    assert_eq!(next(&keys), (1, "remove K3".to_owned()));
    keys.truncate(2);
    assert_eq!(next(&keys).1, "create active", "an algorithm without keys is overdue");
    keys.extend([
        rsa(0xff, KeyState::Active { since: at(0) }),
        rsa(0xfd, KeyState::Prepared { since: at(0) }),
    ]);
    assert_eq!(next(&keys), (48, "activate ?".to_owned()), "both at once: the first of them is told");
    keys[1] = prepared(2, -9);
    keys[0] = active(1, -9);
    assert_eq!(next(&keys), (39, "activate K2".to_owned()));
}
