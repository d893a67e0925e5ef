use std::fmt::{self, Display};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use claviger_jose::{Algorithm, Jwk, Kid, PublicKey, base64url};
use serde_json::{Value, json};

use crate::pool;

/// A key pair, prepared once per process and public knowledge: it is embedded in this crate.
///
/// It signs whatever it is given: an attack that lies in the content of a token is only tested
/// by a token whose signature is right.
pub struct TestKey {
    jwk: Jwk,
    pkcs8: &'static [u8],
    spki: Vec<u8>,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl TestKey {
    /// An RSA key of 2048 bits.
    #[must_use]
    pub fn rs256() -> &'static Self {
        Self::nth(Algorithm::Rs256, 0)
    }

    /// Another RSA key: the next one of the issuer, or an attacker's.
    #[must_use]
    pub fn rs256_other() -> &'static Self {
        Self::nth(Algorithm::Rs256, 1)
    }

    /// A key on P-256.
    #[must_use]
    pub fn es256() -> &'static Self {
        Self::nth(Algorithm::Es256, 0)
    }

    /// Another key on P-256: the next one of the issuer, or an attacker's.
    #[must_use]
    pub fn es256_other() -> &'static Self {
        Self::nth(Algorithm::Es256, 1)
    }

    /// A key by its number: the same number is the same key for as long as the process lives.
    ///
    /// The first four of each algorithm are embedded, and 0 and 1 are those with a name of their own. Further
    /// ones are made when they are first asked for, which takes up to a second for RSA.
    ///
    /// # Panics
    /// If the system's random number generator fails.
    #[must_use]
    pub fn nth(alg: Algorithm, number: usize) -> &'static Self {
        pool::nth(alg, number)
    }

    /// The public half.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The thumbprint of the public half.
    #[must_use]
    pub fn kid(&self) -> &Kid {
        self.jwk.kid()
    }

    /// The algorithm that the key signs with.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.jwk.alg()
    }

    /// The private half as an unencrypted PKCS#8 document in DER (RFC 5958).
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        self.pkcs8
    }

    /// The raw signature of a JWS over any bytes (RFC 7518 sections 3.3 and 3.4).
    ///
    /// # Panics
    /// If the system's random number generator fails.
    #[must_use]
    pub fn sign(&self, signing_input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signing_input, &mut signature)
                    .expect("a sound key signs, and the buffer is as long as the modulus");
                signature
            }
            Pair::P256(pair) => {
                pair.sign(&random, signing_input).expect("a sound key signs").as_ref().to_vec()
            }
        }
    }

    /// A compact JWS with a valid signature over any header and payload text, JSON or not.
    ///
    /// The header is a [`Value`] or the text itself, so that repeated members can be written.
    #[must_use]
    pub fn jws(&self, header: impl Display, payload: &str) -> String {
        let header = base64url::encode(header.to_string().as_bytes());
        let mut token = format!("{header}.{}", base64url::encode(payload.as_bytes()));
        let signature = self.sign(token.as_bytes());
        token.push('.');
        base64url::encode_into(&signature, &mut token);
        token
    }

    /// An access token with the header of RFC 9068 section 2.1 and any claims.
    #[must_use]
    pub fn access_token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.alg(), "kid": self.kid(), "typ": "at+jwt" });
        self.jws(header, &claims.to_string())
    }

    /// The public half as a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1), as in a PEM file.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(crate) fn rsa(pkcs8: &'static [u8]) -> Self {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).expect("the embedded key is RSA in PKCS#8");
        // SEQUENCE { INTEGER n, INTEGER e } of PKCS#1, whose lengths are known for 2048 bits and e = 65537.
        let n = &pair.public_key().as_ref()[9..265];
        let public = PublicKey::Rsa { n: n.to_vec(), e: vec![1, 0, 1] };
        Self::new(pkcs8, public, Pair::Rsa(pair))
    }

    pub(crate) fn p256(pkcs8: &'static [u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .expect("the embedded key is on P-256 in PKCS#8");
        let point = pair.public_key().as_ref();
        let coordinate = |from: usize| point[from..from + 32].try_into().expect("32 bytes are 32 bytes");
        let public = PublicKey::P256 { x: coordinate(1), y: coordinate(33) };
        Self::new(pkcs8, public, Pair::P256(pair))
    }

    fn new(pkcs8: &'static [u8], public: PublicKey, pair: Pair) -> Self {
        let spki: Result<PublicKeyX509Der<'_>, _> = match &pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::P256(pair) => pair.public_key().as_der(),
        };
        let spki = spki.expect("a sound key has a public half").as_ref().to_vec();
        Self { jwk: Jwk::new(public).expect("the embedded key is acceptable"), pkcs8, spki, pair }
    }
}

/// The same public half is the same key.
impl PartialEq for TestKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid() == other.kid()
    }
}

impl Eq for TestKey {}

impl fmt::Debug for TestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKey").field("kid", self.kid()).field("alg", &self.alg()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::{Payload, Typ, UnverifiedJws};

    use super::*;

    #[derive(Debug)]
    struct Claims(Value);

    impl<'de> serde::Deserialize<'de> for Claims {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Value::deserialize(deserializer).map(Self)
        }
    }

    impl Payload for Claims {
        const TYP: Typ = Typ::AtJwt;
    }

    #[test]
    fn every_key_signs_what_its_public_half_verifies() {
        let keys = [Algorithm::Rs256, Algorithm::Es256].map(|alg| (0..5).map(move |n| TestKey::nth(alg, n)));
        for key in keys.into_iter().flatten() {
            let token = key.access_token(&json!({ "sub": "client:a" }));
            let jws = UnverifiedJws::parse(&token).unwrap();
            let claims = key.jwk().verifying_key().unwrap().verify::<Claims>(&jws).unwrap();
            assert_eq!(claims.into_inner().0, json!({ "sub": "client:a" }));
            assert!(key.spki().len() > 64);
        }
    }

    #[test]
    fn a_header_may_be_text_that_is_not_json() {
        let token = TestKey::es256().jws("{not json", "nor this");
        assert!(token.starts_with(&base64url::encode(b"{not json")));
    }
}
