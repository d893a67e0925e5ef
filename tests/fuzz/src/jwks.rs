//! Any bytes as a key set: what an endpoint, or whoever sits in its place, may answer.

use std::collections::BTreeSet;

use claviger_jose::{Jwk, JwkSet, JwkSetError, MAX_KEYS, PublicKey};
use serde_json::json;

/// Reads the bytes as a key set of this house and as one of another.
///
/// # Panics
/// If a set is accepted with a key that does not verify, is weak, or shares its name; one that we could not
/// read back after writing it; or one of this house that is not the same read as another's.
pub fn run(data: &[u8]) {
    let (house, foreign) = (JwkSet::parse(data), JwkSet::parse_foreign(data));
    match (&house, &foreign) {
        (Ok(house), Ok(foreign)) => {
            assert!(house.keys().iter().all(|key| key.kid().is_thumbprint() && foreign.keys().contains(key)));
            assert_eq!(
                house.keys().len() + house.skipped().len(),
                foreign.keys().len() + foreign.skipped().len()
            );
        }
        (Err(house), Err(foreign)) => assert_eq!(house, foreign),
        _ => panic!("a set is refused whole for what is in it, not for whose it is: {house:?}, {foreign:?}"),
    }
    for (set, parse) in [(house, JwkSet::parse as Parse), (foreign, JwkSet::parse_foreign)] {
        if let Ok(set) = set {
            assert_sound(&set);
            let written = json!({ "keys": set.keys() }).to_string();
            let again = parse(written.as_bytes()).expect("what we write can be read");
            assert_eq!((again.keys(), again.skipped()), (set.keys(), &[][..]));
        }
    }
}

type Parse = fn(&[u8]) -> Result<JwkSet, JwkSetError>;

fn assert_sound(set: &JwkSet) {
    assert!(set.keys().len() + set.skipped().len() <= MAX_KEYS);
    let kids: BTreeSet<_> = set.keys().iter().map(Jwk::kid).collect();
    assert_eq!(kids.len(), set.keys().len(), "two keys with one kid");
    for key in set.keys() {
        let prepared = key.verifying_key().expect("a key that is held is one that verifies");
        assert_eq!((prepared.kid(), prepared.alg()), (key.kid(), key.alg()));
        if let PublicKey::Rsa { n, e } = key.public_key() {
            assert!((256..=1024).contains(&n.len()) && n[0] != 0, "a modulus of {} bytes", n.len());
            let exponent = e.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            assert!(e.len() <= 5 && exponent >= 65537, "exponent {e:?}");
        }
    }
}
