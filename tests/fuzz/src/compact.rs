//! Any bytes as a token, as a header and as a payload: the way in that costs an attacker nothing.

use claviger_jose::{UnverifiedJws, Verified, base64url};
use claviger_testkit::TestKey;
use serde_json::Value;

use crate::signed::{Object, rules, verify};

/// Shows the bytes to the parser in three ways.
///
/// # Panics
/// If a token is accepted that is not the one spelling of what it says, or not for the key.
pub fn run(data: &[u8]) {
    if let Ok(token) = str::from_utf8(data) {
        token_is_refused_or_exact(token);
    }
    // Through the encoding, which mutation cannot see through: the parser of headers.
    let bytes = base64url::encode(data);
    for token in [format!("{bytes}.e30.AA"), format!("{bytes}.{bytes}.{bytes}")] {
        token_is_refused_or_exact(&token);
    }
}

fn token_is_refused_or_exact(token: &str) {
    let Ok(unverified) = UnverifiedJws::parse(token) else {
        return;
    };
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("{} parts were read as a compact JWS", parts.len());
    };
    let header = base64url::decode(header).expect("the header that was read can be decoded");
    let header: Value = serde_json::from_slice(&header).expect("the header that was read is JSON");
    assert_eq!(header["alg"], unverified.alg().as_str());
    assert_eq!(header["kid"], unverified.kid().as_str());
    let claimed = unverified.claimed_issuer();
    for (key, foreign) in [(TestKey::es256(), false), (TestKey::rs256(), false), (TestKey::rs256(), true)] {
        let Ok(verified) = verify(key, &rules(foreign), token) else {
            continue;
        };
        assert_eq!((unverified.alg(), unverified.kid()), (key.alg(), key.kid()));
        for part in [payload, signature] {
            let decoded = base64url::decode(part).expect("what was verified can be decoded");
            assert_eq!(base64url::encode(&decoded), part, "one token, two spellings");
        }
        if let Ok(Object(claims)) = verified.read().map(Verified::into_inner) {
            assert_eq!(claims.get("iss").and_then(Value::as_str), claimed.as_deref().ok());
        }
    }
}
