//! Views to be looked at and tested with.

use std::collections::HashMap;

use claviger_jose::{Jwk, Kid, NumericDate, PublicKey, VerifierReport};
use claviger_keyring::{KeyState, Keyring, ManagedKey, RotationPolicy};
use claviger_store::{Heartbeat, Replica, SeenVerifier, ServingTime};

use super::{FeedFacts, OwnFacts, StatusView};
use crate::witnesses::Witnesses;

pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const NOW: NumericDate = NumericDate::from_secs(1_795_000_000);

/// The set that everybody should hold, the one before, and none of ours.
pub(crate) const CURRENT: &str = "current";
pub(crate) const OLDER: &str = "older";
pub(crate) const FOREIGN: &str = "foreign";

pub(crate) fn ago(secs: u64) -> NumericDate {
    NumericDate::from_secs(NOW.as_secs() - secs)
}

pub(crate) fn ec(name: u8, state: KeyState) -> ManagedKey {
    ManagedKey { jwk: Jwk::new(PublicKey::P256 { x: [name; 32], y: [name; 32] }).unwrap(), state }
}

pub(crate) fn rsa(name: u8, state: KeyState) -> ManagedKey {
    let n = vec![name | 0x81; 256];
    ManagedKey { jwk: Jwk::new(PublicKey::Rsa { n, e: vec![1, 0, 1] }).unwrap(), state }
}

pub(crate) fn verifier(audience: &str, instance: &str, keys: &str, heard: u64) -> SeenVerifier {
    let said = VerifierReport {
        audience: audience.to_owned(),
        instance: instance.to_owned(),
        keys: keys.to_owned(),
        sequence: Some(41),
        version: "0.1.0".to_owned(),
    };
    SeenVerifier { said, seen: ago(heard) }
}

pub(crate) fn replica(place: &str, keys: &str, refusal: Option<&str>) -> Replica {
    let said = Heartbeat {
        replica: "0197a2c0-0000-7000-8000-000000000001".to_owned(),
        place: place.to_owned(),
        keys: keys.to_owned(),
        sequence: 41,
        version: "0.1.0".to_owned(),
        refusal: refusal.map(str::to_owned),
    };
    Replica { said, seen: ago(1) }
}

/// A fleet in the middle of a period, whose keys everybody holds.
pub(crate) fn calm() -> StatusView {
    let mut verifiers = Vec::new();
    for (audience, instances) in [
        ("https://orders.example.com", 12),
        ("https://ledger.example.com", 9),
        ("https://mail.example.com", 3),
    ] {
        let name =
            |n: u8| verifier(audience, &format!("{}-{n:02}", &audience[8..14]), CURRENT, u64::from(n % 15));
        verifiers.extend((0..instances).map(name));
    }
    let keys = vec![
        rsa(1, KeyState::Active { since: ago(23 * DAY + 4 * HOUR) }),
        rsa(7, KeyState::Prepared { since: ago(23 * DAY + 4 * HOUR) }),
        ec(3, KeyState::Active { since: ago(11 * DAY) }),
        ec(4, KeyState::Prepared { since: ago(11 * DAY) }),
        ec(5, KeyState::Removed { at: ago(11 * DAY - HOUR) }),
    ];
    view(keys, verifiers)
}

/// The ES256 key has just changed, and not everybody has learned the one after.
pub(crate) fn rotating(instances: u16) -> StatusView {
    let mut verifiers = Vec::new();
    for n in 0..instances {
        let (keys, heard) = match n % 23 {
            0..=15 => (CURRENT, 3),
            16..=20 => (OLDER, 12),
            21 => (FOREIGN, 5),
            _ => (OLDER, 400),
        };
        let audience = ["orders", "ledger", "mail", "search"][usize::from(n % 4)];
        let mut one =
            verifier(&format!("https://{audience}.example.com"), &format!("{audience}-{n:03}"), keys, heard);
        one.said.sequence = match n % 11 {
            0 => None,
            1 => Some(40),
            _ => Some(41),
        };
        verifiers.push(one);
    }
    let keys = vec![
        rsa(1, KeyState::Active { since: ago(29 * DAY + 23 * HOUR) }),
        rsa(7, KeyState::Prepared { since: ago(29 * DAY + 23 * HOUR) }),
        ec(3, KeyState::Retiring { since: ago(8 * 60), until: NOW + std::time::Duration::from_mins(52) }),
        ec(4, KeyState::Active { since: ago(8 * 60) }),
        ec(5, KeyState::Prepared { since: ago(8 * 60) }),
        ec(6, KeyState::Revoked { at: ago(3 * DAY) }),
    ];
    view(keys, verifiers)
}

pub(crate) fn view(keys: Vec<ManagedKey>, verifiers: Vec<SeenVerifier>) -> StatusView {
    let kids = |leave_out: usize| -> std::sync::Arc<[Kid]> {
        let published: Vec<Kid> =
            keys.iter().filter(|key| key.state.is_published()).map(|key| *key.jwk.kid()).collect();
        published[..published.len().saturating_sub(leave_out)].into()
    };
    let key_sets = HashMap::from([(CURRENT.to_owned(), kids(0)), (OLDER.to_owned(), kids(1))]);
    let made = |key: &ManagedKey| {
        let before = if matches!(key.state, KeyState::Prepared { .. }) { 0 } else { 30 * DAY };
        (*key.jwk.kid(), NumericDate::from_secs(key.state.since().as_secs() - before))
    };
    StatusView {
        issuer: "https://id.example.com".to_owned(),
        created: keys.iter().map(made).collect(),
        keyring: Keyring::new(keys),
        policy: RotationPolicy::default(),
        poll: std::time::Duration::from_secs(15),
        staleness: std::time::Duration::from_hours(24),
        witnesses: Witnesses {
            replicas: vec![
                replica("id-a 411", CURRENT, None),
                replica("id-b 97", CURRENT, None),
                replica("id-c 1304", CURRENT, None),
            ],
            verifiers,
            overflowed: None,
            key_sets,
            serving: Some(ServingTime { since: ago(90 * 86_400), seen: ago(1) }),
        },
        audiences: vec!["https://orders.example.com".to_owned(), "https://ledger.example.com".to_owned()],
        feed: Some(FeedFacts {
            sequence: 41,
            signed: ago(40),
            expires: NOW + std::time::Duration::from_mins(9),
            keys: 1,
            others: 17,
        }),
        own: OwnFacts { place: "id-a 411".to_owned(), ..OwnFacts::default() },
    }
}
