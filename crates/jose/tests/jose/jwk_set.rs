//! Which keys of a set are used, which are passed over, and which sets are refused as a whole.

use aws_lc_rs::digest;
use claviger_jose::{Jwk, JwkSet, NumericDate, PublicKey, base64url};
use claviger_testkit::TestKey;
use serde_json::{Value, json};

fn verdict(document: &str) -> String {
    match JwkSet::parse(document.as_bytes()) {
        Err(refused) => format!("set refused: {refused:?}"),
        Ok(set) => match (set.keys(), set.skipped()) {
            ([_], []) => "used".to_owned(),
            ([], [why]) => format!("skipped: {why:?}"),
            (used, skipped) => format!("{} used, {} skipped", used.len(), skipped.len()),
        },
    }
}

/// The verdict on a set of this one key.
#[track_caller]
fn check(key: &Value, expected: &str) {
    let document = json!({ "keys": [key] }).to_string();
    assert_eq!(verdict(&document), expected, "{}", &document[..document.len().min(400)]);
}

/// The verdict on a good key with one member set to another value, which its kid still names.
#[track_caller]
fn check_member(key: &TestKey, name: &str, value: Value, expected: &str) {
    let mut jwk = json!(key.jwk());
    jwk[name] = value;
    jwk["kid"] = thumbprint(&jwk).into();
    check(&jwk, expected);
}

/// RFC 7638 written down once more: nothing is skipped only because its kid is wrong.
fn thumbprint(jwk: &Value) -> String {
    let members: &[&str] = if jwk["kty"] == "RSA" { &["e", "kty", "n"] } else { &["crv", "kty", "x", "y"] };
    let members: Vec<_> = members.iter().map(|name| format!("\"{name}\":{}", jwk[name])).collect();
    let json = format!("{{{}}}", members.join(","));
    base64url::encode(digest::digest(&digest::SHA256, json.as_bytes()).as_ref())
}

fn number(bytes: &[u8]) -> Value {
    base64url::encode(bytes).into()
}

/// An odd number of this many bits.
fn modulus(bits: usize) -> Value {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] >>= bytes.len() * 8 - bits;
    number(&bytes)
}

// S-41
#[test]
fn the_end_of_a_keys_time_to_sign_is_read_or_the_key_is_not_used() {
    let jwk = TestKey::es256().jwk().clone().signing_until(NumericDate::from_secs(1_800_000_000));
    let set = JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    let key = set.keys()[0].verifying_key().unwrap();
    assert_eq!(key.sign_until(), Some(NumericDate::from_secs(1_800_000_000)));
    for value in [json!("1800000000"), json!(-1), json!(1.5), Value::Null] {
        let mut jwk = json!(TestKey::es256().jwk());
        jwk["sign_until"] = value;
        check(&jwk, "skipped: Malformed");
    }
}

// S-26
#[test]
fn good_keys_are_used() {
    for key in [TestKey::es256(), TestKey::rs256()] {
        check(&json!(key.jwk()), "used");
        for name in ["use", "alg", "unknown"] {
            let mut jwk = json!(key.jwk());
            jwk.as_object_mut().unwrap().remove(name);
            check(&jwk, "used");
        }
        check_member(key, "key_ops", json!(["verify"]), "used");
        check_member(key, "x5c", json!(["MIIB"]), "used");
        check_member(key, "unknown", json!({ "a": [1] }), "used");
        let set = JwkSet::parse(json!({ "keys": [key.jwk()], "more": 1 }).to_string().as_bytes()).unwrap();
        assert_eq!(set.keys(), [key.jwk().clone()]);
    }
    assert_eq!(verdict(&json!({ "keys": [] }).to_string()), "0 used, 0 skipped");
}

// S-26
#[test]
fn a_kid_is_the_thumbprint() {
    for (key, other) in [(TestKey::es256(), TestKey::es256_other()), (TestKey::rs256(), TestKey::es256())] {
        let with_kid = |kid: Value| {
            let mut jwk = json!(key.jwk());
            jwk["kid"] = kid;
            jwk
        };
        check(&with_kid(json!(other.kid())), "skipped: OtherKid");
        check(&with_kid(json!("1")), "skipped: OtherKid");
        check(&with_kid(json!("")), "skipped: OtherKid");
        check(&with_kid(json!(key.kid().as_str().to_lowercase())), "skipped: OtherKid");
        check(&with_kid(json!(format!("{}=", key.kid()))), "skipped: OtherKid");
        check(&with_kid(json!(1)), "skipped: Malformed");
        check(&with_kid(json!(null)), "skipped: Malformed");
        let mut nameless = with_kid(json!(null));
        nameless.as_object_mut().unwrap().remove("kid");
        check(&nameless, "skipped: Malformed");
    }
}

/// A second spelling of a key would be a second thumbprint of it.
// S-26 S-38
#[test]
fn a_key_has_no_leading_zeros() {
    let (n, e) = (vec![0xff; 256], vec![1, 0, 1]);
    let padded = |bytes: &[u8]| [&[0], bytes].concat();
    let made = |n: &[u8], e: &[u8]| Jwk::new(PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }).is_ok();
    assert!(made(&n, &e));
    assert!(!made(&padded(&n), &e));
    assert!(!made(&n, &padded(&e)));
}

/// The example of RFC 7638 section 3.1, whose kid is a date.
// S-26
#[test]
fn the_thumbprint_is_that_of_the_standard() {
    let mut jwk = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF\
              V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d\
              0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-c\
              sFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    check(&jwk, "skipped: OtherKid");
    jwk["kid"] = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".into();
    check(&jwk, "used");
    let set = JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    assert_eq!(set.keys()[0].kid().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

// S-26
#[test]
fn a_key_is_for_verifying_with_its_one_algorithm() {
    let (ec, rsa) = (TestKey::es256(), TestKey::rs256());
    for key in [ec, rsa] {
        for other in ["enc", "", "Sig", "sig ", "verify"] {
            check_member(key, "use", json!(other), "skipped: OtherUse");
        }
        for malformed in [json!(null), json!(["sig"]), json!(1)] {
            check_member(key, "use", malformed, "skipped: Malformed");
        }
        for other in [json!([]), json!(["sign"]), json!(["encrypt", "wrapKey"]), json!(["Verify"])] {
            check_member(key, "key_ops", other, "skipped: OtherUse");
        }
        for malformed in [
            json!(["verify", "verify"]),
            json!(["a", "verify", "a"]),
            json!(["verify", 1]),
            json!("verify"),
            json!(null),
            json!({ "verify": true }),
        ] {
            check_member(key, "key_ops", malformed, "skipped: Malformed");
        }
        for other in ["PS256", "RS512", "RS384", "ES384", "HS256", "none", "RSA-OAEP", "rs256", "es256", ""] {
            check_member(key, "alg", json!(other), "skipped: OtherAlgorithm");
        }
        check_member(key, "alg", json!(null), "skipped: Malformed");
    }
    check_member(ec, "alg", json!("RS256"), "skipped: OtherAlgorithm");
    check_member(rsa, "alg", json!("ES256"), "skipped: OtherAlgorithm");
}

// S-26
#[test]
fn an_rsa_key_is_of_a_sane_size_and_exponent() {
    let key = TestKey::rs256();
    for bits in [2048, 2049, 3072, 4096, 8192] {
        check_member(key, "n", modulus(bits), "used");
    }
    for bits in [1, 8, 512, 1024, 2040, 2047, 8193, 16384] {
        check_member(key, "n", modulus(bits), "skipped: InvalidKey");
    }
    check_member(key, "n", number(&[[0xff; 255].as_slice(), &[0xfe]].concat()), "skipped: InvalidKey");
    check_member(key, "n", number(&[[0].as_slice(), &[0xff; 256]].concat()), "skipped: InvalidKey");
    check_member(key, "n", json!(""), "skipped: InvalidKey");
    for exponent in [&[1, 0, 1][..], &[1, 0, 3], &[0xff, 0xff, 0xff], &[1, 0xff, 0xff, 0xff, 0xff]] {
        check_member(key, "e", number(exponent), "used");
    }
    for exponent in [
        &[][..],
        &[0],
        &[1],
        &[3],
        &[17],
        &[0xff, 0xff],
        &[1, 0, 0],
        &[1, 0, 2],
        &[0, 1, 0, 1],
        &[2, 0, 0, 0, 1],
        &[0xff; 8],
        &[0xff; 9],
        &[1, 0, 0, 0, 0, 0, 0, 0, 1],
    ] {
        check_member(key, "e", number(exponent), "skipped: InvalidKey");
    }
    for malformed in [json!(65537), json!(null), json!("AQAB="), json!("AQ AB"), json!("+/AB"), json!("AQB")]
    {
        check_member(key, "e", malformed, "skipped: Malformed");
    }
}

// S-26
#[test]
fn an_ec_key_is_a_point_of_its_curve() {
    let key = TestKey::es256();
    let jwk = json!(key.jwk());
    let coordinate = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
    let (x, y) = (coordinate("x"), coordinate("y"));
    let mut off = y.clone();
    off[31] ^= 1;
    check_member(key, "y", number(&off), "skipped: InvalidKey");
    check_member(key, "y", number(&x), "skipped: InvalidKey");
    check_member(key, "x", number(&[0; 32]), "skipped: InvalidKey");
    check_member(key, "x", number(&[0xff; 32]), "skipped: InvalidKey");
    for length in [0, 1, 31] {
        check_member(key, "x", number(&x[..length]), "skipped: Malformed");
        check_member(key, "y", number(&y[..length]), "skipped: Malformed");
    }
    check_member(key, "x", number(&[&[0], &x[..]].concat()), "skipped: Malformed");
    check_member(key, "y", number(&[&y[..], &[0]].concat()), "skipped: Malformed");
    for malformed in [json!(null), json!(1), json!(format!("{}=", jwk["y"].as_str().unwrap()))] {
        check_member(key, "y", malformed, "skipped: Malformed");
    }
    for curve in ["P-384", "P-521", "secp256k1", "Ed25519", "p-256", ""] {
        check_member(key, "crv", json!(curve), "skipped: UnknownType");
    }
    check_member(key, "crv", json!(256), "skipped: Malformed");
}

// S-26
#[test]
fn a_key_of_another_kind_is_passed_over() {
    for kty in ["OKP", "AKP", "rsa", "ec", ""] {
        check(&json!({ "kty": kty, "kid": "a", "crv": "Ed25519", "x": "AA" }), "skipped: UnknownType");
    }
    for malformed in [json!({}), json!({ "kty": null }), json!({ "kty": 1 }), json!({ "kty": ["RSA"] })] {
        check(&malformed, "skipped: Malformed");
    }
    check(&json!({ "kty": "RSA" }), "skipped: Malformed");
    check(&json!({ "kty": "EC", "crv": "P-256" }), "skipped: Malformed");
    check_member(TestKey::es256(), "kty", json!("RSA"), "skipped: Malformed");
    let mixed = json!({ "keys": [{ "kty": "OKP" }, TestKey::es256().jwk(), {}, TestKey::rs256().jwk()] });
    assert_eq!(verdict(&mixed.to_string()), "2 used, 2 skipped");
}

// S-26 S-52
#[test]
fn a_set_with_a_secret_in_it_is_refused() {
    check(&json!({ "kty": "oct", "k": "AA" }), "set refused: PrivateKey");
    check(&json!({ "kty": "oct" }), "set refused: PrivateKey");
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for key in [TestKey::es256(), TestKey::rs256()] {
            check_member(key, name, json!("AA"), "set refused: PrivateKey");
            check_member(key, name, json!(null), "set refused: PrivateKey");
        }
        check(&json!({ "kty": "OKP", name: "AA" }), "set refused: PrivateKey");
        let beside = json!({ "keys": [TestKey::es256().jwk(), { "kty": "RSA", name: "AA" }] });
        assert_eq!(verdict(&beside.to_string()), "set refused: PrivateKey");
    }
}

// S-26
#[test]
fn two_keys_with_one_kid_are_a_set_that_nobody_can_read() {
    let set = |other: Value| verdict(&json!({ "keys": [TestKey::es256().jwk(), other] }).to_string());
    assert_eq!(set(json!(TestKey::es256().jwk())), "set refused: DuplicateKid");
    let kid = TestKey::es256().kid();
    assert_eq!(
        set(json!({ "kty": "OKP", "kid": kid })),
        "set refused: DuplicateKid",
        "whatever the other is"
    );
    assert_eq!(set(json!(TestKey::es256_other().jwk())), "2 used, 0 skipped");
    assert_eq!(set(json!({ "kty": "OKP" })), "1 used, 1 skipped", "no kid is not the same kid");
}

// S-24 S-26
#[test]
fn a_set_is_bounded() {
    let set = |count: usize| verdict(&json!({ "keys": vec![json!({ "kty": "OKP" }); count] }).to_string());
    assert_eq!(set(32), "0 used, 32 skipped");
    assert_eq!(set(33), "set refused: TooManyKeys");
    let deep = format!(r#"{{"keys":[],"a":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(verdict(&deep), "set refused: Malformed");
}

// S-7 S-26
#[test]
fn a_set_is_one_unambiguous_object() {
    let key = json!(TestKey::es256().jwk()).to_string();
    let members = &key[1..key.len() - 1];
    for document in [
        "",
        " ",
        "null",
        "[]",
        "\"keys\"",
        "{}",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[null]}"#,
        r#"{"keys":[[]]}"#,
        r#"{"Keys":[]}"#,
        r#"{"keys":[]} {}"#,
        r#"{"keys":[],}"#,
        r#"{"keys":[]"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[],"\u006beys":[]}"#,
        "\u{feff}{\"keys\":[]}",
        "<!DOCTYPE html>",
        &format!("[{key}]"),
        &key,
        &format!(r#"{{"keys":[{{{members},"use":"sig"}}]}}"#),
        &format!(r#"{{"keys":[{{{members},"a":{{"b":1,"b":1}}}}]}}"#),
    ] {
        assert_eq!(verdict(document), "set refused: Malformed", "{document}");
    }
    assert_eq!(verdict(&format!(" {{\"keys\" : [{key}]}}\r\n")), "used");
}
