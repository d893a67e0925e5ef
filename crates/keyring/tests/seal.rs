//! Keys at rest: what opens, and what must not.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{
    KeyContext, KeyEncryptionKey, KeyState, Reference, SealedKey, Secret, SigningKey, WeakKey, generate,
    rand_core::{CryptoRng, Error, RngCore, impls},
};

/// A reproducible random source. Nothing that it makes is a secret.
struct Counter(u64);

impl RngCore for Counter {
    #[expect(clippy::cast_possible_truncation, reason = "half of it is wanted")]
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        impls::fill_bytes_via_next(self, bytes);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Counter {}

const ISSUER: &str = "https://id.example.test";

fn kek(seed: u64) -> KeyEncryptionKey {
    let mut raw = [0; 32];
    Counter(seed).fill_bytes(&mut raw);
    KeyEncryptionKey::new(&raw).unwrap()
}

fn key(seed: u64) -> (Secret, SigningKey) {
    let (pkcs8, key) = generate(Algorithm::Es256, &mut Counter(seed)).unwrap();
    (pkcs8.into(), key)
}

/// The kid of the key that was sealed.
fn kid_of(secret: &Secret) -> Option<Kid> {
    let Secret::Pkcs8(pkcs8) = secret else { return None };
    SigningKey::from_pkcs8(Algorithm::Es256, pkcs8).ok().map(|key| *key.kid())
}

fn context(kid: &Kid) -> KeyContext<'_> {
    KeyContext { issuer: ISSUER, kid, alg: Algorithm::Es256 }
}

// S-47
#[test]
fn a_sealed_key_opens_in_its_own_place_only() {
    let (kek, (pkcs8, key), (_, other)) = (kek(1), key(2), key(3));
    let here = context(key.kid());
    let sealed = SealedKey::seal(&pkcs8, here, &kek, &mut Counter(4));
    assert_eq!(kid_of(&sealed.open(here, &kek).unwrap()), Some(*key.kid()));

    let elsewhere = [
        KeyContext { issuer: "https://other.example.test", ..here },
        KeyContext { kid: other.kid(), ..here },
        KeyContext { alg: Algorithm::Rs256, ..here },
    ];
    for place in elsewhere {
        assert!(sealed.open(place, &kek).is_err(), "{place:?}");
    }
    assert!(sealed.open(here, &self::kek(9)).is_err(), "another key-encryption key");
    let renamed = SealedKey { kek_id: "other".to_owned(), ..sealed.clone() };
    assert!(renamed.open(here, &kek).is_err(), "a changed name of the key-encryption key");
}

// S-47
#[test]
fn a_damaged_seal_never_opens_and_never_panics() {
    let (kek, (pkcs8, key)) = (kek(1), key(2));
    let here = context(key.kid());
    let sealed = SealedKey::seal(&pkcs8, here, &kek, &mut Counter(4));
    for position in 0..sealed.bytes.len() {
        let mut damaged = sealed.clone();
        damaged.bytes[position] ^= 0x10;
        assert!(damaged.open(here, &kek).is_err(), "byte {position}");
        let cut = SealedKey { bytes: sealed.bytes[..position].to_vec(), ..sealed.clone() };
        assert!(cut.open(here, &kek).is_err(), "cut at {position}");
    }
}

// S-47 S-54
#[test]
fn where_a_key_is_kept_is_sealed_like_a_key() {
    let (kek, (_, key)) = (kek(1), key(2));
    let here = context(key.kid());
    for text in ["pkcs11:id=%0a%ff", "", "0\u{e9}"] {
        let reference = Secret::Reference(Reference(text.to_owned()));
        let sealed = SealedKey::seal(&reference, here, &kek, &mut Counter(4));
        let Secret::Reference(opened) = sealed.open(here, &kek).unwrap() else { panic!("{text}") };
        assert_eq!(opened.0, text);
        for position in 0..sealed.bytes.len() {
            let mut damaged = sealed.clone();
            damaged.bytes[position] ^= 1;
            assert!(damaged.open(here, &kek).is_err(), "{text} byte {position}");
        }
    }
}

// S-50
#[test]
fn wrapping_anew_leaves_the_key_itself_alone() {
    let (old, new, (pkcs8, key)) = (kek(1), kek(5), key(2));
    let here = context(key.kid());
    let sealed = SealedKey::seal(&pkcs8, here, &old, &mut Counter(4));
    let wrapped = sealed.rewrap(here, &old, &new, &mut Counter(6)).unwrap();
    assert!(wrapped.open(here, &new).is_ok());
    assert!(wrapped.open(here, &old).is_err());
    assert!(sealed.open(here, &old).is_ok(), "until the row is replaced the old one opens it");
    let head = 1 + 12 + 32 + 16; // format, nonce, wrapped data key with its tag
    assert_ne!(sealed.bytes[..head], wrapped.bytes[..head]);
    assert_eq!(sealed.bytes[head..], wrapped.bytes[head..], "the ciphertext of the key itself");
    assert!(sealed.rewrap(here, &new, &old, &mut Counter(7)).is_err());
}

// S-53
#[test]
fn a_state_that_was_changed_by_hand_is_not_vouched_for() {
    let (kek, (_, key), (_, other)) = (kek(1), key(2), key(3));
    let at = NumericDate::from_secs;
    let state = KeyState::Retiring { since: at(10), until: at(20) };
    let here = context(key.kid());
    let seal = kek.seal_state(here, state);
    assert!(kek.vouches_for(here, state, &seal));
    for changed in [
        KeyState::Active { since: at(10) },
        KeyState::Prepared { since: at(10) },
        KeyState::Retiring { since: at(10), until: at(21) },
        KeyState::Retiring { since: at(11), until: at(20) },
        KeyState::Revoked { at: at(10) },
    ] {
        assert!(!kek.vouches_for(here, changed, &seal), "{changed:?}");
    }
    assert!(!kek.vouches_for(context(other.kid()), state, &seal), "the seal of another row");
    assert!(!self::kek(9).vouches_for(here, state, &seal), "another key-encryption key");
    assert!(!kek.vouches_for(here, state, &seal[..31]) && !kek.vouches_for(here, state, &[]));
}

// S-48
#[test]
fn a_key_encryption_key_is_long_enough_and_no_pattern() {
    let counting = |step: u8| (0..32).map(|n: u8| n.wrapping_mul(step).wrapping_add(250)).collect::<Vec<_>>();
    for length in [0, 1, 16, 31, 33, 64] {
        assert_eq!(KeyEncryptionKey::new(&vec![7; length]).unwrap_err(), WeakKey::Length(length));
    }
    for pattern in [vec![0; 32], vec![0xff; 32], counting(1), counting(255), counting(3)] {
        assert_eq!(KeyEncryptionKey::new(&pattern).unwrap_err(), WeakKey::Pattern);
    }
    assert_eq!(kek(1).id(), kek(1).id(), "the name follows from the bytes");
    assert_ne!(kek(1).id(), kek(2).id());
    assert_eq!(kek(1).id().len(), 12);
}

// S-39
#[test]
fn a_random_source_that_fails_makes_no_key() {
    struct Dry;
    impl RngCore for Dry {
        fn next_u32(&mut self) -> u32 {
            0
        }
        fn next_u64(&mut self) -> u64 {
            0
        }
        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
        fn try_fill_bytes(&mut self, _bytes: &mut [u8]) -> Result<(), Error> {
            Err(std::num::NonZeroU32::MIN.into())
        }
    }
    impl CryptoRng for Dry {}
    assert!(generate(Algorithm::Es256, &mut Dry).is_err());
}

// S-39
#[test]
fn new_keys_sign_and_are_all_different() {
    for alg in Algorithm::ALL {
        let made: Vec<_> = (0..2).map(|seed| generate(alg, &mut Counter(seed)).unwrap().1).collect();
        assert_eq!(made[0].alg(), alg);
        assert_ne!(made[0].kid(), made[1].kid());
    }
}

// S-51 S-103
#[test]
fn debug_output_shows_no_key() {
    let (pkcs8, key) = key(2);
    let shown = format!("{pkcs8:?} {key:?} {:?}", kek(1));
    assert!(shown.starts_with("Pkcs8(Pkcs8(..)) SigningKey { kid: Kid("), "{shown}");
    assert!(shown.len() < 250, "{shown}");
}
