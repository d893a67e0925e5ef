//! What a client is told about the person who signed in (OpenID Connect Core section 2).

use claviger_jose::{NumericDate, base64url};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{PersonClaims, opaque::sha256};

/// The claims of an ID token that is about to be signed: borrowed, so that minting copies nothing.
///
/// [OpenID Connect Core section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)
#[derive(Clone, Copy, Debug)]
pub struct IdTokenClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The person.
    pub sub: &'a str,
    /// The client that the token is for, and nobody else.
    pub aud: &'a str,
    /// The end of the token's life.
    pub exp: NumericDate,
    /// The time of signing.
    pub iat: NumericDate,
    /// What the client finds again of its request.
    pub nonce: Option<&'a str>,
    /// The hash of the access token beside it ([`access_token_hash`]).
    pub at_hash: Option<&'a str>,
    /// How and in which session the person authenticated, and further claims.
    pub person: PersonClaims<'a>,
}

impl Serialize for IdTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        claims.serialize_entry("iss", self.iss)?;
        claims.serialize_entry("sub", self.sub)?;
        claims.serialize_entry("aud", self.aud)?;
        claims.serialize_entry("exp", &self.exp)?;
        claims.serialize_entry("iat", &self.iat)?;
        if let Some(nonce) = self.nonce {
            claims.serialize_entry("nonce", nonce)?;
        }
        if let Some(at_hash) = self.at_hash {
            claims.serialize_entry("at_hash", at_hash)?;
        }
        self.person.write(&mut claims)?;
        claims.end()
    }
}

/// The `at_hash` of an access token: the left half of its SHA-256, which is the hash of both algorithms that
/// there are.
///
/// [OpenID Connect Core section 3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)
#[must_use]
pub fn access_token_hash(access_token: &str) -> String {
    base64url::encode(&sha256(access_token.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use claviger_jose::json;
    use serde_json::{Value, json};

    use super::*;
    use crate::AccessTokenClaims;

    #[test]
    fn an_id_token_says_who_signed_in_and_for_whom() {
        let Value::Object(extra) = json!({ "email": "a@b.test", "aud": "evil", "nonce": "evil" }) else {
            panic!("no object");
        };
        let amr = ["pwd".to_owned()];
        let claims = IdTokenClaims {
            iss: "https://id.fleet.test",
            sub: "user:a",
            aud: "shop",
            exp: NumericDate::from_secs(1_700_000_300),
            iat: NumericDate::from_secs(1_700_000_000),
            nonce: Some("n"),
            at_hash: None,
            person: PersonClaims {
                auth_time: NumericDate::from_secs(1_699_999_990),
                acr: None,
                amr: &amr,
                sid: "s1",
                extra: Some(&extra),
            },
        };
        let text = serde_json::to_string(&claims).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"https://id.fleet.test","sub":"user:a","aud":"shop","exp":1700000300,"iat":1700000000,"nonce":"n","auth_time":1699999990,"amr":["pwd"],"sid":"s1","email":"a@b.test"}"#
        );
        // Whatever its header said, it could not be read as an access token: there is no client_id and no jti.
        assert!(json::from_str::<AccessTokenClaims<'_>>(&text).is_err());
    }

    #[test]
    fn an_access_token_is_named_by_half_of_its_hash() {
        // OpenID Connect Core appendix A.3 and A.4.
        assert_eq!(
            access_token_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
