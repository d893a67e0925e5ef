use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base64url;

/// The length of a thumbprint.
const THUMBPRINT: usize = 43;
/// The longest identifier of any issuer that is taken.
const MAX_LENGTH: usize = 64;

/// A key identifier: 1 to 64 visible ASCII characters without `"` and `\`.
///
/// In this house it is the RFC 7638 SHA-256 thumbprint of the public key, in base64url: it is the
/// key, not a name for it. Two keys cannot share one, and a key that was revoked cannot come back
/// under another. Other issuers name their keys as they like; [`is_thumbprint`](Self::is_thumbprint)
/// tells the forms apart. Held inline, so that looking a key up allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid {
    /// Zero behind the end, so that equal identifiers are equal arrays.
    text: [u8; MAX_LENGTH],
    length: u8,
}

impl Kid {
    /// The thumbprint of a key from the canonical JSON of its required members
    /// (RFC 7638 section 3).
    pub(crate) fn of_canonical_json(json: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, json.as_bytes());
        base64url::encode(hash.as_ref()).parse().expect("32 bytes are 43 characters of base64url")
    }

    /// The characters of the identifier.
    ///
    /// # Panics
    /// Never: a kid is made of ASCII only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..usize::from(self.length)]).expect("a kid is ASCII")
    }

    /// Whether this could be a thumbprint: 43 characters of base64url. Nothing else is ever a key of
    /// this house, so nothing needs to be asked about it.
    #[must_use]
    pub fn is_thumbprint(&self) -> bool {
        let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        // Without an early end it is a handful of vector instructions.
        usize::from(self.length) == THUMBPRINT
            && self.text[..THUMBPRINT].iter().fold(true, |good, byte| good & in_alphabet(byte))
    }
}

/// The text cannot be a key identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a kid has 1 to 64 visible ASCII characters, without \" and \\")]
pub struct InvalidKid;

impl FromStr for Kid {
    type Err = InvalidKid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let mut held = [0; MAX_LENGTH];
        let room = held.get_mut(..text.len()).ok_or(InvalidKid)?;
        room.copy_from_slice(text.as_bytes());
        if room.is_empty() || !room.iter().fold(true, |all, byte| all & good(byte)) {
            return Err(InvalidKid);
        }
        Ok(Self { text: held, length: u8::try_from(text.len()).map_err(|_| InvalidKid)? })
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
