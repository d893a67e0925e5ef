//! Proofs of possession: a JWS that brings its own key, each one truly signed.

use claviger_jose::{Algorithm, JwsError, Kid, Payload, Typ, UnverifiedJws, UnverifiedProof, base64url};
use claviger_testkit::TestKey;
use serde_json::{Map, Value, json};

use crate::{good_token, signature_of, with_signature};

const KEYS: [fn() -> &'static TestKey; 2] = [TestKey::es256, TestKey::rs256];

#[derive(Debug, serde::Deserialize)]
struct Proof(Map<String, Value>);

impl Payload for Proof {
    const TYP: Typ = Typ::DpopJwt;
}

fn verify(proof: &str) -> Result<(Value, Kid), JwsError> {
    let (proof, thumbprint) = UnverifiedProof::parse(proof)?.verify::<Proof>()?;
    Ok((Value::Object(proof.into_inner().0), thumbprint))
}

fn header_of(key: &TestKey) -> Value {
    let mut jwk = json!(key.jwk());
    for name in ["use", "alg", "kid"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    json!({ "alg": key.alg(), "typ": "dpop+jwt", "jwk": jwk })
}

#[track_caller]
fn check(key: &TestKey, header: &Value, expected: Result<(), JwsError>) {
    assert_eq!(verify(&key.jws(header, r#"{"jti":"1"}"#)).map(drop), expected, "{header}");
}

/// A good header with one member set to another value.
#[track_caller]
fn check_member(name: &str, value: &Value, expected: Result<(), JwsError>) {
    for key in KEYS {
        let mut header = header_of(key());
        header[name] = value.clone();
        check(key(), &header, expected);
    }
}

/// A good key with one member set to another value.
#[track_caller]
fn check_key_member(name: &str, value: &Value, expected: Result<(), JwsError>) {
    for key in KEYS {
        let mut header = header_of(key());
        header["jwk"][name] = value.clone();
        check(key(), &header, expected);
    }
}

#[test]
fn a_good_proof_tells_the_thumbprint_of_its_key() {
    for key in [TestKey::es256(), TestKey::rs256(), TestKey::es256_other(), TestKey::rs256_other()] {
        let proof = key.jws(header_of(key), r#"{"jti":"1"}"#);
        assert_eq!(verify(&proof), Ok((json!({ "jti": "1" }), *key.kid())));
    }
    check_key_member("kid", &json!("of no importance"), Ok(()));
    check_key_member("use", &json!("sig"), Ok(()));
    check_key_member("key_ops", &json!(["verify"]), Ok(()));
    check_key_member("ext", &json!(true), Ok(()));
    check_member("kid", &json!("of no importance"), Ok(()));
    check_member("typ", &json!("application/DPoP+JWT"), Ok(()));
}

// S-17
#[test]
fn a_proof_is_of_its_own_kind() {
    for typ in ["at+jwt", "JWT", "dpop", "dpop+jwt ", "", "dpop+jws"] {
        check_member("typ", &json!(typ), Err(JwsError::Typ));
    }
    check_member("typ", &json!(null), Err(JwsError::MalformedHeader));
    for key in KEYS {
        let mut header = header_of(key());
        header.as_object_mut().unwrap().remove("typ");
        check(key(), &header, Err(JwsError::MalformedHeader));
        // Neither passes for the other.
        assert_eq!(verify(&good_token(key())).unwrap_err(), JwsError::ProofKey);
        let proof = key().jws(header_of(key()), "{}");
        assert_eq!(UnverifiedJws::parse(&proof).unwrap_err(), JwsError::EmbeddedKey);
    }
}

// S-17
#[test]
fn the_key_of_a_proof_is_public() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        check_key_member(name, &json!("AQAB"), Err(JwsError::PrivateKey));
        check_key_member(name, &json!(null), Err(JwsError::PrivateKey));
    }
    check_key_member("kty", &json!("oct"), Err(JwsError::PrivateKey));
    check_member("jwk", &json!({ "kty": "oct", "k": "AQAB" }), Err(JwsError::PrivateKey));
}

// S-1 S-17
#[test]
fn the_algorithm_of_a_proof_is_asymmetric_and_goes_with_the_key() {
    for alg in ["none", "HS256", "HS512", "PS256", "ES384", "EdDSA", "rs256", ""] {
        check_member("alg", &json!(alg), Err(JwsError::Algorithm));
    }
    check_member("alg", &json!(null), Err(JwsError::MalformedHeader));
    for key in KEYS {
        let other = Algorithm::ALL.into_iter().find(|alg| *alg != key().alg()).unwrap();
        let mut header = header_of(key());
        header["alg"] = json!(other);
        check(key(), &header, Err(JwsError::Algorithm));
    }
    check_key_member("alg", &json!("HS256"), Err(JwsError::ProofKey));
}

// S-17
#[test]
fn a_key_that_is_none_proves_nothing() {
    for value in [json!([]), json!("key"), json!(1)] {
        check_member("jwk", &value, Err(JwsError::MalformedHeader));
    }
    let okp = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" });
    for jwk in [json!(null), json!({}), json!({ "kty": "RSA" }), okp] {
        check_member("jwk", &jwk, Err(JwsError::ProofKey));
    }
    for name in ["use", "key_ops"] {
        let wrong = if name == "use" { json!("enc") } else { json!(["sign"]) };
        check_key_member(name, &wrong, Err(JwsError::ProofKey));
    }
    let rsa = |member: &str, bytes: &[u8]| {
        let mut header = header_of(TestKey::rs256());
        header["jwk"][member] = base64url::encode(bytes).into();
        check(TestKey::rs256(), &header, Err(JwsError::ProofKey));
    };
    rsa("n", &[0xFF; 128]);
    rsa("n", &[0xFF; 1025]);
    rsa("e", &[3]);
    rsa("e", &[1]);
    let mut header = header_of(TestKey::es256());
    header["jwk"]["y"] = base64url::encode(&[7; 32]).into();
    check(TestKey::es256(), &header, Err(JwsError::ProofKey));
}

// S-3 S-17
#[test]
fn a_proof_brings_its_key_in_one_way_and_no_extension() {
    for name in ["jku", "x5u", "x5c", "x5t", "x5t#S256"] {
        check_member(name, &json!("https://evil.test/keys"), Err(JwsError::EmbeddedKey));
        check_member(name, &json!(null), Err(JwsError::EmbeddedKey));
    }
    for name in ["crit", "b64"] {
        check_member(name, &json!(["exp"]), Err(JwsError::CriticalExtension));
    }
    check_member("kid", &json!(1), Err(JwsError::MalformedHeader));
    let key = TestKey::es256();
    let good = header_of(key).to_string();
    let twice = good.replacen('{', r#"{"typ":"dpop+jwt","#, 1);
    assert_eq!(verify(&key.jws(&twice, "{}")).unwrap_err(), JwsError::MalformedHeader);
    let key_twice = good.replace(r#""jwk":{"#, r#""jwk":{"kty":"EC","#);
    assert_ne!(good, key_twice);
    assert_eq!(verify(&key.jws(&key_twice, "{}")).unwrap_err(), JwsError::MalformedHeader);
}

// S-9 S-17
#[test]
fn a_proof_is_signed_by_the_key_that_it_brings() {
    for (key, other) in
        [(TestKey::es256(), TestKey::es256_other()), (TestKey::rs256(), TestKey::rs256_other())]
    {
        let foreign = other.jws(header_of(key), "{}");
        assert_eq!(verify(&foreign).unwrap_err(), JwsError::Signature);
        let good = key.jws(header_of(key), "{}");
        let mut signature = signature_of(&good);
        signature[20] ^= 1;
        assert_eq!(verify(&with_signature(&good, &signature)).unwrap_err(), JwsError::Signature);
        assert_eq!(verify(&with_signature(&good, &[])).unwrap_err(), JwsError::MalformedCompact);
        assert_eq!(verify(&format!("{good}=")).unwrap_err(), JwsError::MalformedCompact);
        let ambiguous = key.jws(header_of(key), r#"{"jti":"1","jti":"2"}"#);
        assert_eq!(verify(&ambiguous).unwrap_err(), JwsError::MalformedPayload);
        assert_eq!(verify(&key.jws(header_of(key), "[]")).unwrap_err(), JwsError::MalformedPayload);
    }
}

// S-12
#[test]
fn the_size_of_a_proof_is_bounded() {
    let key = TestKey::es256();
    let mut header = header_of(key);
    header["padding"] = "a".repeat(1500).into();
    assert_eq!(verify(&key.jws(&header, "{}")).unwrap_err(), JwsError::TooLong);
    let payload = json!({ "htu": "a".repeat(8000) }).to_string();
    assert_eq!(verify(&key.jws(header_of(key), &payload)).unwrap_err(), JwsError::TooLong);
    for text in ["", ".", "..", "...", "a.b", "a.b.c.d", "{}"] {
        assert!(UnverifiedProof::parse(text).is_err(), "{text}");
    }
}
