use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base64url;

const LENGTH: usize = 43;

/// A key identifier: the RFC 7638 SHA-256 thumbprint of the public key, in base64url.
///
/// It is the key, not a name for it: two keys cannot share one, and a key that was revoked
/// cannot come back under another. Held inline, so that looking a key up allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid([u8; LENGTH]);

impl Kid {
    /// The thumbprint of a key from the canonical JSON of its required members
    /// (RFC 7638 section 3).
    pub(crate) fn of_canonical_json(json: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, json.as_bytes());
        base64url::encode(hash.as_ref()).parse().expect("32 bytes are 43 characters of base64url")
    }

    /// The 43 characters of the identifier.
    ///
    /// # Panics
    /// Never: a kid is made of ASCII only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a kid is ASCII")
    }
}

/// The text is not 43 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a kid is a thumbprint of RFC 7638: 43 characters of base64url")]
pub struct InvalidKid;

impl FromStr for Kid {
    type Err = InvalidKid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidKid)?;
        let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        // Without an early end it is a handful of vector instructions.
        let strange = bytes.iter().fold(0, |found, byte| found | u8::from(!in_alphabet(byte)));
        if strange == 0 { Ok(Self(bytes)) } else { Err(InvalidKid) }
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({self})")
    }
}

impl Serialize for Kid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
