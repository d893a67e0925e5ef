//! The payload, each truly signed.

use claviger_jose::{JwsError, Payload, Typ, UnverifiedJws, base64url};
use claviger_testkit::TestKey;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{header_of, verify};

fn read<T: Payload + DeserializeOwned>(payload: &str) -> Result<T, JwsError> {
    let key = TestKey::es256();
    let token = key.jws(header_of(key), payload);
    let verified = key.jwk().verifying_key().unwrap().verify::<T>(&UnverifiedJws::parse(&token)?)?;
    Ok(verified.into_inner())
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Derived {
    sub: String,
    #[serde(default)]
    act: Option<Actor>,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Actor {
    sub: String,
}

impl Payload for Derived {
    const TYP: Typ = Typ::AtJwt;
}

/// A payload that would read anything.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(transparent)]
struct Anything<T: DeserializeOwned>(#[serde(bound = "")] T);

impl<T: DeserializeOwned> Payload for Anything<T> {
    const TYP: Typ = Typ::AtJwt;
}

// S-7
#[test]
fn a_payload_is_an_object_whatever_its_type_would_read() {
    for payload in
        ["[]", r#"["a"]"#, "null", "1", "true", "\"{}\"", "", " ", r#"[{"sub":"a"}]"#, "\u{c}{}", "\0{}"]
    {
        assert_eq!(read::<Anything<Value>>(payload), Err(JwsError::MalformedPayload), "{payload}");
        assert_eq!(read::<Derived>(payload), Err(JwsError::MalformedPayload), "{payload}");
    }
    assert_eq!(read::<Anything<Vec<Value>>>("[]"), Err(JwsError::MalformedPayload));
    assert_eq!(read::<Anything<()>>("null"), Err(JwsError::MalformedPayload));
    assert_eq!(read(" \t\r\n{} "), Ok(Anything(json!({}))));
}

// S-7
#[test]
fn an_array_does_not_stand_for_an_object_inside_either() {
    let act = Some(Actor { sub: "b".to_owned() });
    assert_eq!(read(r#"{"sub":"a","act":{"sub":"b"}}"#), Ok(Derived { sub: "a".to_owned(), act }));
    assert_eq!(read::<Derived>(r#"{"sub":"a","act":["b"]}"#), Err(JwsError::MalformedPayload));
}

// S-7
#[test]
fn a_payload_has_one_meaning() {
    let key = TestKey::es256();
    for payload in [
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"sub":"a","\u0073ub":"b"}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"\u0062":2}]}"#,
        r#"{"a":1}{"a":1}"#,
        r#"{"a":1} x"#,
        r#"{"a":1"#,
        r#"{"a":1e400}"#,
        r#"{"a":NaN}"#,
        r#"{"a":"\ud800"}"#,
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
    ] {
        let token = key.jws(header_of(key), payload);
        assert_eq!(verify(key, &token), Err(JwsError::MalformedPayload), "{payload}");
    }
}

// S-12
#[test]
fn a_payload_is_bounded_in_depth_and_width() {
    let deep = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(read::<Anything<Value>>(&deep(8)).is_ok());
    assert_eq!(read::<Anything<Value>>(&deep(9)), Err(JwsError::MalformedPayload));
    assert_eq!(read::<Anything<Value>>(&deep(2900)), Err(JwsError::MalformedPayload));
    let open = format!(r#"{{"a":{}"#, "[".repeat(5000));
    assert_eq!(read::<Anything<Value>>(&open), Err(JwsError::MalformedPayload));
    let wide = |members: usize| {
        let members: Vec<_> = (0..members).map(|n| format!("\"m{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(read::<Anything<Value>>(&wide(64)).is_ok());
    assert_eq!(read::<Anything<Value>>(&wide(65)), Err(JwsError::MalformedPayload));
}

// S-9
#[test]
fn a_signature_over_no_base64url_makes_no_payload() {
    let key = TestKey::es256();
    let header = base64url::encode(header_of(key).to_string().as_bytes());
    for payload in ["e30=", "e30 ", "e31", "e3", "{}", "", "e30\u{e9}"] {
        let signed = format!("{header}.{payload}");
        let token = format!("{signed}.{}", base64url::encode(&key.sign(signed.as_bytes())));
        assert!(verify(key, &token).is_err(), "{payload}");
    }
    let signed = format!("{header}.e30");
    let token = format!("{signed}.{}", base64url::encode(&key.sign(signed.as_bytes())));
    assert_eq!(verify(key, &token), Ok(json!({})));
}

#[test]
fn bytes_that_are_not_utf_8_are_no_payload() {
    let key = TestKey::es256();
    let header = base64url::encode(header_of(key).to_string().as_bytes());
    let signed = format!("{header}.{}", base64url::encode(b"{\"sub\":\"\xff\"}"));
    let token = format!("{signed}.{}", base64url::encode(&key.sign(signed.as_bytes())));
    assert_eq!(verify(key, &token), Err(JwsError::MalformedPayload));
}
