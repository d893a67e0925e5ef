//! What a signing key signs: read by our own verifier, and by a second opinion.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use claviger_jose::{Algorithm, JwkSet, JwsError, Payload, Typ, UnverifiedJws, base64url};
use claviger_keyring::{SignError, Signer, SigningKey, generate, rand_core::OsRng};
use jsonwebtoken::{DecodingKey, Validation, jwk};
use serde_json::{Map, Value, json};

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Claims(Map<String, Value>);

impl Payload for Claims {
    const TYP: Typ = Typ::AtJwt;
}

fn new_key(alg: Algorithm) -> SigningKey {
    generate(alg, &mut OsRng).expect("the system has randomness").1
}

/// What a verifier that has fetched the published set makes of a token.
fn ours(key: &SigningKey, token: &str) -> Result<Value, JwsError> {
    let set = JwkSet::parse(json!({ "keys": [key.jwk()] }).to_string().as_bytes());
    let set = set.expect("a published key is a set of one");
    let verifying = set.keys()[0].verifying_key().expect("a published key can be prepared");
    let claims = verifying.verify::<Claims>(&UnverifiedJws::parse(token)?)?;
    Ok(Value::Object(claims.into_inner().0))
}

fn theirs(key: &SigningKey, token: &str) -> jsonwebtoken::errors::Result<Value> {
    let jwk: jwk::Jwk = serde_json::from_value(json!(key.jwk()))?;
    let mut validation = Validation::new(match key.alg() {
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
    });
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let data = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&jwk)?, &validation)?;
    assert_eq!(data.header.kid.as_deref(), Some(key.kid().as_str()));
    assert_eq!(data.header.typ.as_deref(), Some("at+jwt"));
    Ok(data.claims)
}

// S-39
#[test]
fn what_is_signed_verifies_here_and_at_a_second_implementation() {
    for alg in Algorithm::ALL {
        let (key, other) = (new_key(alg), new_key(alg));
        for claims in
            [json!({}), json!({ "sub": "user:\u{e9}\u{1F511}\"", "aud": ["a"], "n": [1, -1, 0.5, null] })]
        {
            let token = key.sign(Typ::AtJwt, &claims).unwrap();
            assert_eq!(ours(&key, &token).unwrap(), claims);
            assert_eq!(theirs(&key, &token).unwrap(), claims);
            assert_eq!(ours(&other, &token), Err(JwsError::OtherKid));
            assert!(theirs(&other, &token).is_err());
        }
    }
}

// S-3 S-4
#[test]
fn a_header_says_what_it_must_and_no_more() {
    for alg in Algorithm::ALL {
        let key = new_key(alg);
        let token = key.sign(Typ::AtJwt, &json!({})).unwrap();
        let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({ "typ": "at+jwt", "alg": alg, "kid": key.kid() }));
    }
}

// S-52
#[test]
fn the_public_half_has_no_private_member() {
    for alg in Algorithm::ALL {
        let jwk = json!(new_key(alg).jwk());
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(jwk.get(name), None, "{alg} {name}");
        }
    }
}

#[test]
fn claims_that_cannot_be_written_are_an_error() {
    let key = new_key(Algorithm::Es256);
    let no_json = std::collections::HashMap::from([([1, 2], "a name must be text")]);
    assert!(key.sign(Typ::AtJwt, &no_json).is_err());
}

/// The keeper of a key: answers with the signatures of the key itself, spoiled in one place, in turn in every one.
#[derive(Debug)]
struct Keeper {
    key: SigningKey,
    spoiled: bool,
    asked: AtomicUsize,
}

impl Signer for Keeper {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        // The key signs only tokens of its own making: the one that it makes of these claims is the message.
        let claims = message.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
        let claims = base64url::decode(str::from_utf8(claims).unwrap_or_default()).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&claims).map_err(SignError::Claims)?;
        let token = self.key.sign(Typ::AtJwt, &claims)?;
        let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
        assert_eq!(signed.as_bytes(), message);
        let mut signature = base64url::decode(signature).unwrap_or_default();
        let position = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.spoiled {
            signature[position / 8] ^= 1 << (position % 8);
        }
        Ok(signature)
    }
}

fn kept_elsewhere(alg: Algorithm, spoiled: bool) -> SigningKey {
    let key = new_key(alg);
    let jwk = key.jwk().clone();
    let keeper = Keeper { key, spoiled, asked: AtomicUsize::new(0) };
    SigningKey::external(jwk, Arc::new(keeper)).expect("a public key that verifies")
}

// S-54
#[test]
fn a_key_that_is_kept_elsewhere_signs_like_one_that_is_here() {
    for alg in Algorithm::ALL {
        let key = kept_elsewhere(alg, false);
        assert!(key.is_external() && !new_key(alg).is_external());
        key.test().unwrap();
        let token = key.sign(Typ::AtJwt, &json!({ "sub": "a" })).unwrap();
        assert_eq!(ours(&key, &token).unwrap(), json!({ "sub": "a" }));
    }
}

// S-39 S-54
#[test]
fn no_signature_with_one_bit_changed_leaves() {
    for (alg, bits) in [(Algorithm::Es256, 512), (Algorithm::Rs256, 2048)] {
        let key = kept_elsewhere(alg, true);
        for bit in 0..bits {
            let signed = key.sign(Typ::AtJwt, &json!({}));
            assert!(matches!(signed, Err(SignError::Wrong)), "{alg} bit {bit}");
        }
    }
}
