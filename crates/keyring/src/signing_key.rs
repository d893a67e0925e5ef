use std::{fmt, sync::Arc};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use claviger_jose::{Algorithm, HeaderRules, Jwk, Kid, PublicKey, Typ, base64url};
use serde::Serialize;

use crate::{Pkcs8, SignError, Signer, pair::Pair};

/// A private key, prepared once for any number of signatures. No `Clone`, no way back to the
/// bytes of the key.
pub struct SigningKey {
    jwk: Jwk,
    /// The encoded header for each kind of token, with its dot.
    headers: Vec<(Typ, String)>,
    signer: Arc<dyn Signer>,
    /// Of a key that is kept elsewhere: what checks each signature before it leaves.
    check: Option<ParsedPublicKey>,
}

/// The bytes are not an acceptable private key, or the key fails its test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an acceptable private key")]
pub struct KeyRejected;

impl SigningKey {
    /// Prepares a key of PKCS#8, and tries it: a key whose halves do not belong together is refused here,
    /// not met by the first verifier.
    ///
    /// # Errors
    /// [`KeyRejected`] for bytes that are no key of this algorithm, or fail the self-test.
    pub fn from_pkcs8(alg: Algorithm, pkcs8: &Pkcs8) -> Result<Self, KeyRejected> {
        let (pair, public) = Pair::from_pkcs8(alg, pkcs8)?;
        let jwk = Jwk::new(public).map_err(|_| KeyRejected)?;
        let key = Self::new(jwk, Arc::new(pair), None);
        key.test().map_err(|_| KeyRejected)?;
        Ok(key)
    }

    /// A key that is kept elsewhere. Every signature that comes back is verified before it leaves; the key is not
    /// tried here, because its keeper may be away for a moment: [`test`](Self::test) does.
    ///
    /// # Errors
    /// [`KeyRejected`] for a public key that verifies nothing.
    pub fn external(jwk: Jwk, signer: Arc<dyn Signer>) -> Result<Self, KeyRejected> {
        let check = match jwk.public_key() {
            PublicKey::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            PublicKey::P256 { x, y } => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], &x[..], &y[..]].concat())
            }
        };
        Ok(Self::new(jwk, signer, Some(check.map_err(|_| KeyRejected)?)))
    }

    fn new(jwk: Jwk, signer: Arc<dyn Signer>, check: Option<ParsedPublicKey>) -> Self {
        let headers = Typ::ALL.map(|typ| (typ, encoded_header(&jwk, typ))).into();
        Self { jwk, headers, signer, check }
    }

    /// The public half.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The key's identifier.
    #[must_use]
    pub fn kid(&self) -> &Kid {
        self.jwk.kid()
    }

    /// The algorithm.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.jwk.alg()
    }

    /// Whether the key is kept elsewhere: signing waits for somebody, and may fail for a while.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.check.is_some()
    }

    /// Signs claims as a compact JWS of this kind (RFC 7515 section 5.1). RS256 takes 0.2 ms
    /// and more, an [external](Self::is_external) key as long as its keeper likes: neither on an async worker.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, typ: Typ, claims: &impl Serialize) -> Result<String, SignError> {
        let mut payload = Vec::with_capacity(512);
        serde_json::to_writer(&mut payload, claims)?;
        let header = self.headers.iter().find(|(of, _)| *of == typ).map_or("", |(_, header)| header);
        let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 512);
        token.push_str(header);
        base64url::encode_into(&payload, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        base64url::encode_into(&signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.signer.sign(message)?;
        if let Some(check) = &self.check {
            // A faulty module would give the key away (Boneh, DeMillo, Lipton), or have good tokens refused.
            check.verify_sig(message, &signature).map_err(|_| SignError::Wrong)?;
        }
        Ok(signature)
    }

    /// Signs something and reads it as a verifier would.
    ///
    /// # Errors
    /// [`SignError`]: the key cannot sign, or its halves do not belong together.
    pub fn test(&self) -> Result<(), SignError> {
        let token = self.sign(Typ::AtJwt, &serde_json::json!({}))?;
        let wrong = |_| SignError::Wrong;
        let jws = claviger_jose::UnverifiedJws::parse(&token).map_err(wrong)?;
        let key = self.jwk.verifying_key().map_err(|_| SignError::Wrong)?;
        key.verify_payload(&jws, &HeaderRules::of(Typ::AtJwt)).map(|_| ()).map_err(wrong)
    }
}

fn encoded_header(jwk: &Jwk, typ: Typ) -> String {
    let alg = match jwk.alg() {
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
    };
    let header = jsonwebtoken::Header {
        typ: Some(typ.as_str().to_owned()),
        kid: Some(jwk.kid().to_string()),
        ..jsonwebtoken::Header::new(alg)
    };
    let json = serde_json::to_vec(&header).expect("a header of three strings is JSON");
    base64url::encode(&json) + "."
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", self.kid())
            .field("alg", &self.alg())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use claviger_testkit::TestKey;
    use zeroize::Zeroizing;

    use super::*;

    fn kid_of(alg: Algorithm, pkcs8: &[u8]) -> Option<Kid> {
        let key = SigningKey::from_pkcs8(alg, &Pkcs8(Zeroizing::new(pkcs8.to_vec())));
        key.ok().map(|key| *key.kid())
    }

    // The exponents and the coefficient of the Chinese remainder theorem are among the bytes: a fault
    // in one of them lets a single signature give the key away (Boneh, DeMillo, Lipton).
    // S-39
    #[test]
    fn a_key_with_one_bit_changed_anywhere_is_refused() {
        for key in [TestKey::es256(), TestKey::rs256()] {
            assert_eq!(kid_of(key.alg(), key.pkcs8()), Some(*key.kid()));
            for position in 0..key.pkcs8().len() {
                let mut damaged = key.pkcs8().to_vec();
                damaged[position] ^= 1 << (position % 8);
                assert_eq!(kid_of(key.alg(), &damaged), None, "{} byte {position}", key.alg());
            }
        }
    }

    #[test]
    fn a_key_is_of_its_algorithm_and_whole() {
        let (ec, rsa) = (TestKey::es256().pkcs8(), TestKey::rs256().pkcs8());
        assert_eq!(kid_of(Algorithm::Rs256, ec), None);
        assert_eq!(kid_of(Algorithm::Es256, rsa), None);
        for (alg, key) in [(Algorithm::Es256, ec), (Algorithm::Rs256, rsa)] {
            assert_eq!(kid_of(alg, &key[..key.len() - 1]), None);
            assert_eq!(kid_of(alg, &[]), None);
        }
    }
}
