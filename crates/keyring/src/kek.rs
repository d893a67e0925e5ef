use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    hmac,
};
use claviger_jose::base64url;
use zeroize::Zeroizing;

use crate::{KeyContext, KeyState};

/// The key that wraps the data keys of all signing keys, and seals their states.
///
/// 256 bits, kept outside the database. Two keys for two jobs are derived from it
/// (HKDF, RFC 5869), and a short public name by which a row says which one it is under.
pub struct KeyEncryptionKey {
    id: String,
    wrap: LessSafeKey,
    mac: hmac::Key,
}

/// The bytes are no key-encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakKey {
    /// Not 32 bytes.
    #[error("a key-encryption key has 32 bytes, this one has {0}")]
    Length(usize),
    /// All bytes are the same, or the bytes count up: made by hand, not by a generator.
    #[error("this key-encryption key is a pattern, not a secret")]
    Pattern,
}

impl KeyEncryptionKey {
    /// Length of the raw key, in bytes.
    pub const LENGTH: usize = 32;

    /// A key-encryption key from its raw bytes.
    ///
    /// # Errors
    /// [`WeakKey`] for a wrong length or an obvious pattern.
    ///
    /// # Panics
    /// Never: the lengths asked of HKDF are constant and within its bounds.
    pub fn new(raw: &[u8]) -> Result<Self, WeakKey> {
        if raw.len() != Self::LENGTH {
            return Err(WeakKey::Length(raw.len()));
        }
        let step = raw[1].wrapping_sub(raw[0]);
        if raw.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step) {
            return Err(WeakKey::Pattern);
        }
        let root = Salt::new(HKDF_SHA256, b"claviger/kek/v1").extract(raw);
        let derive = |label: &str| {
            let mut key = Zeroizing::new([0; 32]);
            let info = [label.as_bytes()];
            let okm = root.expand(&info, HKDF_SHA256).expect("32 bytes are within HKDF's bound");
            okm.fill(&mut *key).expect("32 bytes were asked for");
            key
        };
        let wrap = UnboundKey::new(&AES_256_GCM, &*derive("wrap")).expect("32 bytes are an AES-256 key");
        Ok(Self {
            id: base64url::encode(&derive("id")[..9]),
            wrap: LessSafeKey::new(wrap),
            mac: hmac::Key::new(hmac::HMAC_SHA256, &*derive("state")),
        })
    }

    /// The public name of this key: 12 characters that tell nothing of its bytes.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The seal over a key's state, 32 bytes. Who can write the database but lacks this key
    /// can neither bring a revoked key back nor prolong one by changing its row.
    ///
    /// A whole older row, with the seal that it had then, is still a true row: this seal alone does
    /// not notice a database that went back in time.
    #[must_use]
    pub fn seal_state(&self, context: KeyContext<'_>, state: KeyState) -> Vec<u8> {
        hmac::sign(&self.mac, &context.of_state(state)).as_ref().to_vec()
    }

    /// Whether `seal` is the seal over this state. In constant time.
    #[must_use]
    pub fn vouches_for(&self, context: KeyContext<'_>, state: KeyState, seal: &[u8]) -> bool {
        hmac::verify(&self.mac, &context.of_state(state), seal).is_ok()
    }

    pub(crate) fn wrap(&self) -> &LessSafeKey {
        &self.wrap
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEncryptionKey").field("id", &self.id).finish_non_exhaustive()
    }
}
