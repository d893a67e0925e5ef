use std::{
    fmt::{self, Display},
    sync::LazyLock,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use claviger_jose::{Algorithm, Jwk, Kid, PublicKey, base64url};
use serde_json::{Value, json};

static RS256: LazyLock<TestKey> = LazyLock::new(|| TestKey::rsa(include_bytes!("../keys/rs256.pkcs8.der")));
static RS256_OTHER: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::rsa(include_bytes!("../keys/rs256_other.pkcs8.der")));
static ES256: LazyLock<TestKey> = LazyLock::new(|| TestKey::p256(include_bytes!("../keys/es256.pkcs8.der")));
static ES256_OTHER: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::p256(include_bytes!("../keys/es256_other.pkcs8.der")));

/// A key pair that is embedded in this crate and prepared once per process.
///
/// It signs whatever it is given: an attack that lies in the content of a token is only tested
/// by a token whose signature is right.
pub struct TestKey {
    jwk: Jwk,
    pkcs8: &'static [u8],
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
        &RS256
    }

    /// Another RSA key: the next one of the issuer, or an attacker's.
    #[must_use]
    pub fn rs256_other() -> &'static Self {
        &RS256_OTHER
    }

    /// A key on P-256.
    #[must_use]
    pub fn es256() -> &'static Self {
        &ES256
    }

    /// Another key on P-256: the next one of the issuer, or an attacker's.
    #[must_use]
    pub fn es256_other() -> &'static Self {
        &ES256_OTHER
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

    fn rsa(pkcs8: &'static [u8]) -> Self {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).expect("the embedded key is RSA in PKCS#8");
        // SEQUENCE { INTEGER n, INTEGER e } of PKCS#1, whose lengths are known for 2048 bits and e = 65537.
        let n = &pair.public_key().as_ref()[9..265];
        let public = PublicKey::Rsa { n: n.to_vec(), e: vec![1, 0, 1] };
        Self::new(pkcs8, public, Pair::Rsa(pair))
    }

    fn p256(pkcs8: &'static [u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .expect("the embedded key is on P-256 in PKCS#8");
        let point = pair.public_key().as_ref();
        let coordinate = |from: usize| point[from..from + 32].try_into().expect("32 bytes are 32 bytes");
        let public = PublicKey::P256 { x: coordinate(1), y: coordinate(33) };
        Self::new(pkcs8, public, Pair::P256(pair))
    }

    fn new(pkcs8: &'static [u8], public: PublicKey, pair: Pair) -> Self {
        Self { jwk: Jwk::new(public).expect("the embedded key is acceptable"), pkcs8, pair }
    }
}

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
        for key in [TestKey::rs256(), TestKey::rs256_other(), TestKey::es256(), TestKey::es256_other()] {
            let token = key.access_token(&json!({ "sub": "client:a" }));
            let jws = UnverifiedJws::parse(&token).unwrap();
            let claims = key.jwk().verifying_key().unwrap().verify::<Claims>(&jws).unwrap();
            assert_eq!(claims.into_inner().0, json!({ "sub": "client:a" }));
        }
    }

    #[test]
    fn a_header_may_be_text_that_is_not_json() {
        let token = TestKey::es256().jws("{not json", "nor this");
        assert!(token.starts_with(&base64url::encode(b"{not json")));
    }
}
