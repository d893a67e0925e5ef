//! A client that says who it is by signing it (RFC 7523 section 2.2).

use std::time::Duration;

use claviger_jose::{NumericDate, Payload, Typ};
use serde::{Deserialize, Deserializer, de};

use crate::{ClientId, Issuer, opaque::sha256};

/// How far ahead the end of an assertion may be.
const MAX_AHEAD: Duration = Duration::from_mins(5);
/// How far the clock of a client may be from ours.
const SKEW: Duration = Duration::from_secs(30);
/// The longest `jti`, in bytes.
const MAX_JTI: usize = 256;

/// The claims of a client assertion whose signature is verified; not accepted yet.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientAssertionClaims {
    iss: String,
    sub: String,
    aud: AssertionAudience,
    exp: NumericDate,
    #[serde(default, deserialize_with = "present")]
    iat: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
    jti: String,
}

impl Payload for ClientAssertionClaims {
    const TYP: Typ = Typ::ClientAssertion;
}

/// What a server demands of assertions beyond the standard's minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssertionRules {
    /// Whether `aud` may be an array of the one name, as some libraries write it.
    pub audience_in_array: bool,
}

/// Why an assertion is refused. For the log alone: the client learns `invalid_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// `iss` and `sub` are not both the client.
    #[error("iss and sub of the assertion are not the client id")]
    Client,
    /// `aud` is not the issuer, or not the issuer alone.
    #[error("aud of the assertion is not the issuer alone")]
    Audience,
    /// It has expired.
    #[error("the assertion has expired")]
    Expired,
    /// It expires later than in five minutes: it would have to be remembered for as long.
    #[error("the assertion lives longer than five minutes")]
    TooLong,
    /// `nbf` or `iat` is in the future.
    #[error("the assertion is not valid yet")]
    NotYet,
    /// `jti` is empty or longer than 256 bytes.
    #[error("jti of the assertion is empty or longer than 256 bytes")]
    Jti,
}

/// What must be remembered of an accepted assertion, so that nobody can use it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedAssertion {
    /// The SHA-256 of the client and its `jti`: two clients may choose the same.
    pub once: [u8; 32],
    /// Until when it must be remembered.
    pub until: NumericDate,
}

impl ClientAssertionClaims {
    /// The client that is claimed, to find its keys by.
    #[must_use]
    pub fn claimed_client(&self) -> &str {
        &self.sub
    }

    /// Accepts the assertion of a client. `aud` must be the issuer, byte for byte and as the sole value: an assertion
    /// that is also for somebody else can be used by that somebody here, and one for an endpoint's URL was asked for by
    /// whoever wrote that URL into some metadata
    /// ([RFC 10070](https://www.rfc-editor.org/rfc/rfc10070)).
    ///
    /// # Errors
    /// [`AssertionError`].
    pub fn accept(
        &self,
        client_id: &ClientId,
        issuer: &Issuer,
        now: NumericDate,
        rules: AssertionRules,
    ) -> Result<AcceptedAssertion, AssertionError> {
        if self.iss != client_id.as_str() || self.sub != client_id.as_str() {
            return Err(AssertionError::Client);
        }
        let audience = match &self.aud {
            AssertionAudience::Sole(name) => name,
            AssertionAudience::Array(names) => match &names[..] {
                [name] if rules.audience_in_array => name,
                _ => return Err(AssertionError::Audience),
            },
        };
        if audience != issuer.as_str() {
            return Err(AssertionError::Audience);
        }
        if now >= self.exp + SKEW {
            return Err(AssertionError::Expired);
        }
        if self.exp.since(now) > MAX_AHEAD {
            return Err(AssertionError::TooLong);
        }
        if [self.iat, self.nbf].into_iter().flatten().any(|time| time > now + SKEW) {
            return Err(AssertionError::NotYet);
        }
        if !(1..=MAX_JTI).contains(&self.jti.len()) {
            return Err(AssertionError::Jti);
        }
        // A client id has no NUL.
        let once = sha256(format!("{client_id}\0{}", self.jti).as_bytes());
        Ok(AcceptedAssertion { once, until: self.exp + SKEW })
    }
}

/// `aud` as it was written: one name by itself is not one name in an array.
#[derive(Clone, Debug)]
enum AssertionAudience {
    Sole(String),
    Array(Vec<String>),
}

impl<'de> Deserialize<'de> for AssertionAudience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AssertionAudience;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E>(self, name: &str) -> Result<AssertionAudience, E> {
                Ok(AssertionAudience::Sole(name.to_owned()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut array: A) -> Result<AssertionAudience, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = array.next_element()? {
                    names.push(name);
                }
                Ok(AssertionAudience::Array(names))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A member that is here but `null` is not an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NumericDate>, D::Error> {
    NumericDate::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_700_000_000;
    const ISSUER: &str = "https://id.fleet.test";

    fn claims(changes: &Value) -> Option<ClientAssertionClaims> {
        let mut claims =
            json!({ "iss": "shop", "sub": "shop", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j" });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claviger_jose::json::from_str(&claims.to_string()).ok()
    }

    fn accept(changes: &Value, rules: AssertionRules) -> Result<AcceptedAssertion, AssertionError> {
        let claims = claims(changes).unwrap_or_else(|| panic!("{changes} is not read"));
        claims.accept(&"shop".parse().unwrap(), &ISSUER.parse().unwrap(), NumericDate::from_secs(NOW), rules)
    }

    fn refuses(changes: &Value, error: AssertionError) {
        assert_eq!(accept(changes, AssertionRules::default()), Err(error), "{changes}");
    }

    // S-55
    #[test]
    fn a_client_speaks_for_itself_to_this_issuer_alone() {
        assert!(accept(&json!({}), AssertionRules::default()).is_ok());
        refuses(&json!({ "iss": "other" }), AssertionError::Client);
        refuses(&json!({ "sub": "other" }), AssertionError::Client);
        refuses(&json!({ "iss": "other", "sub": "other" }), AssertionError::Client);
        for aud in [
            json!("https://id.fleet.test/"),
            json!("https://id.fleet.test/oauth2/token"),
            json!("https://id.fleet.test/oauth2/par"),
            json!("HTTPS://id.fleet.test"),
            json!(""),
            json!([ISSUER, "https://other.test"]),
            json!([ISSUER, ISSUER]),
            json!([]),
        ] {
            for audience_in_array in [false, true] {
                let rules = AssertionRules { audience_in_array };
                assert_eq!(accept(&json!({ "aud": aud }), rules), Err(AssertionError::Audience), "{aud}");
            }
        }
        refuses(&json!({ "aud": [ISSUER] }), AssertionError::Audience);
        assert!(accept(&json!({ "aud": [ISSUER] }), AssertionRules { audience_in_array: true }).is_ok());
    }

    // S-55
    #[test]
    fn an_assertion_lives_for_five_minutes_at_most() {
        assert!(accept(&json!({ "exp": NOW + 300 }), AssertionRules::default()).is_ok());
        refuses(&json!({ "exp": NOW + 301 }), AssertionError::TooLong);
        refuses(&json!({ "exp": NOW - 30 }), AssertionError::Expired);
        assert!(accept(&json!({ "exp": NOW - 29 }), AssertionRules::default()).is_ok());
        refuses(&json!({ "nbf": NOW + 31 }), AssertionError::NotYet);
        refuses(&json!({ "iat": NOW + 31 }), AssertionError::NotYet);
        assert!(accept(&json!({ "iat": NOW + 30, "nbf": NOW + 30 }), AssertionRules::default()).is_ok());
    }

    // S-55
    #[test]
    fn an_assertion_is_remembered_by_its_client_and_name_until_it_has_expired() {
        let accepted = accept(&json!({}), AssertionRules::default()).unwrap();
        assert_eq!(accepted.until, NumericDate::from_secs(NOW + 90));
        assert_eq!(
            accept(&json!({ "exp": NOW + 61 }), AssertionRules::default()).unwrap().once,
            accepted.once
        );
        assert_ne!(accept(&json!({ "jti": "k" }), AssertionRules::default()).unwrap().once, accepted.once);
        let other = claims(&json!({ "iss": "other", "sub": "other" })).unwrap();
        let (id, issuer) = ("other".parse().unwrap(), ISSUER.parse().unwrap());
        let other =
            other.accept(&id, &issuer, NumericDate::from_secs(NOW), AssertionRules::default()).unwrap();
        assert_ne!(other.once, accepted.once);
        refuses(&json!({ "jti": "" }), AssertionError::Jti);
        refuses(&json!({ "jti": "j".repeat(257) }), AssertionError::Jti);
    }

    // S-55
    #[test]
    fn an_assertion_of_another_shape_is_not_read() {
        for changes in [
            json!({ "aud": null }),
            json!({ "aud": 1 }),
            json!({ "aud": [1] }),
            json!({ "exp": null }),
            json!({ "exp": "1" }),
            json!({ "iat": null }),
            json!({ "nbf": null }),
            json!({ "jti": null }),
            json!({ "jti": 1 }),
            json!({ "iss": ["shop"] }),
        ] {
            assert!(claims(&changes).is_none(), "{changes}");
        }
    }
}
