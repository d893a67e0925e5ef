use arbitrary::Arbitrary;
use claviger_jose::{Algorithm, base64url};
use claviger_testkit::TestKey;
use serde_json::{Value, json};

use crate::signed::header_of;

/// What is made of the bytes.
#[derive(Debug, Arbitrary)]
pub(crate) enum Case<'a> {
    /// Any text.
    Text(&'a str),
    /// A token of three parts, each of them good or not.
    Parts(Parts<'a>),
}

/// A token in the making: what is not good about it is written down here.
#[derive(Debug, Arbitrary)]
pub(crate) struct Parts<'a> {
    rs256: bool,
    /// Whether it is judged by the rules for another issuer.
    pub(crate) foreign: bool,
    header: Document<'a>,
    payload: Document<'a>,
    signature: Signature<'a>,
    accidents: Vec<Accident>,
}

#[derive(Debug, Arbitrary)]
enum Document<'a> {
    Good,
    Edited(Vec<Edit<'a>>),
    Damaged(Vec<Accident>),
    Any(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
enum Signature<'a> {
    Right,
    OfAnotherKey,
    OfAnotherMessage,
    Damaged(Vec<Accident>),
    Zeros(u8),
    Any(&'a [u8]),
}

/// One change to the members of a JSON object.
#[derive(Debug, Arbitrary)]
enum Edit<'a> {
    Remove(Name<'a>),
    Set(Name<'a>, Text<'a>),
    /// Once more, before or behind the others, its name escaped or not.
    Repeat {
        name: Name<'a>,
        value: Text<'a>,
        first: bool,
        escaped: bool,
    },
    Wrap,
}

#[derive(Debug, Arbitrary)]
enum Name<'a> {
    Known(u8),
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Text<'a> {
    Known(u8),
    Json(&'a str),
    String(&'a str),
    Number(f64),
    Nested(u8),
    Wide(u8),
    Long(u16),
}

/// Something that happens to bytes.
#[derive(Debug, Arbitrary)]
enum Accident {
    Cut(u16),
    Insert(u16, u8),
    Remove(u16),
    Double(u16),
    Replace(u16, u8),
    Swap(u16, u16),
    Flip(u16, u8),
}

const NAMES: &[&str] = &[
    "alg",
    "kid",
    "typ",
    "crit",
    "b64",
    "jku",
    "jwk",
    "x5u",
    "x5c",
    "x5t",
    "x5t#S256",
    "cty",
    "zip",
    "enc",
    "url",
    "nonce",
    "salt",
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "client_id",
    "scope",
    "cnf",
    "a",
];

const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "1.5",
    "\"\"",
    "[]",
    "{}",
    "[null]",
    "[\"exp\"]",
    "[\"b64\"]",
    "{\"a\":1,\"a\":2}",
    "\"at+jwt\"",
    "\"application/AT+JWT\"",
    "\"JWT\"",
    "\"none\"",
    "\"RS256\"",
    "\"ES256\"",
    "\"HS256\"",
    "\"PS256\"",
    "\"https://attacker.test\"",
    "\"\\ud800\"",
    "253402300800",
];

impl Parts<'_> {
    pub(crate) fn key(&self) -> &'static TestKey {
        if self.rs256 { TestKey::rs256() } else { TestKey::es256() }
    }

    pub(crate) fn token(&self) -> Vec<u8> {
        let key = self.key();
        let header = self.header.bytes(&header_of(key), key);
        let payload = json!({
            "iss": "https://id.fleet.test", "sub": "client:a", "aud": "https://orders.fleet.test", "exp": 2, "iat": 1,
            "jti": "1", "client_id": "a", "scope": "a b", "n": [1, { "b": "\u{e9}" }],
        });
        let payload = self.payload.bytes(&payload, key);
        let signed = format!("{}.{}", base64url::encode(&header), base64url::encode(&payload));
        let signature = base64url::encode(&self.signature.bytes(signed.as_bytes(), key));
        damaged(format!("{signed}.{signature}").into_bytes(), &self.accidents)
    }
}

impl Document<'_> {
    fn bytes(&self, good: &Value, key: &TestKey) -> Vec<u8> {
        match self {
            Self::Good => good.to_string().into_bytes(),
            Self::Edited(edits) => edited(good, edits, key).into_bytes(),
            Self::Damaged(accidents) => damaged(good.to_string().into_bytes(), accidents),
            Self::Any(bytes) => bytes.to_vec(),
        }
    }
}

impl Signature<'_> {
    fn bytes(&self, message: &[u8], key: &TestKey) -> Vec<u8> {
        match self {
            Self::Right => key.sign(message),
            Self::OfAnotherKey => match key.alg() {
                Algorithm::Es256 => TestKey::es256_other().sign(message),
                Algorithm::Rs256 => TestKey::rs256_other().sign(message),
            },
            Self::OfAnotherMessage => key.sign(&message[1..]),
            Self::Damaged(accidents) => damaged(key.sign(message), accidents),
            Self::Zeros(length) => vec![0; usize::from(*length)],
            Self::Any(bytes) => bytes.to_vec(),
        }
    }
}

fn edited(good: &Value, edits: &[Edit<'_>], key: &TestKey) -> String {
    let mut members: Vec<(String, String)> = Vec::new();
    for (name, value) in good.as_object().into_iter().flatten() {
        members.push((json!(name).to_string(), value.to_string()));
    }
    let mut wrapped = 0;
    for edit in edits {
        match edit {
            Edit::Remove(name) => members.retain(|(held, _)| *held != name.json()),
            Edit::Set(name, value) => {
                members.retain(|(held, _)| *held != name.json());
                members.push((name.json(), value.json(key)));
            }
            Edit::Repeat { name, value, first, escaped } => {
                let name = if *escaped { name.escaped() } else { name.json() };
                let at = if *first { 0 } else { members.len() };
                members.insert(at, (name, value.json(key)));
            }
            Edit::Wrap => wrapped += 1,
        }
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{}{{{}}}{}", "[".repeat(wrapped), members.join(","), "]".repeat(wrapped))
}

impl Name<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Known(at) => NAMES[usize::from(*at) % NAMES.len()],
            Self::Any(text) => text,
        }
    }

    fn json(&self) -> String {
        json!(self.text()).to_string()
    }

    fn escaped(&self) -> String {
        let units: Vec<String> = self.text().encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{}\"", units.concat())
    }
}

impl Text<'_> {
    fn json(&self, key: &TestKey) -> String {
        match self {
            Self::Known(255) => json!(key.kid()).to_string(),
            Self::Known(254) => json!(key.jwk()).to_string(),
            Self::Known(253) => json!(TestKey::es256_other().kid()).to_string(),
            Self::Known(at) => VALUES[usize::from(*at) % VALUES.len()].to_owned(),
            Self::Json(text) => (*text).to_owned(),
            Self::String(text) => json!(text).to_string(),
            Self::Number(number) => number.to_string(),
            Self::Nested(depth) => {
                format!("{}{}", "[".repeat((*depth).into()), "]".repeat((*depth).into()))
            }
            Self::Wide(members) => {
                let members: Vec<String> = (0..*members).map(|n| format!("\"m{n}\":0")).collect();
                format!("{{{}}}", members.join(","))
            }
            Self::Long(length) => format!("\"{}\"", "a".repeat(usize::from(*length) % 9000)),
        }
    }
}

fn damaged(mut bytes: Vec<u8>, accidents: &[Accident]) -> Vec<u8> {
    for accident in accidents.iter().take(8) {
        let at = |position: u16| usize::from(position) % bytes.len().max(1);
        match *accident {
            Accident::Insert(position, byte) => bytes.insert(at(position), byte),
            _ if bytes.is_empty() => {}
            Accident::Cut(position) => bytes.truncate(at(position)),
            Accident::Remove(position) => drop(bytes.remove(at(position))),
            Accident::Double(position) => bytes.extend_from_within(at(position)..),
            Accident::Replace(position, byte) => {
                let at = at(position);
                bytes[at] = byte;
            }
            Accident::Swap(first, second) => {
                let (first, second) = (at(first), at(second));
                bytes.swap(first, second);
            }
            Accident::Flip(position, bit) => {
                let at = at(position);
                bytes[at] ^= 1 << (bit % 8);
            }
        }
    }
    bytes
}
