use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};

use crate::{Algorithm, Kid, json, jws::JwsError};

/// The kind of a token: the `typ` header without `application/`, compared without case
/// (RFC 7515 section 4.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Typ {
    /// `at+jwt`: an access token (RFC 9068 section 2.1).
    AtJwt,
}

impl Typ {
    /// All kinds.
    pub const ALL: [Self; 1] = [Self::AtJwt];

    /// The short form of the media type, as it is written into a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let prefix = "application/";
        let bare = match text.get(..prefix.len()) {
            Some(head) if head.eq_ignore_ascii_case(prefix) => &text[prefix.len()..],
            _ => text,
        };
        Self::ALL.into_iter().find(|typ| bare.eq_ignore_ascii_case(typ.as_str()))
    }
}

/// What a protected header says, once nothing in it asks for what we do not do.
pub(crate) struct Header {
    pub(crate) alg: Algorithm,
    pub(crate) kid: Kid,
    /// `None`: absent, or none of the kinds we know.
    pub(crate) typ: Option<Typ>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<Cow<'a, str>>,
    #[serde(default)]
    crit: Forbidden,
    #[serde(default)]
    b64: Forbidden,
    #[serde(default)]
    jku: Forbidden,
    #[serde(default)]
    jwk: Forbidden,
    #[serde(default)]
    x5u: Forbidden,
    #[serde(default)]
    x5c: Forbidden,
    #[serde(default)]
    x5t: Forbidden,
    #[serde(default, rename = "x5t#S256")]
    x5t_s256: Forbidden,
}

impl Header {
    pub(crate) fn parse(document: &[u8]) -> Result<Self, JwsError> {
        let members: Members<'_> = json::from_slice_seed(document, std::marker::PhantomData)
            .map_err(|_| JwsError::MalformedHeader)?;
        // We understand no extension (RFC 7515 section 4.1.11), and `b64` is one (RFC 7797).
        if members.crit.0 || members.b64.0 {
            return Err(JwsError::CriticalExtension);
        }
        // The key comes from the issuer's set, never from the token (RFC 8725 section 3.10).
        let Members { jku, jwk, x5u, x5c, x5t, x5t_s256, .. } = &members;
        if [jku, jwk, x5u, x5c, x5t, x5t_s256].iter().any(|member| member.0) {
            return Err(JwsError::EmbeddedKey);
        }
        let kid = members.kid.ok_or(JwsError::NoKid)?;
        Ok(Self {
            alg: members.alg.parse().map_err(|_| JwsError::Algorithm)?,
            kid: kid.parse().map_err(|_| JwsError::MalformedKid)?,
            typ: members.typ.as_deref().and_then(Typ::parse),
        })
    }
}

/// A member that is here but `null` is not an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    struct Text;
    impl<'de> de::Visitor<'de> for Text {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
    }
    deserializer.deserialize_str(Text).map(Some)
}

/// Whether a member was there at all, whatever its value.
#[derive(Default)]
struct Forbidden(bool);

impl<'de> Deserialize<'de> for Forbidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}
