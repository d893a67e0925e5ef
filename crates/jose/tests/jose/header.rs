//! The protected header: what a token may say about itself, each truly signed.

use std::fmt::Display;

use claviger_jose::JwsError;
use claviger_testkit::TestKey;
use serde_json::{Value, json};

use crate::{header_of, verify};

const KEYS: [fn() -> &'static TestKey; 2] = [TestKey::es256, TestKey::rs256];

#[track_caller]
fn check(key: &TestKey, header: impl Display, expected: Result<(), JwsError>) {
    let shown = header.to_string();
    assert_eq!(verify(key, &key.jws(header, "{}")).map(drop), expected, "{shown}");
}

/// A good header with one member set to another value.
#[track_caller]
fn check_member(name: &str, value: &Value, expected: Result<(), JwsError>) {
    for key in KEYS {
        let mut header = header_of(key());
        header[name] = value.clone();
        check(key(), header, expected);
    }
}

// S-1
#[test]
fn the_header_does_not_choose_the_algorithm() {
    for alg in [
        "none",
        "None",
        "noNE",
        "NONE",
        "",
        "HS256",
        "hs256",
        "HS384",
        "HS512",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "ML-DSA-44",
        "RSA-OAEP",
        "dir",
        "rs256",
        "es256",
        "RS256 ",
        " ES256",
        "RS256\0",
    ] {
        check_member("alg", &json!(alg), Err(JwsError::Algorithm));
    }
    for alg in [json!(null), json!(1), json!(["ES256"]), json!({ "alg": "ES256" }), json!(true)] {
        check_member("alg", &alg, Err(JwsError::MalformedHeader));
    }
    for (key, other) in [(TestKey::es256(), "RS256"), (TestKey::rs256(), "ES256")] {
        check(key, json!({ "alg": other, "kid": key.kid(), "typ": "at+jwt" }), Err(JwsError::Algorithm));
        check(key, json!({ "kid": key.kid(), "typ": "at+jwt" }), Err(JwsError::MalformedHeader));
    }
}

// S-2
#[test]
fn an_extension_is_refused_in_any_form() {
    for crit in [
        json!([]),
        json!(["exp"]),
        json!(["b64"]),
        json!("exp"),
        json!(null),
        json!({}),
        json!(false),
        json!(0),
    ] {
        check_member("crit", &crit, Err(JwsError::CriticalExtension));
    }
    for b64 in [json!(false), json!(true), json!(null)] {
        check_member("b64", &b64, Err(JwsError::CriticalExtension));
    }
    for key in KEYS.map(|key| key()) {
        let mut header = header_of(key);
        header["crit"] = json!(["b64"]);
        header["b64"] = json!(false);
        check(key, &header, Err(JwsError::CriticalExtension));
        let escaped = header_of(key).to_string().replace('{', r#"{"\u0063rit":["exp"],"#);
        check(key, escaped, Err(JwsError::CriticalExtension));
    }
}

// S-3
#[test]
fn a_token_brings_no_key_and_names_no_place_to_fetch_one() {
    let jwk = json!(TestKey::es256_other().jwk());
    for name in ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"] {
        for value in
            [json!("https://attacker.test/keys"), jwk.clone(), json!(["MIIB"]), json!(null), json!("")]
        {
            check_member(name, &value, Err(JwsError::EmbeddedKey));
        }
    }
}

// S-4
#[test]
fn a_token_says_of_what_kind_it_is() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        check_member("typ", &json!(typ), Ok(()));
    }
    for typ in [
        "",
        "JWT",
        "jwt",
        "at",
        "at+jwt ",
        " at+jwt",
        "at+jwt\0",
        "at+jwt;v=1",
        "at-jwt",
        "application/",
        "application/JWT",
        "application/application/at+jwt",
        "text/at+jwt",
        "applicatiom/at+jwt",
        "audio/vnd.a;at+jwt",
        "/at+jwt",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "revocations+jwt",
        "secevent+jwt",
        "applicatio\u{f1}/at+jwt",
        "\u{e4}t+jwt",
    ] {
        check_member("typ", &json!(typ), Err(JwsError::Typ));
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"]), json!({})] {
        check_member("typ", &typ, Err(JwsError::MalformedHeader));
    }
    for key in KEYS.map(|key| key()) {
        check(key, json!({ "alg": key.alg(), "kid": key.kid() }), Err(JwsError::Typ));
    }
}

// S-1 S-12
#[test]
fn a_kid_is_a_thumbprint_and_the_one_of_the_key() {
    let long = "a".repeat(500);
    for kid in ["", "1", "../../etc/passwd", "' OR 1=1 --", &"a".repeat(42), &"a".repeat(44), &long] {
        check_member("kid", &json!(kid), Err(JwsError::MalformedKid));
    }
    for other in ["=", "+", "/", ".", " ", "\0"] {
        check_member("kid", &json!(format!("{}{other}", "a".repeat(42))), Err(JwsError::MalformedKid));
    }
    check_member("kid", &json!("\u{e9}".repeat(21) + "a"), Err(JwsError::MalformedKid));
    check_member("kid", &json!(TestKey::es256_other().kid()), Err(JwsError::OtherKid));
    for kid in [json!(null), json!(1), json!(["a"]), json!({})] {
        check_member("kid", &kid, Err(JwsError::MalformedHeader));
    }
    for key in KEYS.map(|key| key()) {
        check(key, json!({ "alg": key.alg(), "typ": "at+jwt" }), Err(JwsError::NoKid));
    }
}

// S-7
#[test]
fn a_header_is_one_unambiguous_object() {
    for key in KEYS.map(|key| key()) {
        let good = header_of(key).to_string();
        let members = &good[1..good.len() - 1];
        let (alg, kid) = (key.alg(), key.kid());
        for header in [
            String::new(),
            " ".to_owned(),
            "null".to_owned(),
            "[]".to_owned(),
            "{not json".to_owned(),
            format!(r#"["{alg}","{kid}","at+jwt"]"#),
            format!("[{good}]"),
            format!("{good}{good}"),
            format!("{good} x"),
            format!("{good}\0"),
            format!("\u{feff}{good}"),
            good[..good.len() - 1].to_owned(),
            format!("{{{members},}}"),
            format!("{{{members},'a':1}}"),
            format!(r#"{{{members},"alg":"none"}}"#),
            format!(r#"{{"alg":"none",{members}}}"#),
            format!(r#"{{{members},"\u0061lg":"{alg}"}}"#),
            format!(r#"{{{members},"kid":"{kid}"}}"#),
            format!(r#"{{{members},"typ":"at+jwt"}}"#),
            format!(r#"{{{members},"a":1,"a":1}}"#),
            format!(r#"{{{members},"a":{{"b":1,"b":1}}}}"#),
            format!(r#"{{{members},"a":{}1{}}}"#, "[".repeat(8), "]".repeat(8)),
        ] {
            check(key, header, Err(JwsError::MalformedHeader));
        }
        check(key, format!(" {{ {members},\n\"a\":{}1{} }}\r\n", "[".repeat(7), "]".repeat(7)), Ok(()));
        check(key, good.replace("alg", r"\u0061lg"), Ok(()));
    }
}

#[test]
fn a_member_that_says_nothing_to_us_is_ignored() {
    for (name, value) in
        [("cty", json!("JWT")), ("a", json!([{ "b": null }])), ("zip", json!("DEF")), ("Crit", json!([]))]
    {
        check_member(name, &value, Ok(()));
    }
}
