use std::{fmt, ops::Deref};

use serde::de::DeserializeOwned;

use crate::{Algorithm, Kid, Typ, base64url, header::Header};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;
/// The longest encoded header that is decoded, in bytes.
pub const MAX_HEADER: usize = 1024;

/// What a JWS carries: a type that says which `typ` its tokens have.
///
/// A payload is only ever read from a token that declares this kind, so an ID token, a log-out
/// token or a proof signed by the same key cannot pass for an access token (RFC 8725 section 3.11).
pub trait Payload: DeserializeOwned {
    /// The kind that the header must declare.
    const TYP: Typ;
}

/// Why a JWS was refused. For logs and metrics; a caller of a service learns none of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`MAX_TOKEN`], or its header than [`MAX_HEADER`].
    #[error("too long")]
    TooLong,
    /// Not three parts of base64url: JSON serialization, JWE, white space, padding, ...
    #[error("not a compact JWS")]
    MalformedCompact,
    /// The header is not an unambiguous JSON object of the right shape.
    #[error("malformed header")]
    MalformedHeader,
    /// `crit` or `b64` is present.
    #[error("a critical extension")]
    CriticalExtension,
    /// The header brings its own key or says where to fetch one.
    #[error("a key in the header")]
    EmbeddedKey,
    /// `alg` is not ours, or not the key's.
    #[error("wrong algorithm")]
    Algorithm,
    /// No `kid`.
    #[error("no kid")]
    NoKid,
    /// `kid` is not a thumbprint.
    #[error("malformed kid")]
    MalformedKid,
    /// `kid` names another key than the one asked to verify.
    #[error("another key's kid")]
    OtherKid,
    /// `typ` is absent or names another kind of token.
    #[error("wrong typ")]
    Typ,
    /// The signature does not verify.
    #[error("bad signature")]
    Signature,
    /// Signed by the right key, but the payload is not what it declares to be.
    #[error("malformed payload")]
    MalformedPayload,
}

/// A compact JWS whose signature nobody has checked (RFC 7515 section 5.2, steps 1 to 5).
///
/// It answers which algorithm and key it claims, for finding the key, and nothing else.
pub struct UnverifiedJws<'t> {
    pub(crate) signing_input: &'t str,
    pub(crate) payload: &'t str,
    pub(crate) signature: &'t str,
    pub(crate) header: Header,
}

impl<'t> UnverifiedJws<'t> {
    /// Splits a token and reads its header. The size is checked before anything is decoded.
    ///
    /// # Errors
    /// A [`JwsError`] for every form that RFC 7515 section 7.1 does not have, and for headers that ask
    /// for extensions, bring keys, or name an algorithm or kid that this house does not use.
    pub fn parse(token: &'t str) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN {
            return Err(JwsError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::MalformedCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::MalformedCompact)?;
        if header.len() > MAX_HEADER {
            return Err(JwsError::TooLong);
        }
        // Without an early end it is vector instructions, several times as fast as a search.
        let dots = payload.bytes().fold(0, |found, byte| found | u8::from(byte == b'.'));
        if dots != 0 || signature.is_empty() {
            return Err(JwsError::MalformedCompact);
        }
        let mut buffer = [0; MAX_HEADER];
        let header = base64url::decode_into(header, &mut buffer).map_err(|_| JwsError::MalformedCompact)?;
        let header = Header::parse(header)?;
        Ok(Self { signing_input, payload, signature, header })
    }

    /// The algorithm that the header claims.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.header.alg
    }

    /// The key that the header claims.
    #[must_use]
    pub fn kid(&self) -> &Kid {
        &self.header.kid
    }
}

impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws").finish_non_exhaustive()
    }
}

/// The proof that a payload was signed by the key that verified it.
///
/// Only [`VerifyingKey::verify`](crate::VerifyingKey::verify) makes one. It says nothing about issuer, audience or time:
/// that is policy, and comes next.
///
/// ```compile_fail,E0423
/// let claims = claviger_jose::Verified("nobody has checked this");
/// ```
/// ```compile_fail,E0624
/// let claims = claviger_jose::Verified::new("nobody has checked this");
/// ```
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(payload: T) -> Self {
        Self(payload)
    }

    /// The payload, by value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
