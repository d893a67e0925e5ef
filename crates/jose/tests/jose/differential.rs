//! A second opinion on tens of thousands of mutated tokens. We may refuse what jsonwebtoken accepts, for
//! the reasons that are counted here; we never accept what it refuses, but for the one that is named.

use std::collections::BTreeMap;

use claviger_jose::{Algorithm, base64url};
use claviger_testkit::TestKey;
use jsonwebtoken::{DecodingKey, Validation, decode, jwk};
use serde_json::{Value, json};

use crate::{header_of, signature_of, verify, with_signature};

struct SecondOpinion {
    key: DecodingKey,
    validation: Validation,
}

impl SecondOpinion {
    /// One algorithm, and no opinion on claims.
    fn new(key: &TestKey) -> Self {
        let jwk: jwk::Jwk = serde_json::from_value(json!(key.jwk())).unwrap();
        let mut validation = Validation::new(match key.alg() {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        });
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        Self { key: DecodingKey::from_jwk(&jwk).unwrap(), validation }
    }

    fn on(&self, token: &str) -> Result<Value, String> {
        let data = decode::<Value>(token, &self.key, &self.validation);
        data.map(|data| data.claims).map_err(|error| error.to_string())
    }
}

/// What was said by both, counted.
#[derive(Default)]
struct Tally {
    both_accept: usize,
    both_refuse: usize,
    /// We refuse and they accept, by our reason.
    only_they_accept: BTreeMap<String, usize>,
    /// We accept and they refuse: for a member that is nothing to us.
    only_we_accept: usize,
}

impl Tally {
    fn add(
        &mut self,
        token: &str,
        ours: Result<Value, claviger_jose::JwsError>,
        theirs: Result<Value, String>,
    ) {
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "one token, two readings: {token}");
                self.both_accept += 1;
            }
            (Err(_), Err(_)) => self.both_refuse += 1,
            (Err(reason), Ok(_)) => *self.only_they_accept.entry(format!("{reason:?}")).or_default() += 1,
            (Ok(_), Err(reason)) => {
                assert!(has_mistyped_member(token), "we accept what they refuse ({reason}): {token}");
                self.only_we_accept += 1;
            }
        }
    }
}

/// The exception: they read the type of members that mean nothing to us, and that we pass over.
fn has_mistyped_member(token: &str) -> bool {
    let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    ["cty", "zip", "enc", "url", "nonce"]
        .iter()
        .any(|name| header.get(name).is_some_and(|value| !value.is_string()))
}

fn signed(key: &TestKey, header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(&signature))
}

/// Members that mean something to somebody.
fn members(key: &TestKey) -> Vec<(&'static str, Value)> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(""),
        json!("at+jwt"),
        json!("none"),
        json!([]),
        json!(["exp"]),
        json!(["b64"]),
        json!({}),
        json!("https://attacker.test"),
        json!(key.jwk()),
        json!(key.kid()),
        json!("RS256"),
        json!("ES256"),
        json!("HS256"),
        json!("application/AT+JWT"),
        json!([[[[[[[[[1]]]]]]]]]),
        json!("a".repeat(900)),
    ];
    let names = [
        "alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "zip",
        "enc", "url", "nonce", "exp", "a",
    ];
    names.iter().flat_map(|name| values.iter().map(|value| (*name, value.clone()))).collect()
}

/// Every header that differs from a good one in a member that is set, left out, or there twice.
fn headers(key: &TestKey) -> Vec<String> {
    let good = header_of(key);
    let text = good.to_string();
    let mut headers = vec![text.clone(), format!("[{text}]"), format!("{text}{text}"), format!(" {text}\n")];
    headers.push(format!(r#"["{}","{}","at+jwt"]"#, key.alg(), key.kid()));
    for (name, value) in members(key) {
        let mut header = good.clone();
        header[name] = value.clone();
        headers.push(header.to_string());
        headers.push(format!("{},\"{name}\":{value}}}", &text[..text.len() - 1]));
        headers.push(format!("{{\"\\u00{:02x}{}\":{value},{}", name.as_bytes()[0], &name[1..], &text[1..]));
        header.as_object_mut().unwrap().remove(name);
        headers.push(header.to_string());
    }
    headers
}

/// Payloads that parsers are known to disagree about.
fn payloads() -> Vec<String> {
    let wide = (0..70).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(",");
    let deep = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let texts = [
        "{}",
        "[]",
        "null",
        "1",
        "\"a\"",
        "",
        " {}",
        "{}\n",
        "{} {}",
        "{},",
        "{",
        "\u{feff}{}",
        "\u{c}{}",
        "\0{}",
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":1e400}"#,
        r#"{"a":-0}"#,
        r#"{"a":1E5}"#,
        r#"{"a":01}"#,
        r#"{"a":.5}"#,
        r#"{"a":NaN}"#,
        r#"{"a":18446744073709551616}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud83d\udd11"}"#,
        "{\"a\":\"\t\"}",
        r#"{"a":"\x41"}"#,
        "{'a':1}",
        r#"{"a":1,}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":/**/1}"#,
        r#"{"":1}"#,
        r#"[1,2,"a","b","c"]"#,
    ];
    texts.map(str::to_owned).into_iter().chain([format!("{{{wide}}}"), deep(7), deep(8), deep(200)]).collect()
}

/// One to three accidents in a row.
fn damaged(good: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..random.u8(1..=3) {
        let at = random.usize(..bytes.len().max(1));
        match random.u8(..7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.u8(..128)),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.extend_from_within(at.min(bytes.len())..),
            4 if at < bytes.len() => bytes[at] = *random.choice(b"{}[]\":,. =-_+/Az0\\").unwrap(),
            5 if at < bytes.len() => bytes.swap(at, good.len() / 2 % (at + 1)),
            _ if at < bytes.len() => bytes[at] ^= 1 << random.u8(..7),
            _ => {}
        }
    }
    bytes
}

fn payload_text() -> &'static str {
    r#"{"a":"client:a","n":[1,{"b":"\u00e9"}],"m":1.7e3,"c":["a",null]}"#
}

/// The tokens that are written down above.
fn listed(key: &TestKey) -> Tally {
    let second = SecondOpinion::new(key);
    let mut tally = Tally::default();
    let header = header_of(key).to_string();
    let tokens =
        headers(key).into_iter().map(|header| signed(key, header.as_bytes(), payload_text().as_bytes()));
    let others = payloads().into_iter().map(|payload| signed(key, header.as_bytes(), payload.as_bytes()));
    for token in tokens.chain(others) {
        tally.add(&token, verify(key, &token), second.on(&token));
    }
    tally
}

/// As many tokens with accidents in the header, the payload, the signature or the whole.
fn random(key: &TestKey, rounds: usize) -> Tally {
    let second = SecondOpinion::new(key);
    let mut tally = Tally::default();
    let mut random = fastrand::Rng::with_seed(0x0C1A_716E);
    let (header, payload) = (header_of(key).to_string().into_bytes(), payload_text().as_bytes());
    let good = signed(key, &header, payload);
    for round in 0..rounds {
        let token = match round % 4 {
            0 => signed(key, &damaged(&header, &mut random), payload),
            1 => signed(key, &header, &damaged(payload, &mut random)),
            2 => with_signature(&good, &damaged(&signature_of(&good), &mut random)),
            _ => String::from_utf8(damaged(good.as_bytes(), &mut random)).unwrap_or_default(),
        };
        tally.add(&token, verify(key, &token), second.on(&token));
    }
    tally
}

// S-1 S-2 S-3 S-4 S-7 S-19
#[test]
fn where_we_are_stricter_than_another_implementation_has_its_reasons() {
    for key in [TestKey::es256(), TestKey::rs256()] {
        let tally = listed(key);
        let stricter: Vec<(&str, usize)> =
            tally.only_they_accept.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(
            stricter,
            [
                ("CriticalExtension", 63),
                ("EmbeddedKey", 141),
                ("MalformedHeader", 11),
                ("MalformedKid", 8),
                ("MalformedPayload", 6),
                ("NoKid", 19),
                ("TooLong", 38),
                ("Typ", 26),
            ]
        );
        assert_eq!((tally.both_accept, tally.both_refuse, tally.only_we_accept), (552, 443, 105));
    }
}

fn check_random(key: &TestKey, rounds: usize) {
    let tally = random(key, rounds);
    assert_eq!(tally.only_we_accept, 0);
    assert!(tally.both_accept > rounds / 100, "{} of {rounds} are good", tally.both_accept);
    assert!(tally.both_refuse > rounds / 4, "{} of {rounds} are bad", tally.both_refuse);
}

// S-19
#[test]
fn we_accept_no_es256_token_that_another_implementation_refuses() {
    check_random(TestKey::es256(), 12_000);
}

// S-19
#[test]
fn we_accept_no_rs256_token_that_another_implementation_refuses() {
    check_random(TestKey::rs256(), 3_000);
}
