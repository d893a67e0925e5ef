use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use claviger_jose::NumericDate;

/// The SHA-256 of a client secret.
///
/// Enough for a secret that a machine has made of 256 random bits: there is no dictionary of those. It would not do for a
/// password.
#[derive(Clone)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, secret.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        Self(bytes)
    }

    /// Whether this is the hash of the presented secret. In constant time.
    #[must_use]
    pub fn verify(&self, presented: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(presented).0).is_ok()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// A secret of a client, as much of it as is kept.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// When it was made.
    pub created_at: NumericDate,
    /// From when on it is refused; `None`: never, until a newer one takes its place.
    pub expires_at: Option<NumericDate>,
}

impl StoredSecret {
    /// Whether the secret may still be presented.
    #[must_use]
    pub fn is_live(&self, now: NumericDate) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-20 S-56
    #[test]
    fn a_hash_knows_its_secret_and_no_other() {
        let hash = SecretHash::of("s3cret");
        assert!(hash.verify("s3cret"));
        for other in ["", "s3cre", "s3cret ", "S3cret"] {
            assert!(!hash.verify(other), "{other:?}");
        }
    }

    #[test]
    fn a_hash_is_sha_256() {
        // FIPS 180-2 appendix B.1
        assert_eq!(SecretHash::of("abc").as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    // S-103
    #[test]
    fn debug_output_holds_no_hash() {
        let secret = StoredSecret {
            hash: SecretHash::of("abc"),
            created_at: NumericDate::from_secs(1),
            expires_at: None,
        };
        let text = format!("{secret:?}");
        assert!(text.contains("SecretHash(..)") && !text.contains("ba78") && !text.contains("186"), "{text}");
    }

    // S-56
    #[test]
    fn a_secret_ends_at_its_end() {
        let end = NumericDate::from_secs(100);
        let mut secret = StoredSecret { hash: SecretHash::of("x"), created_at: end, expires_at: Some(end) };
        assert!(secret.is_live(NumericDate::from_secs(99)));
        assert!(!secret.is_live(end));
        secret.expires_at = None;
        assert!(secret.is_live(NumericDate::from_secs(u64::MAX)));
    }
}
