use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    Algorithm, Jwk, JwsError, Kid, Payload, Typ, Verified, base64url,
    header::Members,
    jwk_set::{parse_unnamed, refuse_private},
    jws::Compact,
};

/// The longest encoded header of a proof that is decoded, in bytes: it holds an RSA key of 8192 bits.
pub const MAX_PROOF_HEADER: usize = 2048;

/// A compact JWS that brings its own key, whose signature nobody has checked: a DPoP proof
/// ([RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)).
///
/// Anybody can sign one. What it proves is that its sender has the private half of one certain key, and
/// that is worth something only where another, trusted document names this key by its thumbprint. So it
/// is no [`UnverifiedJws`](crate::UnverifiedJws), and neither passes for the other.
pub struct UnverifiedProof<'t> {
    signing_input: &'t str,
    payload: &'t str,
    signature: &'t str,
    typ: Option<Typ>,
    key: Jwk,
}

impl<'t> UnverifiedProof<'t> {
    /// Splits a proof and reads its header and key. The size is checked before anything is decoded.
    ///
    /// # Errors
    /// A [`JwsError`] as for [`UnverifiedJws::parse`](crate::UnverifiedJws::parse), but that a `jwk` must be
    /// there: [`JwsError::PrivateKey`] for a private or symmetric one, [`JwsError::ProofKey`] if it is absent
    /// or nothing that this house verifies with, [`JwsError::Algorithm`] if it does not go with `alg`.
    pub fn parse(text: &'t str) -> Result<Self, JwsError> {
        let Compact { signing_input, header, payload, signature } = Compact::split(text, MAX_PROOF_HEADER)?;
        let mut buffer = [0; MAX_PROOF_HEADER];
        let header = base64url::decode_into(header, &mut buffer).map_err(|_| JwsError::MalformedCompact)?;
        let header = Members::parse(header)?;
        let typ = Typ::parse(header.typ.as_deref().ok_or(JwsError::MalformedHeader)?);
        let key = key_of(&header)?;
        Ok(Self { signing_input, payload, signature, typ, key })
    }

    /// Checks that the proof is of the kind `T` and signed by the key that it brings, and reads its payload.
    /// Answers that key's thumbprint (RFC 7638) besides: without a look at it, nothing is proven.
    ///
    /// # Errors
    /// [`JwsError::Typ`] before any cryptography, [`JwsError::ProofKey`] for a point off the curve, then
    /// [`JwsError::Signature`], then [`JwsError::MalformedPayload`].
    pub fn verify<T: Payload + DeserializeOwned>(&self) -> Result<(Verified<T>, Kid), JwsError> {
        if self.typ != Some(T::TYP) {
            return Err(JwsError::Typ);
        }
        let key = self.key.verifying_key().map_err(|_| JwsError::ProofKey)?;
        let payload = key.open(self.signing_input, self.payload, self.signature)?;
        Ok((payload.read()?, *self.key.kid()))
    }
}

fn key_of(header: &Members<'_, Map<String, Value>>) -> Result<Jwk, JwsError> {
    if header.names_certificate() {
        return Err(JwsError::EmbeddedKey);
    }
    let alg: Algorithm = header.alg.parse().map_err(|_| JwsError::Algorithm)?;
    refuse_private(&header.jwk).map_err(|_| JwsError::PrivateKey)?;
    let key = parse_unnamed(&header.jwk).map_err(|_| JwsError::ProofKey)?;
    if key.alg() == alg { Ok(key) } else { Err(JwsError::Algorithm) }
}

impl fmt::Debug for UnverifiedProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedProof").finish_non_exhaustive()
    }
}
