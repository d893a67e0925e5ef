use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use claviger_jose::{Algorithm, Jwk, Kid, PublicKey, Typ, base64url};
use rsa::{pkcs8::DecodePrivateKey, traits::PublicKeyParts};
use serde::Serialize;

use crate::Pkcs8;

/// A private key, prepared once for any number of signatures. No `Clone`, no way back to the
/// bytes of the key.
///
/// RSA signatures are checked by the library before they leave it (with the public exponent,
/// against faults in the arithmetic of the Chinese remainder theorem).
pub struct SigningKey {
    jwk: Jwk,
    /// The encoded header for each kind of token, with its dot.
    headers: Vec<(Typ, String)>,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

/// The bytes are not an acceptable private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an acceptable private key")]
pub struct KeyRejected;

/// A signature could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The claims do not become JSON.
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
    /// The library refused: a damaged key.
    #[error("signing failed")]
    Signature,
}

impl SigningKey {
    /// Prepares a key of PKCS#8, and tries it: a key whose halves do not belong together is refused here,
    /// not met by the first verifier.
    ///
    /// # Errors
    /// [`KeyRejected`] for bytes that are no key of this algorithm, or fail the self-test.
    pub fn from_pkcs8(alg: Algorithm, pkcs8: &Pkcs8) -> Result<Self, KeyRejected> {
        let (pair, public) = match alg {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8.0).map_err(|_| KeyRejected)?;
                let key = rsa::RsaPrivateKey::from_pkcs8_der(&pkcs8.0).map_err(|_| KeyRejected)?;
                let public = PublicKey::Rsa { n: key.n().to_bytes_be(), e: key.e().to_bytes_be() };
                (Pair::Rsa(Box::new(pair)), public)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8.0);
                let pair = pair.map_err(|_| KeyRejected)?;
                let point = pair.public_key().as_ref(); // X9.62 uncompressed: 4, x, y
                let coordinate = |range| point.get(range).and_then(|bytes: &[u8]| bytes.try_into().ok());
                let x = coordinate(1..33).ok_or(KeyRejected)?;
                let y = coordinate(33..65).ok_or(KeyRejected)?;
                (Pair::P256(Box::new(pair)), PublicKey::P256 { x, y })
            }
        };
        let jwk = Jwk::new(public).map_err(|_| KeyRejected)?;
        let headers = Typ::ALL.map(|typ| (typ, encoded_header(&jwk, typ))).into();
        let key = Self { jwk, headers, pair };
        key.test()?;
        Ok(key)
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

    /// Signs claims as a compact JWS of this kind (RFC 7515 section 5.1). RS256 takes 0.2 ms
    /// and more: not on an async worker.
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
        self.append_signature(&mut token)?;
        Ok(token)
    }

    fn append_signature(&self, token: &mut String) -> Result<(), SignError> {
        let message = token.as_bytes();
        // The library draws the nonce of an ECDSA signature itself; RS256 is deterministic.
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = [0; 512];
                let signature = signature.get_mut(..pair.public_modulus_len()).ok_or(SignError::Signature)?;
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, message, signature);
                signed.map_err(|_| SignError::Signature)?;
                token.push('.');
                base64url::encode_into(signature, token);
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| SignError::Signature)?;
                token.push('.');
                base64url::encode_into(signature.as_ref(), token);
            }
        }
        Ok(())
    }

    fn test(&self) -> Result<(), KeyRejected> {
        #[derive(serde::Deserialize)]
        struct Nothing {}
        impl claviger_jose::Payload for Nothing {
            const TYP: Typ = Typ::AtJwt;
        }
        let token = self.sign(Typ::AtJwt, &serde_json::json!({})).map_err(|_| KeyRejected)?;
        let jws = claviger_jose::UnverifiedJws::parse(&token).map_err(|_| KeyRejected)?;
        let key = self.jwk.verifying_key().map_err(|_| KeyRejected)?;
        key.verify::<Nothing>(&jws).map(|_| ()).map_err(|_| KeyRejected)
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
