use std::sync::LazyLock;

use claviger_jose::Algorithm;
use claviger_testkit::TestKey;
use jsonwebtoken::{DecodingKey, Validation, decode, jwk};
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, RS256PublicKey, RSAPublicKeyLike, VerificationOptions,
};
use serde_json::{Map, Value, json};

static ES256: LazyLock<Peers> = LazyLock::new(|| Peers::new(TestKey::es256()));
static RS256: LazyLock<Peers> = LazyLock::new(|| Peers::new(TestKey::rs256()));

/// Two others with the same key and no opinion on times, issuers or audiences.
pub(crate) struct Peers {
    key: DecodingKey,
    validation: Validation,
    simple: Simple,
    options: VerificationOptions,
}

enum Simple {
    Rs256(Box<RS256PublicKey>),
    Es256(ES256PublicKey),
}

impl Peers {
    pub(crate) fn of(key: &TestKey) -> &'static Self {
        match key.alg() {
            Algorithm::Es256 => &ES256,
            Algorithm::Rs256 => &RS256,
        }
    }

    fn new(key: &TestKey) -> Self {
        let json = json!(key.jwk());
        let (alg, simple) = match key.alg() {
            Algorithm::Rs256 => {
                let key = RS256PublicKey::from_jwk(&json.to_string()).expect("jwt-simple reads our RSA key");
                (jsonwebtoken::Algorithm::RS256, Simple::Rs256(Box::new(key)))
            }
            Algorithm::Es256 => {
                let key =
                    ES256PublicKey::from_jwk(&json.to_string()).expect("jwt-simple reads our P-256 key");
                (jsonwebtoken::Algorithm::ES256, Simple::Es256(key))
            }
        };
        let jwk: jwk::Jwk = serde_json::from_value(json).expect("jsonwebtoken reads our key");
        let mut validation = Validation::new(alg);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let options = VerificationOptions {
            accept_future: true,
            time_tolerance: Some(0_u64.into()),
            artificial_time: Some(0_u64.into()),
            ..VerificationOptions::default()
        };
        let key = DecodingKey::from_jwk(&jwk).expect("jsonwebtoken prepares our key");
        Self { key, validation, simple, options }
    }

    /// The claims as jsonwebtoken reads them.
    pub(crate) fn jsonwebtoken(&self, token: &str) -> Result<Value, String> {
        let data = decode::<Value>(token, &self.key, &self.validation);
        data.map(|data| data.claims).map_err(|error| error.to_string())
    }

    /// Whether jwt-simple accepts. It sorts claims into known and other ones, so they are not compared.
    pub(crate) fn jwt_simple(&self, token: &str) -> Result<(), String> {
        let options = Some(self.options.clone());
        let verified = match &self.simple {
            Simple::Rs256(key) => key.verify_token::<Map<String, Value>>(token, options),
            Simple::Es256(key) => key.verify_token::<Map<String, Value>>(token, options),
        };
        verified.map(drop).map_err(|error| error.to_string())
    }
}
