//! The one kind of JWS that may be larger than a token.

use claviger_jose::{JwsError, MAX_STATEMENT, MAX_TOKEN, Revocations, Typ, UnverifiedJws};
use claviger_testkit::TestKey;
use serde_json::json;

use crate::Claims;

/// A statement with this many tokens in it, signed as one of this kind.
fn statement(tokens: usize, typ: &str) -> String {
    let key = TestKey::es256();
    let header = json!({ "alg": key.alg(), "kid": key.kid(), "typ": typ });
    let jti = vec!["AAAAAAAAAAAAAAAAAAAAAA"; tokens];
    let payload = json!({ "iss": "a", "seq": 1, "iat": 1, "exp": 2, "jwks": "", "jti": jti });
    key.jws(header, &payload.to_string())
}

fn read(text: &str) -> Result<usize, JwsError> {
    let jws = UnverifiedJws::parse_statement(text)?;
    let key = TestKey::es256().jwk().verifying_key().unwrap();
    key.verify::<Revocations>(&jws).map(|statement| statement.jti.len())
}

// S-85
#[test]
fn a_statement_may_be_larger_than_a_token_but_not_than_4_mib() {
    let large = statement(100_000, Typ::Revocations.as_str());
    assert!((MAX_TOKEN..=MAX_STATEMENT).contains(&large.len()));
    assert_eq!(read(&large), Ok(100_000));
    assert_eq!(UnverifiedJws::parse(&large).err(), Some(JwsError::TooLong), "no token is that large");
    assert_eq!(read(&"a".repeat(MAX_STATEMENT)), Err(JwsError::MalformedCompact));
    assert_eq!(read(&"a".repeat(MAX_STATEMENT + 1)), Err(JwsError::TooLong));
}

// S-4 S-43
#[test]
fn a_statement_is_no_access_token_and_an_access_token_no_statement() {
    assert_eq!(read(&statement(1, Typ::Revocations.as_str())), Ok(1));
    for typ in Typ::ALL.into_iter().filter(|typ| *typ != Typ::Revocations) {
        assert_eq!(read(&statement(1, typ.as_str())), Err(JwsError::Typ), "{typ:?}");
    }
    let text = statement(1, Typ::Revocations.as_str());
    let key = TestKey::es256().jwk().verifying_key().unwrap();
    let verdict = key.verify::<Claims>(&UnverifiedJws::parse(&text).unwrap());
    assert_eq!(verdict.map(drop), Err(JwsError::Typ));
}
