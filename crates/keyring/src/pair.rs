use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use claviger_jose::{Algorithm, PublicKey};
use rsa::{pkcs8::DecodePrivateKey, traits::PublicKeyParts};

use crate::{KeyRejected, Pkcs8, SignError, Signer};

/// A private key in this process.
///
/// RSA signatures are checked by the library before they leave it (with the public exponent,
/// against faults in the arithmetic of the Chinese remainder theorem).
pub(crate) enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl Pair {
    /// Reads the key, and answers its public half with it.
    pub(crate) fn from_pkcs8(alg: Algorithm, pkcs8: &Pkcs8) -> Result<(Self, PublicKey), KeyRejected> {
        match alg {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8.0).map_err(|_| KeyRejected)?;
                let key = rsa::RsaPrivateKey::from_pkcs8_der(&pkcs8.0).map_err(|_| KeyRejected)?;
                Ok((Self::Rsa(pair), PublicKey::Rsa { n: key.n().to_bytes_be(), e: key.e().to_bytes_be() }))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8.0);
                let pair = pair.map_err(|_| KeyRejected)?;
                let point = pair.public_key().as_ref(); // X9.62 uncompressed: 4, x, y
                let coordinate = |range| point.get(range).and_then(|bytes: &[u8]| bytes.try_into().ok());
                let x = coordinate(1..33).ok_or(KeyRejected)?;
                let y = coordinate(33..65).ok_or(KeyRejected)?;
                Ok((Self::P256(pair), PublicKey::P256 { x, y }))
            }
        }
    }
}

impl Signer for Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        // The library draws the nonce of an ECDSA signature itself; RS256 is deterministic.
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                signed.map(|()| signature).map_err(|_| SignError::Signature)
            }
            Self::P256(pair) => {
                let signed = pair.sign(&random, message);
                signed.map(|signature| signature.as_ref().to_vec()).map_err(|_| SignError::Signature)
            }
        }
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(..)")
    }
}
