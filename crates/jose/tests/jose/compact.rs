//! The compact form (RFC 7515 section 7.1), and its bounds.

use std::time::{Duration, Instant};

use claviger_jose::{JwsError, MAX_HEADER, MAX_TOKEN, UnverifiedJws, base64url};
use claviger_testkit::TestKey;
use serde_json::json;

use crate::{good_token, header_of, verify};

/// A valid token of exactly this many bytes.
fn token_of_length(length: usize) -> String {
    let key = TestKey::es256();
    let filled = |bytes| key.access_token(&json!({ "a": "a".repeat(bytes) }));
    let guess = (length - filled(0).len()) * 3 / 4;
    let found = (guess - 4..guess + 4).map(filled).find(|token| token.len() == length);
    found.expect("two of three lengths exist")
}

/// A valid token whose header has exactly this many characters in base64url.
fn token_of_header(length: usize) -> String {
    let key = TestKey::es256();
    let mut header = header_of(key);
    header["a"] = "".into();
    let missing = length * 3 / 4 - header.to_string().len();
    header["a"] = "a".repeat(missing).into();
    let token = key.jws(header, "{}");
    assert_eq!(token.find('.'), Some(length));
    token
}

// S-9
#[test]
fn there_is_one_way_to_write_a_token() {
    let key = TestKey::es256();
    let token = good_token(key);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts");
    };
    let signed = format!("{header}.{payload}");
    for malformed in [
        "",
        ".",
        "..",
        "...",
        header,
        &signed,
        &format!("{signed}."),
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{header}..{payload}.{signature}"),
        &format!("{token}.a.b"),
        &json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        &json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] })
            .to_string(),
        &token.replace('.', ","),
        &token.replace('.', "\u{3002}"),
    ] {
        assert_eq!(verify(key, malformed), Err(JwsError::MalformedCompact), "{malformed}");
    }
    assert_eq!(verify(key, &format!(".{payload}.{signature}")), Err(JwsError::MalformedHeader));
    assert_eq!(verify(key, &format!("{header}..{signature}")), Err(JwsError::Signature));
}

// S-9
#[test]
fn every_part_is_canonical_base64url() {
    for key in [TestKey::es256(), TestKey::rs256()] {
        let token = good_token(key);
        let parts: Vec<&str> = token.split('.').collect();
        for part in 0..3 {
            let with = |text: String| {
                let mut parts = parts.clone();
                parts[part] = &text;
                parts.join(".")
            };
            for spelling in [
                format!("{}=", parts[part]),
                format!("{}==", parts[part]),
                format!("{} ", parts[part]),
                format!(" {}", parts[part]),
                format!("{}\n", parts[part]),
                format!("\t{}", parts[part]),
                format!("+{}", &parts[part][1..]),
                format!("/{}", &parts[part][1..]),
                format!("%{}", &parts[part][1..]),
                format!("\0{}", &parts[part][1..]),
                format!("{}A", parts[part]),
                format!("{}\u{e9}", parts[part]),
            ] {
                assert!(verify(key, &with(spelling.clone())).is_err(), "{spelling}");
            }
        }
        assert!(verify(key, &token).is_ok());
    }
}

/// 64 bytes and 256 bytes leave bits over in the last character: with them set, the signature would
/// have more than one spelling, and a list of tokens could be evaded.
// S-9
#[test]
fn spare_bits_of_the_last_character_are_zero() {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for key in [TestKey::es256(), TestKey::rs256()] {
        let token = good_token(key);
        let (head, last) = token.split_at(token.len() - 1);
        let accepted =
            alphabet.iter().filter(|&&last| verify(key, &format!("{head}{}", last as char)).is_ok());
        assert_eq!(accepted.copied().collect::<Vec<_>>(), last.as_bytes());
    }
}

// S-12
#[test]
fn a_token_has_8_kib_at_most() {
    let key = TestKey::es256();
    assert!(verify(key, &token_of_length(MAX_TOKEN)).is_ok());
    let token = good_token(key);
    let beyond = format!("{}.{}", token.split_once('.').unwrap().0, "a".repeat(MAX_TOKEN));
    assert_eq!(verify(key, &beyond), Err(JwsError::TooLong));
    let one_beyond = format!("{}a", token_of_length(MAX_TOKEN));
    assert_eq!(one_beyond.len(), MAX_TOKEN + 1);
    assert_eq!(verify(key, &one_beyond), Err(JwsError::TooLong));
}

// S-12
#[test]
fn a_header_has_1_kib_at_most() {
    let key = TestKey::es256();
    assert_eq!(verify(key, &token_of_header(MAX_HEADER)), Ok(json!({})));
    assert_eq!(verify(key, &token_of_header(MAX_HEADER + 2)), Err(JwsError::TooLong));
    let (_, rest) = good_token(key).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let full = base64url::encode(&[b' '; MAX_HEADER / 4 * 3]);
    assert_eq!(verify(key, &format!("{full}.{rest}")), Err(JwsError::MalformedHeader));
    assert_eq!(verify(key, &format!("{full}a.{rest}")), Err(JwsError::TooLong));
}

/// The size decides before the form is looked at, so no part of the flood is ever read: ten thousand
/// times 10 MB would take seconds to search for one dot.
// S-12
#[test]
fn a_flood_is_refused_without_work() {
    let flood = "a".repeat(10_000_000);
    let start = Instant::now();
    for _ in 0..10_000 {
        assert_eq!(UnverifiedJws::parse(&flood).err(), Some(JwsError::TooLong));
    }
    assert!(start.elapsed() < Duration::from_millis(500), "50 µs each: {:?}", start.elapsed());
    assert_eq!(UnverifiedJws::parse(&format!("{flood}.a.a")).err(), Some(JwsError::TooLong));
    assert_eq!(UnverifiedJws::parse(&".".repeat(10_000_000)).err(), Some(JwsError::TooLong));
}

// S-13
#[test]
fn an_unverified_token_shows_nothing() {
    let token = good_token(TestKey::es256());
    let shown = format!("{:?}", UnverifiedJws::parse(&token).unwrap());
    assert_eq!(shown, "UnverifiedJws { .. }");
}
