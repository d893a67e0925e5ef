//! What is due when: one line per fact.

use std::time::Duration;

use claviger_jose::{Algorithm, Jwk, NumericDate, PublicKey};
use claviger_keyring::{KeyState, Keyring, Lifetimes, ManagedKey, RotationPolicy, Step, StepRefused};
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

fn describe(step: &Step) -> String {
    let name =
        |kid| (1..10).find(|name| jwk(*name).kid() == kid).map_or("?".to_owned(), |name| format!("K{name}"));
    match step {
        Step::Create { active, .. } => format!("create {}", if *active { "active" } else { "prepared" }),
        Step::Activate { kid } => format!("activate {}", name(kid)),
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
    let plan = Keyring::new(keys.to_vec()).plan(&RotationPolicy::default(), at(0));
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

fn refusal(keys: &[ManagedKey], now: i64) -> Result<String, StepRefused> {
    let keyring = Keyring::new(keys.to_vec());
    keyring.plan_rotation(Algorithm::Es256, &RotationPolicy::default(), at(now)).map(|steps| es256(&steps))
}

// S-33
#[test]
fn a_rotation_ahead_of_time_waits_for_the_lead_and_names_the_time() {
    let keys = [active(1, -48), prepared(2, -20)];
    assert_eq!(refusal(&keys, 3), Err(StepRefused::TooEarly { alg: Algorithm::Es256, earliest: at(4) }));
    assert_eq!(refusal(&keys, 4).unwrap(), "activate K2, create prepared");
    assert_eq!(refusal(&keys[..1], 4), Err(StepRefused::NothingPrepared(Algorithm::Es256)));
}

#[test]
fn a_revocation_promotes_the_prepared_key_in_the_same_breath() {
    let check = |keys: &[ManagedKey], name: u8, expected: Expect| {
        let steps =
            Keyring::new(keys.to_vec()).plan_revocation(*jwk(name).kid(), &RotationPolicy::default(), at(0));
        expected.assert_eq(&steps.map_or_else(|error| error.to_string(), |steps| es256(&steps)));
    };
    check(&[active(1, -1), prepared(2, 0)], 1, expect!["revoke K1, activate K2, create prepared"]);
    check(&[active(1, -1)], 1, expect!["revoke K1, create active, create prepared"]);
    check(&[active(1, -1), prepared(2, 0)], 2, expect!["revoke K2, create prepared"]);
    check(&[active(1, -1), prepared(2, 0), retiring(3, 9)], 3, expect!["revoke K3"]);
    check(
        &[active(1, -1), key(4, KeyState::Revoked { at: at(-9) })],
        4,
        expect!["a key that is revoked cannot be revoked again"],
    );
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
    let rsa = |state| ManagedKey {
        jwk: Jwk::new(PublicKey::Rsa { n: vec![0xff; 256], e: vec![1, 0, 1] }).unwrap(),
        state,
    };
    let other = |state| ManagedKey {
        jwk: Jwk::new(PublicKey::Rsa { n: vec![0xfd; 256], e: vec![1, 0, 1] }).unwrap(),
        state,
    };
    let mut keys = vec![active(1, 0), prepared(2, 0)];
    keys.extend([rsa(KeyState::Active { since: at(0) }), other(KeyState::Prepared { since: at(5) })]);
    let (time, step) = Keyring::new(keys.clone()).next_due(&policy).unwrap();
    assert_eq!(time, at(48));
    assert!(matches!(step, Step::Activate { .. }));
    keys.push(retiring(3, 1));
    let (time, step) = Keyring::new(keys).next_due(&policy).unwrap();
    assert_eq!((time, describe(&step)), (at(1), "remove K3".to_owned()));
}
