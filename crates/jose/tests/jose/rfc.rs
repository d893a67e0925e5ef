//! The examples of the standards. Most are older than the rules that we keep, and each is refused for the
//! rule that it breaks. That their signatures verify is tested beside the cryptography, where one can be
//! looked at alone.

use claviger_jose::{HeaderRules, JwkError, JwkSet, JwkSetError, JwsError, Typ, UnverifiedJws};
use serde_json::{Value, json};

const RFC7515_A2: &str = include_str!("../vectors/rfc7515_a2.json");
const RFC7515_A3: &str = include_str!("../vectors/rfc7515_a3.json");
const RFC7517_A1: &str = include_str!("../vectors/rfc7517_a1.json");
const RFC7517_A2: &str = include_str!("../vectors/rfc7517_a2.json");
const RFC7520_3_1: &str = include_str!("../vectors/rfc7520_3_1.json");
const RFC7520_4_1: &str = include_str!("../vectors/rfc7520_4_1.json");

fn read(example: &str) -> Value {
    serde_json::from_str(example).unwrap()
}

/// The public members of an example's key, under another name or none.
fn public(example: &Value, kid: Option<&str>) -> Value {
    let mut jwk = example["jwk"].clone();
    let members = jwk.as_object_mut().unwrap();
    members.retain(|name, _| ["kty", "crv", "x", "y", "n", "e", "use"].contains(&name.as_str()));
    members.extend(kid.map(|kid| ("kid".to_owned(), kid.into())));
    jwk
}

fn parse(keys: &[Value]) -> Result<JwkSet, JwkSetError> {
    JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

// S-26
#[test]
fn the_key_set_of_rfc7517_has_one_key_for_encryption_and_one_whose_name_is_a_date() {
    let set = JwkSet::parse(RFC7517_A1.as_bytes()).unwrap();
    assert_eq!(set.skipped(), [JwkError::OtherUse, JwkError::OtherKid]);
    assert!(set.keys().is_empty());
    let set = JwkSet::parse_foreign(RFC7517_A1.as_bytes()).unwrap();
    assert_eq!(set.skipped(), [JwkError::OtherUse]);
    assert_eq!(set.keys()[0].kid().as_str(), "2011-04-29");
}

// S-26 S-52
#[test]
fn the_private_key_set_of_rfc7517_is_refused_as_a_whole() {
    assert_eq!(JwkSet::parse(RFC7517_A2.as_bytes()).unwrap_err(), JwkSetError::PrivateKey);
}

/// The thumbprints were computed by another implementation.
// S-26
#[test]
fn the_keys_of_rfc7515_and_rfc7520_are_used_under_their_thumbprints() {
    for (example, kid, alg) in [
        (RFC7515_A2, "IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8", "RS256"),
        (RFC7515_A3, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U", "ES256"),
        (RFC7520_4_1, "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI", "RS256"),
    ] {
        let example = read(example);
        assert_eq!(parse(&[public(&example, None)]).unwrap().skipped(), [JwkError::Malformed], "no kid");
        let set = parse(&[public(&example, Some(kid))]).unwrap();
        let key = &set.keys()[0];
        assert_eq!((key.kid().as_str(), key.alg().as_str()), (kid, alg));
        if example["jwk"].get("d").is_some() {
            assert_eq!(parse(&[example["jwk"].clone()]).unwrap_err(), JwkSetError::PrivateKey);
        }
    }
    let p521 = parse(&[read(RFC7520_3_1)]).unwrap();
    assert_eq!(p521.skipped(), [JwkError::UnknownType], "a curve that we do not use");
}

// S-4
#[test]
fn the_tokens_of_rfc7515_name_no_key() {
    for example in [RFC7515_A2, RFC7515_A3] {
        let example = read(example);
        let refused = UnverifiedJws::parse(example["jws"].as_str().unwrap()).unwrap_err();
        assert_eq!(refused, JwsError::NoKid);
    }
}

/// Its payload is a line of Tolkien's: that it is no claims set is found out behind the signature.
// S-4
#[test]
fn the_token_of_rfc7520_verifies_by_the_widest_rules_alone() {
    let example = read(RFC7520_4_1);
    let set = json!({ "keys": [example["jwk"]] }).to_string();
    let key = JwkSet::parse_foreign(set.as_bytes()).unwrap().keys()[0].verifying_key().unwrap();
    let verdict = |token: &str, rules: HeaderRules| {
        key.verify_payload(&UnverifiedJws::parse(token).unwrap(), &rules).unwrap_err()
    };
    let token = example["jws"].as_str().unwrap();
    let untyped = HeaderRules::foreign([]).or_untyped();
    assert_eq!(verdict(token, untyped.clone()), JwsError::MalformedPayload);
    assert_eq!(verdict(&token.replacen(".SXTi", ".SXTj", 1), untyped), JwsError::Signature);
    assert_eq!(verdict(token, HeaderRules::foreign([Typ::Jwt])), JwsError::Typ);
    assert_eq!(verdict(token, HeaderRules::of(Typ::Jwt)), JwsError::MalformedKid);
}
