//! Any bytes as the payload of a token whose signature is right: a malicious or broken issuer, and whatever
//! of a caller's words an issuer signs.

use claviger_jose::{JwsError, MAX_TOKEN, UnverifiedJws, Verified, VerifiedPayload, base64url, json};
use claviger_oauth::AccessTokenClaims;
use claviger_testkit::TestKey;

use crate::signed::{header_of, rules, sign, verify};

/// The year 9999.
const LATEST: u64 = 253_402_300_799;

/// Reads the bytes as claims, bare and signed.
///
/// # Panics
/// If the two disagree, or claims are accepted that are empty, out of range, or that a plain reader of JSON
/// does not see in the same way.
pub fn run(data: &[u8]) {
    let text = str::from_utf8(data).ok();
    let bare = text.and_then(|text| json::from_str::<AccessTokenClaims<'_>>(text).ok());
    if let Some(claims) = &bare {
        assert_sound(claims);
        let plain: AccessTokenClaims<'_> =
            serde_json::from_slice(data).expect("we are the stricter of the two");
        assert_eq!(*claims, plain, "one payload, two readings");
    }
    let key = TestKey::es256();
    let token = sign(key, header_of(key).to_string().as_bytes(), data);
    let verified = verify(key, &rules(false), &token);
    let read =
        verified.as_ref().map_err(|error| *error).and_then(VerifiedPayload::read::<AccessTokenClaims<'_>>);
    match (read.map(Verified::into_inner), bare) {
        (Ok(verified), Some(bare)) => {
            let claimed = UnverifiedJws::parse(&token).and_then(|jws| jws.claimed_issuer());
            assert_eq!(claimed.as_deref(), Ok(&*verified.iss), "verified by the keys of another issuer");
            assert_eq!(verified, bare);
        }
        (Err(JwsError::MalformedPayload), None) => {}
        (Err(JwsError::TooLong), _) => assert!(token.len() > MAX_TOKEN),
        (verified, bare) => panic!("verified {verified:?}, read bare {bare:?}: {}", base64url::encode(data)),
    }
}

fn assert_sound(claims: &AccessTokenClaims<'_>) {
    for text in [Some(&*claims.iss), Some(&claims.sub), claims.jti.as_deref(), Some(&claims.client_id)] {
        assert_ne!(text, Some(""), "an empty name");
    }
    for date in [Some(claims.exp), Some(claims.iat), claims.nbf, claims.auth_time].into_iter().flatten() {
        assert!(date.as_secs() <= LATEST, "a date after the year 9999");
    }
    assert!(!claims.aud.contains(""), "the audience of nobody");
}
