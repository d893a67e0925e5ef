//! What a client is told when a session has ended (OpenID Connect Back-Channel Logout 1.0).

use std::time::Duration;

use claviger_jose::{NumericDate, Payload, Typ};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, de::IgnoredAny};

use crate::AudienceClaim;

/// The one event that a log-out token is about.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The longest life of a log-out token, and how far clocks may be apart.
const MAX_LIFE: Duration = Duration::from_mins(2);
const SKEW: Duration = Duration::from_secs(30);

/// The claims of a log-out token that is about to be signed. Two minutes are enough for it: each attempt to deliver it
/// signs another.
///
/// [OpenID Connect Back-Channel Logout section 2.4](https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken)
#[derive(Clone, Copy, Debug)]
pub struct LogoutTokenClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The client that is told.
    pub aud: &'a str,
    /// The time of signing.
    pub iat: NumericDate,
    /// The end of the token's life, at most two minutes later.
    pub exp: NumericDate,
    /// The name of this very token.
    pub jti: &'a str,
    /// The person whose session it was.
    pub sub: &'a str,
    /// The session.
    pub sid: &'a str,
}

impl Serialize for LogoutTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        claims.serialize_entry("iss", self.iss)?;
        claims.serialize_entry("aud", self.aud)?;
        claims.serialize_entry("iat", &self.iat)?;
        claims.serialize_entry("exp", &self.exp)?;
        claims.serialize_entry("jti", self.jti)?;
        claims.serialize_entry("sub", self.sub)?;
        claims.serialize_entry("sid", self.sid)?;
        claims.serialize_entry("events", &serde_json::json!({ EVENT: {} }))?;
        claims.end()
    }
}

/// A log-out token as a client reads it, once its signature is verified; not accepted yet.
#[derive(Clone, Debug, Deserialize)]
pub struct ReceivedLogoutToken {
    iss: String,
    aud: AudienceClaim,
    iat: NumericDate,
    exp: NumericDate,
    jti: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    sid: Option<String>,
    events: std::collections::BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    nonce: Option<IgnoredAny>,
}

impl Payload for ReceivedLogoutToken {
    const TYP: Typ = Typ::LogoutToken;
}

/// Why a log-out token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutTokenError {
    /// Of another issuer.
    #[error("another issuer")]
    Issuer,
    /// For another client, or for several.
    #[error("another audience")]
    Audience,
    /// Expired, from the future, or of a longer life than two minutes.
    #[error("not valid at this time")]
    Time,
    /// It is not about a log-out.
    #[error("another event")]
    Event,
    /// It has a `nonce`, as only ID tokens have.
    #[error("it has a nonce")]
    Nonce,
    /// It names neither a person nor a session.
    #[error("neither a subject nor a session")]
    Nobody,
}

impl ReceivedLogoutToken {
    /// Accepts the token for a client, and answers the person and the session that are named: at least one of them.
    ///
    /// # Errors
    /// [`LogoutTokenError`], by
    /// [OpenID Connect Back-Channel Logout section 2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation).
    /// Whether its `jti` was seen before is for the caller to ask.
    pub fn accept(
        &self,
        issuer: &str,
        client_id: &str,
        now: NumericDate,
    ) -> Result<(Option<&str>, Option<&str>), LogoutTokenError> {
        if self.iss != issuer {
            return Err(LogoutTokenError::Issuer);
        }
        if self.aud.iter().any(|name| name != client_id) {
            return Err(LogoutTokenError::Audience);
        }
        if now >= self.exp + SKEW || self.iat > now + SKEW || self.exp.since(self.iat) > MAX_LIFE {
            return Err(LogoutTokenError::Time);
        }
        if !self.events.contains_key(EVENT) {
            return Err(LogoutTokenError::Event);
        }
        if self.nonce.is_some() {
            return Err(LogoutTokenError::Nonce);
        }
        match (self.sub.as_deref(), self.sid.as_deref()) {
            (None, None) => Err(LogoutTokenError::Nobody),
            named => Ok(named),
        }
    }

    /// The name of this very token.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn minted() -> Value {
        serde_json::to_value(LogoutTokenClaims {
            iss: "https://id.fleet.test",
            aud: "shop",
            iat: NumericDate::from_secs(NOW),
            exp: NumericDate::from_secs(NOW + 120),
            jti: "j",
            sub: "user:a",
            sid: "s1",
        })
        .unwrap()
    }

    /// What becomes of a token with other members; `null` takes one out.
    fn accept(changes: &Value, now: u64) -> Result<(), Option<LogoutTokenError>> {
        let mut claims = minted();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let text = claims.to_string();
        let read: ReceivedLogoutToken = claviger_jose::json::from_str(&text).map_err(|_| None)?;
        let accepted = read.accept("https://id.fleet.test", "shop", NumericDate::from_secs(now));
        accepted.map(|_| ()).map_err(Some)
    }

    // S-84
    #[test]
    fn what_is_minted_is_accepted_and_says_whose_session_has_ended() {
        assert_eq!(minted()["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert!(minted().get("nonce").is_none());
        assert_eq!(accept(&json!({}), NOW), Ok(()));
        assert_eq!(accept(&json!({ "sid": null }), NOW), Ok(()));
        assert_eq!(accept(&json!({ "sub": null }), NOW), Ok(()));
    }

    // S-84
    #[test]
    fn a_token_that_is_not_about_this_log_out_is_refused() {
        let refused =
            |changes: Value, error| assert_eq!(accept(&changes, NOW), Err(Some(error)), "{changes}");
        refused(json!({ "iss": "https://evil.test" }), LogoutTokenError::Issuer);
        refused(json!({ "aud": "other" }), LogoutTokenError::Audience);
        refused(json!({ "aud": ["shop", "other"] }), LogoutTokenError::Audience);
        refused(json!({ "exp": NOW + 121 }), LogoutTokenError::Time);
        refused(json!({ "iat": NOW + 31, "exp": NOW + 60 }), LogoutTokenError::Time);
        refused(json!({ "iat": NOW - 100, "exp": NOW - 30 }), LogoutTokenError::Time);
        refused(json!({ "events": {} }), LogoutTokenError::Event);
        refused(
            json!({ "events": { "http://schemas.openid.net/event/other": {} } }),
            LogoutTokenError::Event,
        );
        refused(json!({ "nonce": "n" }), LogoutTokenError::Nonce);
        refused(json!({ "sub": null, "sid": null }), LogoutTokenError::Nobody);
        for missing in ["iss", "aud", "iat", "exp", "jti", "events"] {
            assert_eq!(accept(&json!({ missing: null }), NOW), Err(None), "{missing}");
        }
    }
}
