use std::{fmt, time::Duration};

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Kid, NumericDate, Payload, Typ, base64url};

/// How many bytes of a hash name a revoked thing.
const MARK: usize = 16;

/// What an issuer has revoked, as its feed says it: a JWS of the kind `revocations+jwt`.
///
/// It names keys by their kid, and everything else by a [`Mark`]: the feed is public, and who was logged out is nobody's
/// business. There is no standard for it; the semantics are those of "not before" and of a deny list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// The issuer.
    pub iss: String,
    /// Grows with each revocation, and never falls: a statement with a lower number is an old one.
    pub seq: u64,
    /// When it was signed.
    pub iat: NumericDate,
    /// From then on it is no news; at most [`MAX_LIFETIME`](Self::MAX_LIFETIME) after `iat`.
    pub exp: NumericDate,
    /// The entity tag of the key set that is published with it, without quotes: one poll keeps both fresh.
    pub jwks: String,
    /// Keys that are dead, for ever.
    #[serde(default)]
    pub kid: Vec<Kid>,
    /// Single tokens.
    #[serde(default)]
    pub jti: Vec<Mark>,
    /// Sessions: their tokens issued before that time.
    #[serde(default)]
    pub sid: Vec<(Mark, NumericDate)>,
    /// Subjects: their tokens issued before that time.
    #[serde(default)]
    pub sub: Vec<(Mark, NumericDate)>,
    /// Clients: their tokens issued before that time.
    #[serde(default)]
    pub client: Vec<(Mark, NumericDate)>,
    /// All tokens issued before that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<NumericDate>,
}

impl Revocations {
    /// The longest time from `iat` to `exp`.
    pub const MAX_LIFETIME: Duration = Duration::from_mins(10);

    /// A statement of this number that revokes nothing and names no key set, for its longest lifetime.
    #[must_use]
    pub fn of_nothing(iss: impl Into<String>, seq: u64, iat: NumericDate) -> Self {
        Self {
            iss: iss.into(),
            seq,
            iat,
            exp: iat + Self::MAX_LIFETIME,
            jwks: String::new(),
            kid: Vec::new(),
            jti: Vec::new(),
            sid: Vec::new(),
            sub: Vec::new(),
            client: Vec::new(),
            all: None,
        }
    }
}

impl Payload for Revocations {
    const TYP: Typ = Typ::Revocations;
}

/// What kind of thing a [`Mark`] stands for. Two kinds never share a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Marked {
    /// A token by its `jti`.
    Jti,
    /// A session by its `sid`.
    Sid,
    /// A subject by its `sub`.
    Sub,
    /// A client by its `client_id`.
    Client,
}

/// A name that tells nothing to who does not know it already: the first 128 bits of its SHA-256, in base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark([u8; MARK]);

impl Mark {
    /// The mark of a thing.
    #[must_use]
    pub fn of(kind: Marked, name: &str) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(match kind {
            Marked::Jti => b"jti\0",
            Marked::Sid => b"sid\0",
            Marked::Sub => b"sub\0",
            Marked::Client => b"cid\0",
        });
        hash.update(name.as_bytes());
        let mut mark = [0; MARK];
        for (byte, hashed) in mark.iter_mut().zip(hash.finish().as_ref()) {
            *byte = *hashed;
        }
        Self(mark)
    }

    /// The mark that [`as_bytes`](Self::as_bytes) told.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; MARK]) -> Self {
        Self(bytes)
    }

    /// The bits of the mark.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; MARK] {
        &self.0
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({})", base64url::encode(&self.0))
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Mark;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 bytes in base64url")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mark, E> {
                let bytes = base64url::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
                bytes.map(Mark).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_statement_is_read_as_it_was_written() {
        let statement = Revocations {
            iss: "https://id.fleet.test".to_owned(),
            seq: 17,
            iat: NumericDate::from_secs(1000),
            exp: NumericDate::from_secs(1600),
            jwks: "abc".to_owned(),
            kid: vec!["0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()],
            jti: vec![Mark::of(Marked::Jti, "1")],
            sid: vec![(Mark::of(Marked::Sid, "s"), NumericDate::from_secs(900))],
            sub: Vec::new(),
            client: vec![(Mark::of(Marked::Client, "web"), NumericDate::from_secs(950))],
            all: None,
        };
        let text = serde_json::to_string(&statement).unwrap();
        assert_eq!(json::from_str::<Revocations>(&text).unwrap(), statement);
    }

    #[test]
    fn marks_of_different_things_differ() {
        let all = [Marked::Jti, Marked::Sid, Marked::Sub, Marked::Client].map(|kind| Mark::of(kind, "a"));
        for (at, mark) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(mark));
        }
        assert_eq!(Mark::of(Marked::Sub, "a"), all[2]);
        assert!(serde_json::from_str::<Mark>("\"AAAA\"").is_err());
    }
}
