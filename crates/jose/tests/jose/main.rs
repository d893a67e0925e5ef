//! Facts about keys and tokens. Where the attack is in the content, the signature is valid, over
//! exactly the bytes that are looked at.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use claviger_jose::{JwsError, Payload, Typ, UnverifiedJws, base64url};
use claviger_testkit::TestKey;
use serde_json::{Map, Value, json};

mod compact;
mod differential;
mod foreign;
mod header;
mod jsonwebtoken_traps;
mod jwk_set;
mod payload;
mod proof;
mod rfc;
mod signature;
mod statement;

/// A payload that may be any object.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Claims(Map<String, Value>);

impl Payload for Claims {
    const TYP: Typ = Typ::AtJwt;
}

/// What a verifier that holds this key makes of a token.
fn verify(key: &TestKey, token: &str) -> Result<Value, JwsError> {
    let jws = UnverifiedJws::parse(token)?;
    let claims = key.jwk().verifying_key().unwrap().verify::<Claims>(&jws)?;
    Ok(Value::Object(claims.into_inner().0))
}

fn header_of(key: &TestKey) -> Value {
    json!({ "alg": key.alg(), "kid": key.kid(), "typ": "at+jwt" })
}

fn good_token(key: &TestKey) -> String {
    key.access_token(&json!({ "sub": "client:a", "jti": "1" }))
}

/// The token with another signature.
fn with_signature(token: &str, signature: &[u8]) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", base64url::encode(signature))
}

fn signature_of(token: &str) -> Vec<u8> {
    base64url::decode(token.rsplit_once('.').unwrap().1).unwrap()
}

#[test]
fn a_good_token_verifies_with_its_own_key_only() {
    let keys = [TestKey::es256(), TestKey::rs256(), TestKey::es256_other(), TestKey::rs256_other()];
    for signer in keys {
        for key in keys {
            let expected = if signer.kid() == key.kid() {
                Ok(json!({ "sub": "client:a", "jti": "1" }))
            } else {
                Err(JwsError::OtherKid)
            };
            assert_eq!(verify(key, &good_token(signer)), expected);
        }
    }
}
