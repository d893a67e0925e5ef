//! Tokens and sets of issuers that are not of this house: what their rules widen, and what they do not.

use claviger_jose::{HeaderRules, JwkSet, JwsError, Kid, Typ, UnverifiedJws, VerifyingKey};
use claviger_testkit::TestKey;
use serde_json::{Value, json};

/// The key under another name.
fn named(key: &TestKey, kid: &str) -> Value {
    let mut jwk = json!(key.jwk());
    jwk["kid"] = kid.into();
    jwk
}

fn foreign_key(key: &TestKey, kid: &str) -> VerifyingKey {
    let set = JwkSet::parse_foreign(json!({ "keys": [named(key, kid)] }).to_string().as_bytes()).unwrap();
    set.keys()[0].verifying_key().unwrap()
}

fn check(rules: &HeaderRules, change: impl Fn(&mut Value), expected: Result<&str, JwsError>) {
    let key = TestKey::rs256();
    let mut header = json!({ "alg": "RS256", "kid": "key-1", "typ": "JWT" });
    change(&mut header);
    let token = key.jws(&header, r#"{"iss":"a"}"#);
    let verdict = UnverifiedJws::parse(&token)
        .and_then(|jws| foreign_key(key, "key-1").verify_payload(&jws, rules))
        .map(|payload| payload.as_str().to_owned());
    assert_eq!(verdict.as_deref().map_err(|error| *error), expected, "{header}");
}

const GOOD: Result<&str, JwsError> = Ok(r#"{"iss":"a"}"#);

// S-4
#[test]
fn each_kind_is_taken_only_by_the_rule_that_names_it() {
    let jwt = HeaderRules::foreign([Typ::Jwt]);
    let typed = |typ: &'static str| move |header: &mut Value| header["typ"] = typ.into();
    let untyped = |header: &mut Value| drop(header.as_object_mut().unwrap().remove("typ"));
    check(&jwt, typed("JWT"), GOOD);
    check(&jwt, typed("application/jwt"), GOOD);
    check(&jwt, typed("at+jwt"), Err(JwsError::Typ));
    check(&jwt, typed("logout+jwt"), Err(JwsError::Typ));
    check(&jwt, untyped, Err(JwsError::Typ));
    check(&jwt.clone().or_untyped(), untyped, GOOD);
    check(&HeaderRules::foreign([]).or_untyped(), typed("JWT"), Err(JwsError::Typ));
    check(&HeaderRules::of(Typ::Jwt), typed("JWT"), Err(JwsError::MalformedKid));
}

// S-1 S-2 S-3
#[test]
fn the_other_rules_hold_for_everybody() {
    let rules = HeaderRules::foreign([Typ::Jwt]);
    check(&rules, |header| header["x5t"] = "dGh1bWI".into(), GOOD);
    check(&rules, |header| header["x5t#S256"] = "dGh1bWI".into(), GOOD);
    check(&rules, |header| header["nonce"] = "unknown members are passed over".into(), GOOD);
    for name in ["jwk", "jku", "x5u", "x5c"] {
        check(&rules, |header| header[name] = json!({}), Err(JwsError::EmbeddedKey));
    }
    check(&rules, |header| header["crit"] = json!([]), Err(JwsError::CriticalExtension));
    check(&rules, |header| header["alg"] = "none".into(), Err(JwsError::Algorithm));
    check(&rules, |header| header["alg"] = "ES256".into(), Err(JwsError::Algorithm));
    check(&rules, |header| header["kid"] = "key-2".into(), Err(JwsError::OtherKid));
}

#[test]
fn a_foreign_kid_is_any_short_visible_text() {
    for good in ["1", "2011-04-29", "nOo3ZDrODXEK1jKWhXslHR_KXEg", "a+b/c==", &"k".repeat(64)] {
        let kid: Kid = good.parse().unwrap();
        assert_eq!((kid.as_str(), kid.to_string().as_str()), (good, good));
    }
    for bad in ["", " ", "a b", "a\"b", "a\\b", "a\nb", "\u{e9}", "\0", &"k".repeat(65)] {
        assert!(bad.parse::<Kid>().is_err(), "{bad:?}");
    }
    assert_ne!("a".parse::<Kid>(), "aa".parse());
    assert!(TestKey::rs256().kid().is_thumbprint());
    for other in ["1", &"a".repeat(42), &"a".repeat(44), &format!("{}+", "a".repeat(42))] {
        assert!(!other.parse::<Kid>().unwrap().is_thumbprint(), "{other}");
    }
}

// S-26
#[test]
fn a_foreign_set_is_as_strict_but_for_the_names() {
    let (rsa, ec) = (TestKey::rs256(), TestKey::es256());
    let parse = |keys: Value| {
        let set = JwkSet::parse_foreign(json!({ "keys": keys }).to_string().as_bytes());
        set.map(|set| set.keys().iter().map(|key| key.kid().to_string()).collect::<Vec<_>>())
    };
    assert_eq!(parse(json!([named(rsa, "a"), named(ec, "b")])).unwrap(), ["a", "b"]);
    assert!(parse(json!([named(rsa, "a"), named(ec, "a")])).is_err());
    let mut nameless = named(rsa, "a");
    nameless.as_object_mut().unwrap().remove("kid");
    let mut encrypting = named(rsa, "c");
    encrypting["use"] = "enc".into();
    assert_eq!(parse(json!([nameless, encrypting, named(ec, "not a kid")])).unwrap(), [""; 0]);
    let mut private = named(rsa, "a");
    private["d"] = "AQ".into();
    assert!(parse(json!([private])).is_err());
    assert!(
        JwkSet::parse(json!({ "keys": [named(rsa, "a")] }).to_string().as_bytes()).unwrap().keys().is_empty()
    );
}

// S-26 S-41
#[test]
fn what_others_call_sign_until_means_nothing_and_takes_no_key() {
    for value in [json!(1), json!("never"), json!(-1), Value::Null] {
        let mut key = named(TestKey::rs256(), "a");
        key["sign_until"] = value;
        let set = JwkSet::parse_foreign(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        assert_eq!(set.keys()[0].verifying_key().unwrap().sign_until(), None);
    }
}

// S-5 S-7
#[test]
fn a_claimed_issuer_is_read_without_a_second_meaning() {
    let claimed = |payload: &str| {
        let token = TestKey::es256().jws(json!({ "alg": "ES256", "kid": "a" }), payload);
        UnverifiedJws::parse(&token).unwrap().claimed_issuer()
    };
    assert_eq!(claimed(r#"{"sub":1,"iss":"https:\/\/id.test"}"#), Ok("https://id.test".to_owned()));
    let long = format!(r#"{{"iss":"a","padding":"{}"}}"#, "x".repeat(5000));
    assert_eq!(claimed(&long), Ok("a".to_owned()));
    for bad in ["", "{}", r#"{"iss":1}"#, r#"{"iss":["a"]}"#, r#"{"iss":"a","iss":"b"}"#, r#"["a"]"#, "\"a\""]
    {
        assert_eq!(claimed(bad), Err(JwsError::MalformedPayload), "{bad}");
    }
}
