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
    /// `JWT`: any token, as issuers write that do not type theirs (RFC 7519 section 5.1). Of this house's
    /// tokens only ID tokens are of this kind, because clients expect it of them.
    Jwt,
    /// `dpop+jwt`: a proof of possession (RFC 9449 section 4.2).
    DpopJwt,
    /// `revocations+jwt`: a statement of the revocation feed.
    Revocations,
    /// `audit-checkpoint+jwt`: where the audit log was at some time.
    AuditCheckpoint,
    /// `logout+jwt`: tells a client that a session has ended (OpenID Connect Back-Channel Logout 1.0 section 2.4).
    LogoutToken,
    /// `client-authentication+jwt`: a client says who it is, signed with its own key (RFC 7523).
    ClientAssertion,
}

impl Typ {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::AtJwt,
        Self::Jwt,
        Self::DpopJwt,
        Self::Revocations,
        Self::AuditCheckpoint,
        Self::LogoutToken,
        Self::ClientAssertion,
    ];

    /// The short form of the media type, as it is written into a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
            Self::DpopJwt => "dpop+jwt",
            Self::Revocations => "revocations+jwt",
            Self::AuditCheckpoint => "audit-checkpoint+jwt",
            Self::LogoutToken => "logout+jwt",
            Self::ClientAssertion => "client-authentication+jwt",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
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
    pub(crate) typ: DeclaredTyp,
    /// It has the thumbprint of a certificate, which is neither a key nor a place to fetch one.
    pub(crate) names_certificate: bool,
}

/// The `typ` of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeclaredTyp {
    Absent,
    Known(Typ),
    /// Another kind of token, of which we know nothing.
    Unknown,
}

/// Which headers are taken, of those that no rule refuses already.
///
/// Issuers that are not of this house do not type their tokens, name their keys as they like, and some
/// add the thumbprint of a certificate. Each of these is a protection less, so each is taken by a rule of
/// that issuer's, never by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRules {
    typ: Vec<Typ>,
    untyped: bool,
    foreign: bool,
}

impl HeaderRules {
    /// The rules of this house: exactly this `typ`, and a `kid` that is a thumbprint.
    #[must_use]
    pub fn of(typ: Typ) -> Self {
        Self { typ: vec![typ], untyped: false, foreign: false }
    }

    /// The rules for another issuer: one of these kinds, any `kid`, and `x5t` or `x5t#S256` passed over.
    #[must_use]
    pub fn foreign(typ: impl IntoIterator<Item = Typ>) -> Self {
        Self { typ: typ.into_iter().collect(), untyped: false, foreign: true }
    }

    /// Takes tokens without `typ` as well.
    #[must_use]
    pub fn or_untyped(self) -> Self {
        Self { untyped: true, ..self }
    }

    pub(crate) fn check(&self, header: &Header) -> Result<(), JwsError> {
        if !self.foreign && header.names_certificate {
            return Err(JwsError::EmbeddedKey);
        }
        if !self.foreign && !header.kid.is_thumbprint() {
            return Err(JwsError::MalformedKid);
        }
        let expected = match header.typ {
            DeclaredTyp::Known(typ) => self.typ.contains(&typ),
            DeclaredTyp::Absent => self.untyped,
            DeclaredTyp::Unknown => false,
        };
        if expected { Ok(()) } else { Err(JwsError::Typ) }
    }
}

/// The members of a header that mean something here, and those that no header may have. What becomes of `jwk` is the
/// one difference between a token, which must not have it, and a proof, which must.
#[derive(Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Default"))]
pub(crate) struct Members<'a, K> {
    #[serde(borrow)]
    pub(crate) alg: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) kid: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) typ: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) jwk: K,
    #[serde(default)]
    crit: Forbidden,
    #[serde(default)]
    b64: Forbidden,
    #[serde(default)]
    jku: Forbidden,
    #[serde(default)]
    x5u: Forbidden,
    #[serde(default)]
    x5c: Forbidden,
    #[serde(default)]
    x5t: Forbidden,
    #[serde(default, rename = "x5t#S256")]
    x5t_s256: Forbidden,
}

impl<'a, K: Deserialize<'a> + Default> Members<'a, K> {
    /// Reads a header that asks for nothing that we do not do.
    pub(crate) fn parse(document: &'a [u8]) -> Result<Self, JwsError> {
        let members: Self = json::from_slice_seed(document, std::marker::PhantomData)
            .map_err(|_| JwsError::MalformedHeader)?;
        // We understand no extension (RFC 7515 section 4.1.11), and `b64` is one (RFC 7797).
        if members.crit.0 || members.b64.0 {
            return Err(JwsError::CriticalExtension);
        }
        // The key is never where a header says (RFC 8725 section 3.10).
        if members.jku.0 || members.x5u.0 || members.x5c.0 {
            return Err(JwsError::EmbeddedKey);
        }
        Ok(members)
    }

    /// Whether it has the thumbprint of a certificate.
    pub(crate) fn names_certificate(&self) -> bool {
        self.x5t.0 || self.x5t_s256.0
    }
}

impl Header {
    pub(crate) fn parse(document: &[u8]) -> Result<Self, JwsError> {
        let members = Members::<Forbidden>::parse(document)?;
        // The key comes from the issuer's set, never from the token (RFC 8725 section 3.10).
        if members.jwk.0 {
            return Err(JwsError::EmbeddedKey);
        }
        let names_certificate = members.names_certificate();
        let kid = members.kid.ok_or(JwsError::NoKid)?;
        let typ = members.typ.as_deref().map(Typ::parse);
        Ok(Self {
            alg: members.alg.parse().map_err(|_| JwsError::Algorithm)?,
            kid: kid.parse().map_err(|_| JwsError::MalformedKid)?,
            typ: typ.map_or(DeclaredTyp::Absent, |typ| typ.map_or(DeclaredTyp::Unknown, DeclaredTyp::Known)),
            names_certificate,
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
