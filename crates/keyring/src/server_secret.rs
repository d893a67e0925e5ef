use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use rsa::rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::{
    KeyEncryptionKey, SealedKey, Unsealable,
    context::{append, place},
    seal::{Place, open_at, rewrap_at, seal_at},
};

const FORMAT: &[u8] = b"claviger/secret/v1";
const TABLE: &str = "server_secret";
const LENGTH: usize = 32;

/// 256 random bits of the issuer's own, shared by its replicas. They serve as nothing themselves: what needs a secret
/// derives one from them, under a label of its own.
pub struct ServerSecret(Zeroizing<[u8; LENGTH]>);

/// Where a sealed server secret belongs: sealed in one place, it opens in no other.
#[derive(Debug, Clone, Copy)]
pub struct SecretPlace<'a> {
    /// The issuer whose secret it is.
    pub issuer: &'a str,
    /// The name of its row.
    pub name: &'a str,
}

impl ServerSecret {
    /// A new one.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut secret = Zeroizing::new([0; LENGTH]);
        rng.fill_bytes(&mut *secret);
        Self(secret)
    }

    /// Seals it with a fresh data key.
    #[must_use]
    pub fn seal(
        &self,
        place: SecretPlace<'_>,
        kek: &KeyEncryptionKey,
        rng: &mut impl CryptoRngCore,
    ) -> SealedKey {
        seal_at(&place, &*self.0, kek, rng)
    }

    /// Opens a sealed one.
    ///
    /// # Errors
    /// [`Unsealable`], for one and all causes.
    pub fn open(
        sealed: &SealedKey,
        place: SecretPlace<'_>,
        kek: &KeyEncryptionKey,
    ) -> Result<Self, Unsealable> {
        let opened = open_at(&place, sealed, kek)?;
        let mut secret = Zeroizing::new([0; LENGTH]);
        if opened.len() != LENGTH {
            return Err(Unsealable);
        }
        secret.copy_from_slice(&opened);
        Ok(Self(secret))
    }

    /// Wraps the data key of a sealed one with another key-encryption key; the secret itself is not touched.
    ///
    /// # Errors
    /// [`Unsealable`] if `old` does not open it.
    pub fn rewrap(
        sealed: &SealedKey,
        place: SecretPlace<'_>,
        old: &KeyEncryptionKey,
        new: &KeyEncryptionKey,
        rng: &mut impl CryptoRngCore,
    ) -> Result<SealedKey, Unsealable> {
        rewrap_at(&place, sealed, old, new, rng)
    }

    /// 32 bytes for what the parts of `info` say together: HKDF-SHA256 (RFC 5869). The first part is a label of fixed length,
    /// or the others are, or two lists of parts could say the same.
    ///
    /// # Panics
    /// Never: 32 bytes are within the bound of HKDF.
    #[must_use]
    pub fn derive(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let root = Salt::new(HKDF_SHA256, FORMAT).extract(&*self.0);
        let mut derived = Zeroizing::new([0; 32]);
        let okm = root.expand(info, HKDF_SHA256).expect("32 bytes are within HKDF's bound");
        okm.fill(&mut *derived).expect("32 bytes were asked for");
        derived
    }
}

impl Place for SecretPlace<'_> {
    fn of_payload(&self) -> Vec<u8> {
        place(FORMAT, &[self.issuer, TABLE, self.name])
    }

    fn of_wrap(&self, kek_id: &str) -> Vec<u8> {
        let mut bytes = self.of_payload();
        append(&mut bytes, kek_id.as_bytes());
        bytes
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use rsa::rand_core::OsRng;

    use super::*;

    const PLACE: SecretPlace<'static> = SecretPlace { issuer: "https://id.test", name: "pepper" };

    fn kek(first: u8) -> KeyEncryptionKey {
        let mut raw = [7; KeyEncryptionKey::LENGTH];
        raw[0] = first;
        KeyEncryptionKey::new(&raw).unwrap()
    }

    // S-47
    #[test]
    fn a_secret_opens_in_its_place_under_its_key_and_nowhere_else() {
        let secret = ServerSecret::generate(&mut OsRng);
        let sealed = secret.seal(PLACE, &kek(1), &mut OsRng);
        let opened = ServerSecret::open(&sealed, PLACE, &kek(1)).unwrap();
        assert_eq!(*opened.derive(&[b"a"]), *secret.derive(&[b"a"]));
        assert!(ServerSecret::open(&sealed, PLACE, &kek(2)).is_err());
        for place in [
            SecretPlace { issuer: "https://id.test.evil", ..PLACE },
            SecretPlace { name: "peppers", ..PLACE },
        ] {
            assert!(ServerSecret::open(&sealed, place, &kek(1)).is_err(), "{place:?}");
        }
        for at in 0..sealed.bytes.len() {
            let mut damaged = sealed.clone();
            damaged.bytes[at] ^= 1;
            assert!(ServerSecret::open(&damaged, PLACE, &kek(1)).is_err(), "byte {at}");
            damaged.bytes.truncate(at);
            assert!(ServerSecret::open(&damaged, PLACE, &kek(1)).is_err(), "{at} bytes");
        }
    }

    // S-50
    #[test]
    fn a_rewrapped_secret_is_the_same_one() {
        let secret = ServerSecret::generate(&mut OsRng);
        let sealed = secret.seal(PLACE, &kek(1), &mut OsRng);
        let rewrapped = ServerSecret::rewrap(&sealed, PLACE, &kek(1), &kek(2), &mut OsRng).unwrap();
        assert_eq!(rewrapped.kek_id, kek(2).id());
        let opened = ServerSecret::open(&rewrapped, PLACE, &kek(2)).unwrap();
        assert_eq!(*opened.derive(&[b"a"]), *secret.derive(&[b"a"]));
        assert!(ServerSecret::open(&rewrapped, PLACE, &kek(1)).is_err());
        assert!(ServerSecret::rewrap(&sealed, PLACE, &kek(2), &kek(1), &mut OsRng).is_err());
    }

    #[test]
    fn each_label_has_a_key_of_its_own() {
        let secret = ServerSecret::generate(&mut OsRng);
        assert_ne!(*secret.derive(&[b"csrf"]), *secret.derive(&[b"interaction"]));
        assert_ne!(*secret.derive(&[b"a"]), *ServerSecret::generate(&mut OsRng).derive(&[b"a"]));
        assert_eq!(format!("{secret:?}"), "ServerSecret(..)");
    }
}
