//! What a client that signs people in declares about itself (RFC 7591 section 2, OpenID Connect
//! Registration).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::grammar::deserialize_text;
use crate::{ClaimRule, GrammarError, RedirectUri, ScopeSet};

/// What a client that signs people in declares. A value: read from the fleet's file, kept as JSON.
///
/// A member that is not there has its default, so that a record of an older version is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Application {
    /// Where it runs.
    pub kind: ApplicationKind,
    /// Whether it is of the house itself: nobody is asked for consent, and it may take passwords.
    pub first_party: bool,
    /// The name that people see; left out: the client id.
    pub name: Option<String>,
    /// The logo that people see.
    pub logo_uri: Option<String>,
    /// Where people may be sent back to with a code.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where people may be sent back to when they have signed out.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where the client is told that a session has ended.
    pub backchannel_logout_uri: Option<String>,
    /// The origins of its pages that may call from a browser.
    pub origins: Vec<String>,
    /// What it may learn about people: some of [`IDENTITY_SCOPES`](crate::IDENTITY_SCOPES).
    pub identity_scopes: ScopeSet,
    /// Whether it must push its authorization requests (RFC 9126 section 6).
    pub require_pushed: bool,
    /// What becomes of its refresh tokens when they are used.
    pub refresh: RefreshPolicy,
    /// Claims of its own in ID tokens and userinfo.
    pub claims: Vec<ClaimRule>,
}

/// Where a client that signs people in runs: what it can keep to itself, and where answers reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationKind {
    /// On a server.
    #[default]
    Web,
    /// On somebody's machine or telephone (RFC 8252).
    Native,
    /// In a page of a browser.
    Browser,
}

/// What becomes of a refresh token when it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshPolicy {
    /// Each use makes a new one and ends the old.
    #[default]
    Rotate,
    /// It is used again until less than a third of its idle time is left, then as for `Rotate`.
    RotateNearEnd,
    /// It is used again until its end. Only for a client that proves who it is.
    Never,
}

/// The public keys that a client signs its assertions with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKeys {
    /// It has none.
    #[default]
    None,
    /// A JWK set, as JSON.
    Set(String),
    /// The URL of a JWK set.
    Uri(String),
}

/// What a client may trade for tokens.
///
/// There is no implicit grant and no password grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantType {
    /// `client_credentials`: it acts for itself.
    ClientCredentials,
    /// `authorization_code`: it acts for people who sign in.
    AuthorizationCode,
    /// `refresh_token`: it goes on acting for them.
    RefreshToken,
}

impl Application {
    /// The registered redirect URI that the presented text is: byte for byte, and for a native
    /// application on any port of the loopback.
    #[must_use]
    pub fn redirect_uri(&self, presented: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|registered| match self.kind {
            ApplicationKind::Native => registered.matches(presented),
            ApplicationKind::Web | ApplicationKind::Browser => registered.is_exactly(presented),
        })
    }
}

impl GrantType {
    /// Every grant type there is.
    pub const ALL: [Self; 3] = [Self::ClientCredentials, Self::AuthorizationCode, Self::RefreshToken];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl FromStr for GrantType {
    type Err = GrammarError;

    fn from_str(name: &str) -> Result<Self, GrammarError> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name).ok_or(GrammarError(
            "a grant type is `client_credentials`, `authorization_code` or `refresh_token`",
        ))
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for GrantType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for GrantType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(kind: ApplicationKind, uris: &[&str]) -> Application {
        let redirect_uris = uris.iter().map(|uri| uri.parse().unwrap()).collect();
        Application { kind, redirect_uris, ..Application::default() }
    }

    // S-63
    #[test]
    fn only_a_native_application_chooses_its_port() {
        let uris = ["https://app.example/cb", "http://127.0.0.1:7777/cb"];
        let native = application(ApplicationKind::Native, &uris);
        let presented = "http://127.0.0.1:9/cb";
        assert_eq!(native.redirect_uri(presented).map(RedirectUri::as_str), Some(uris[1]));
        assert!(native.redirect_uri(uris[0]).is_some());
        for kind in [ApplicationKind::Web, ApplicationKind::Browser] {
            let application = application(kind, &uris);
            assert!(application.redirect_uri(presented).is_none());
            assert!(application.redirect_uri(uris[1]).is_some());
        }
        assert!(application(ApplicationKind::Web, &[]).redirect_uri("").is_none());
    }

    // S-61
    #[test]
    fn there_is_no_implicit_and_no_password_grant() {
        for grant in GrantType::ALL {
            assert_eq!(grant.as_str().parse(), Ok(grant));
        }
        for name in
            ["password", "implicit", "", "Authorization_Code", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
        {
            assert!(name.parse::<GrantType>().is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_read_again_and_what_is_missing_has_its_default() {
        let mut application = application(ApplicationKind::Native, &["com.example.app:/cb"]);
        application.identity_scopes = "openid profile".parse().unwrap();
        application.refresh = RefreshPolicy::RotateNearEnd;
        let json = serde_json::to_string(&application).unwrap();
        assert_eq!(serde_json::from_str::<Application>(&json).unwrap(), application);
        assert_eq!(serde_json::from_str::<Application>("{}").unwrap(), Application::default());
        assert!(serde_json::from_str::<Application>(r#"{"later":1}"#).is_ok());
        assert!(serde_json::from_str::<Application>(r#"{"redirect_uris":["http://a.example"]}"#).is_err());
        for (keys, json) in [
            (ClientKeys::None, r#""none""#),
            (ClientKeys::Set("{}".to_owned()), r#"{"set":"{}"}"#),
            (ClientKeys::Uri("https://a.example".to_owned()), r#"{"uri":"https://a.example"}"#),
        ] {
            assert_eq!(serde_json::to_string(&keys).unwrap(), json);
            assert_eq!(serde_json::from_str::<ClientKeys>(json).unwrap(), keys);
        }
    }
}
