//! What jsonwebtoken lets through and what it does of its own accord: why it signs and gives second
//! opinions here, and does not verify. A fact that changes with an upgrade is a reason to read the
//! list again, not a fault.

use claviger_jose::JwkSet;
use claviger_testkit::TestKey;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind, jwk,
};
use serde_json::{Value, json};

use crate::header_of;

/// The year 9999.
const LATEST: u64 = 253_402_300_799;
const ISSUER: &str = "https://id.example.test";
const ORDERS: &str = "https://orders.fleet.test";

fn decoding_key(key: &TestKey) -> DecodingKey {
    let jwk: jwk::Jwk = serde_json::from_value(json!(key.jwk())).unwrap();
    DecodingKey::from_jwk(&jwk).unwrap()
}

/// As careful as its documentation suggests: one algorithm, one audience, one issuer.
fn careful() -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[ORDERS]);
    validation.set_issuer(&[ISSUER]);
    validation
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": ORDERS, "exp": LATEST, "iat": 0, "sub": "client:a" })
}

fn decoded(validation: &Validation, header: &Value, payload: &str) -> Result<Value, ErrorKind> {
    let key = TestKey::es256();
    let token = key.jws(header, payload);
    decode::<Value>(&token, &decoding_key(key), validation)
        .map(|data| data.claims)
        .map_err(|error| error.kind().clone())
}

/// Whether a good token is accepted with one claim set to another value, or left out.
fn accepts_claim(name: &str, value: Option<Value>) -> bool {
    let mut claims = claims();
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    decoded(&careful(), &header_of(TestKey::es256()), &claims.to_string()).is_ok()
}

fn accepts_header(name: &str, value: Value) -> bool {
    let mut header = header_of(TestKey::es256());
    header[name] = value;
    decoded(&careful(), &header, &claims().to_string()).is_ok()
}

#[test]
fn it_ignores_crit_and_typ_and_kid_and_keys_in_the_header() {
    assert!(accepts_header("crit", json!(["exp"])));
    assert!(accepts_header("crit", json!(["b64"])) && accepts_header("b64", json!(false)));
    assert!(accepts_header("typ", json!("logout+jwt")) && accepts_header("typ", json!(null)));
    assert!(accepts_header("kid", json!("../../etc/passwd")) && accepts_header("kid", json!(null)));
    assert!(accepts_header("jku", json!("https://attacker.test")));
    assert!(accepts_header("jwk", json!(TestKey::es256_other().jwk())));
}

#[test]
fn it_accepts_an_absent_or_mistyped_audience_and_issuer_unless_they_are_required() {
    for name in ["aud", "iss"] {
        assert!(!accepts_claim(name, Some(json!("https://other.test"))), "only a wrong text is refused");
        assert!(accepts_claim(name, None));
        for mistyped in [json!(null), json!(1), json!(true), json!({ "a": ORDERS }), json!([1])] {
            assert!(accepts_claim(name, Some(mistyped)));
        }
    }
    let mut required = careful();
    required.set_required_spec_claims(&["exp", "aud", "iss"]);
    let header = header_of(TestKey::es256());
    let without = json!({ "exp": LATEST, "iss": ISSUER }).to_string();
    assert_eq!(decoded(&required, &header, &without), Err(ErrorKind::MissingRequiredClaim("aud".to_owned())));
}

#[test]
fn it_accepts_a_list_of_issuers_on_any_overlap() {
    assert!(accepts_claim("iss", Some(json!(["https://attacker.test", ISSUER]))));
}

#[test]
fn it_accepts_a_token_of_the_future_and_of_any_lifetime() {
    assert!(accepts_claim("nbf", Some(json!(LATEST - 1))));
    assert!(accepts_claim("iat", Some(json!(LATEST - 1))));
    assert!(accepts_claim("iat", Some(json!("yesterday"))));
}

#[test]
fn it_reads_the_wall_clock_itself_and_allows_a_minute() {
    assert!(!accepts_claim("exp", Some(json!(1))), "nobody told it the time");
    assert_eq!(careful().leeway, 60);
}

#[test]
fn it_skips_unknown_names_among_the_required_claims() {
    let mut validation = careful();
    validation.set_required_spec_claims(&["jti", "client_id", "iat"]);
    assert!(decoded(&validation, &header_of(TestKey::es256()), &claims().to_string()).is_ok());
}

#[test]
fn it_refuses_everything_when_the_algorithms_mix_families() {
    let mut validation = careful();
    validation.algorithms = vec![Algorithm::ES256, Algorithm::RS256];
    let refused = decoded(&validation, &header_of(TestKey::es256()), &claims().to_string());
    assert_eq!(refused, Err(ErrorKind::InvalidAlgorithm));
}

#[test]
fn it_reads_ambiguous_claims_and_claims_that_are_an_array() {
    let header = header_of(TestKey::es256());
    let ambiguous = r#"{"exp":253402300799,"role":"user","role":"admin"}"#;
    let mut lax = careful();
    lax.validate_aud = false;
    assert_eq!(decoded(&lax, &header, ambiguous).unwrap()["role"], "admin", "the last one wins");
    let array = json!([LATEST, 0, "client:a", ISSUER, ORDERS]).to_string();
    assert!(decoded(&careful(), &header, &array).is_ok());
}

#[test]
fn it_takes_a_key_that_is_for_encryption() {
    let mut jwk = json!(TestKey::es256().jwk());
    jwk["use"] = "enc".into();
    jwk["key_ops"] = json!(["encrypt"]);
    let parsed: jwk::Jwk = serde_json::from_value(jwk.clone()).unwrap();
    assert!(DecodingKey::from_jwk(&parsed).is_ok());
    assert!(JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap().keys().is_empty());
}

#[test]
fn it_takes_a_shared_secret_from_a_published_set() {
    let set = json!({ "keys": [{ "kty": "oct", "kid": "a", "alg": "HS256", "k": "c2VjcmV0" }] });
    let parsed: jwk::JwkSet = serde_json::from_value(set.clone()).unwrap();
    let key = DecodingKey::from_jwk(parsed.find("a").unwrap()).unwrap();
    let token = encode(&Header::default(), &claims(), &EncodingKey::from_secret(b"secret")).unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[ORDERS]);
    assert!(decode::<Value>(&token, &key, &validation).is_ok());
    assert!(JwkSet::parse(set.to_string().as_bytes()).is_err());
}

#[test]
fn it_takes_the_first_of_two_keys_with_one_kid_and_any_exponent() {
    let (mut first, mut second) = (json!(TestKey::rs256().jwk()), json!(TestKey::rs256_other().jwk()));
    first["e"] = "Aw".into();
    (first["kid"], second["kid"]) = ("a".into(), "a".into());
    let set: jwk::JwkSet = serde_json::from_value(json!({ "keys": [first, second] })).unwrap();
    let jwk::AlgorithmParameters::RSA(found) = &set.find("a").unwrap().algorithm else {
        panic!("an RSA key");
    };
    assert_eq!(found.e, "Aw");
    assert!(DecodingKey::from_jwk(set.find("a").unwrap()).is_ok());
}
