use std::{borrow::Cow, fmt, ops::Deref};

use serde::Deserialize;
use smallvec::SmallVec;

use crate::{Algorithm, HeaderRules, Kid, Typ, base64url, header::Header, json};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;
/// The longest statement of a revocation feed that is looked at, in bytes.
pub const MAX_STATEMENT: usize = 4 * 1024 * 1024;
/// The longest encoded header that is decoded, in bytes.
pub const MAX_HEADER: usize = 1024;

/// What a JWS carries: a type that says which `typ` its tokens have.
///
/// A payload is only ever read from a token that declares this kind, so an ID token, a log-out
/// token or a proof signed by the same key cannot pass for an access token (RFC 8725 section 3.11).
pub trait Payload {
    /// The kind that the header must declare.
    const TYP: Typ;
}

/// Why a JWS was refused. For logs and metrics; a caller of a service learns none of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`MAX_TOKEN`] (a statement: than [`MAX_STATEMENT`]), or its header than [`MAX_HEADER`].
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
    /// The header of a proof brings a private or symmetric key: its holder has lost it.
    #[error("a private or symmetric key in the header")]
    PrivateKey,
    /// The header of a proof brings no public key, or one that cannot be accepted.
    #[error("no acceptable public key in the header")]
    ProofKey,
    /// `alg` is not ours, or not the key's.
    #[error("wrong algorithm")]
    Algorithm,
    /// No `kid`.
    #[error("no kid")]
    NoKid,
    /// `kid` is nothing that could name a key, or not a thumbprint where it must be one.
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

/// The parts of a compact JWS, still encoded (RFC 7515 section 7.1).
pub(crate) struct Compact<'t> {
    pub(crate) signing_input: &'t str,
    pub(crate) header: &'t str,
    pub(crate) payload: &'t str,
    pub(crate) signature: &'t str,
}

impl<'t> Compact<'t> {
    pub(crate) fn split(token: &'t str, max_header: usize) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN { Err(JwsError::TooLong) } else { Self::split_any(token, max_header) }
    }

    /// The same for a text of any length.
    fn split_any(token: &'t str, max_header: usize) -> Result<Self, JwsError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::MalformedCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::MalformedCompact)?;
        if header.len() > max_header {
            return Err(JwsError::TooLong);
        }
        // Without an early end it is vector instructions, several times as fast as a search.
        let dots = payload.bytes().fold(0, |found, byte| found | u8::from(byte == b'.'));
        if dots != 0 || signature.is_empty() {
            return Err(JwsError::MalformedCompact);
        }
        Ok(Self { signing_input, header, payload, signature })
    }
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
        Self::of(&Compact::split(token, MAX_HEADER)?)
    }

    /// The same for the one kind of JWS that may be larger than a token: up to [`MAX_STATEMENT`]. What is in it nobody
    /// has looked at; that it is a statement its `typ` must say when it is verified.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_statement(text: &'t str) -> Result<Self, JwsError> {
        if text.len() > MAX_STATEMENT {
            return Err(JwsError::TooLong);
        }
        Self::of(&Compact::split_any(text, MAX_HEADER)?)
    }

    fn of(compact: &Compact<'t>) -> Result<Self, JwsError> {
        let Compact { signing_input, header, payload, signature } = *compact;
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

    /// Whether the header is one of those that are taken. Costs no cryptography, so it is asked before the
    /// key is looked for.
    ///
    /// # Errors
    /// [`JwsError::EmbeddedKey`], [`JwsError::MalformedKid`] or [`JwsError::Typ`].
    pub fn check(&self, rules: &HeaderRules) -> Result<(), JwsError> {
        rules.check(&self.header)
    }

    /// The issuer that the payload claims, to choose by it among those that are trusted, and for nothing
    /// else: nobody has signed it yet.
    ///
    /// # Errors
    /// [`JwsError::MalformedCompact`] or [`JwsError::MalformedPayload`] if there is no such claim.
    pub fn claimed_issuer(&self) -> Result<String, JwsError> {
        #[derive(Deserialize)]
        struct Claims<'p> {
            #[serde(borrow)]
            iss: Cow<'p, str>,
        }
        let mut buffer = payload_buffer(self.payload);
        let payload =
            base64url::decode_into(self.payload, &mut buffer).map_err(|_| JwsError::MalformedCompact)?;
        let claims: Claims<'_> = json::from_slice_seed(payload, std::marker::PhantomData)
            .map_err(|_| JwsError::MalformedPayload)?;
        Ok(claims.iss.into_owned())
    }
}

/// On the stack for the usual token.
fn payload_buffer(encoded: &str) -> SmallVec<[u8; 1024]> {
    SmallVec::from_elem(0, encoded.len() / 4 * 3 + 3)
}

impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws").finish_non_exhaustive()
    }
}

/// The bytes of a payload that was signed by the key that verified it: a JSON object, not read yet.
///
/// Only [`VerifyingKey::verify_payload`](crate::VerifyingKey::verify_payload) makes one.
#[derive(Clone)]
pub struct VerifiedPayload {
    json: Box<str>,
}

impl VerifiedPayload {
    pub(crate) fn decode(encoded: &str) -> Result<Self, JwsError> {
        let json = base64url::decode(encoded).map_err(|_| JwsError::MalformedCompact)?;
        let json = String::from_utf8(json).map_err(|_| JwsError::MalformedPayload)?;
        // A claims set is an object (RFC 7519 section 4), whatever else a type would read.
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if json.bytes().find(|byte| !blank(byte)) != Some(b'{') {
            return Err(JwsError::MalformedPayload);
        }
        Ok(Self { json: json.into_boxed_str() })
    }

    /// Reads the payload, unambiguously: see [`json`](crate::json).
    ///
    /// # Errors
    /// [`JwsError::MalformedPayload`] if it is ambiguous or not a `T`.
    pub fn read<'p, T: Deserialize<'p>>(&'p self) -> Result<Verified<T>, JwsError> {
        json::from_str(&self.json).map(Verified::new).map_err(|_| JwsError::MalformedPayload)
    }

    /// The JSON text, as it was signed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.json
    }
}

impl fmt::Debug for VerifiedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPayload").finish_non_exhaustive()
    }
}

/// The proof that a payload was signed by the key that verified it.
///
/// Only [`VerifyingKey::verify`](crate::VerifyingKey::verify) and [`VerifiedPayload::read`] make one. It says nothing about issuer, audience or time:
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
