use claviger_jose::{HeaderRules, JwsError, Typ, UnverifiedJws, VerifiedPayload, base64url};
use claviger_testkit::TestKey;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A payload that may be any object.
#[derive(Debug, Deserialize)]
pub(crate) struct Object(pub(crate) Map<String, Value>);

/// The rules of this house, and the widest that there are for another.
pub(crate) fn rules(foreign: bool) -> HeaderRules {
    if foreign {
        HeaderRules::foreign([Typ::AtJwt, Typ::Jwt]).or_untyped()
    } else {
        HeaderRules::of(Typ::AtJwt)
    }
}

/// What a verifier that holds this key makes of a token: its payload, not read yet.
pub(crate) fn verify(key: &TestKey, rules: &HeaderRules, token: &str) -> Result<VerifiedPayload, JwsError> {
    let jws = UnverifiedJws::parse(token)?;
    let key = key.jwk().verifying_key().expect("the embedded key can be prepared");
    key.verify_payload(&jws, rules)
}

/// The header of a good access token of this key.
pub(crate) fn header_of(key: &TestKey) -> Value {
    json!({ "alg": key.alg(), "kid": key.kid(), "typ": "at+jwt" })
}

/// A token of any bytes whose signature is right.
pub(crate) fn sign(key: &TestKey, header: &[u8], payload: &[u8]) -> String {
    let mut token = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let signature = key.sign(token.as_bytes());
    token.push('.');
    base64url::encode_into(&signature, &mut token);
    token
}
