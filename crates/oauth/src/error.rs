//! What the token endpoint answers when it refuses (RFC 6749 section 5.2).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Why a token request was refused: the standard's code for the client, and where there is one a
/// reason for the log.
///
/// A reason never contains a secret. Only a constant reason of
/// [`InvalidRequest`](Self::InvalidRequest) reaches the client; why a client was not authenticated
/// never does, or the answer would tell which names exist, nor what is wrong with a grant.
///
/// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A parameter is missing, repeated or malformed.
    #[error("invalid_request: {0}")]
    InvalidRequest(Cow<'static, str>),
    /// The client did not prove who it is.
    #[error("invalid_client: {0}")]
    InvalidClient(Cow<'static, str>),
    /// The grant presented is not valid, or not for this client.
    #[error("invalid_grant: {0}")]
    InvalidGrant(Cow<'static, str>),
    /// The client may not use this grant type.
    #[error("unauthorized_client")]
    UnauthorizedClient,
    /// The server does not have this grant type.
    #[error("unsupported_grant_type")]
    UnsupportedGrantType,
    /// The scope is malformed, unknown or more than the client may have.
    #[error("invalid_scope")]
    InvalidScope,
    /// The resource is malformed, unknown or not for this client
    /// ([RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    #[error("invalid_target")]
    InvalidTarget,
    /// The server cannot answer now. Never told as `invalid_grant`: a client throws its grant away
    /// on that.
    #[error("temporarily_unavailable: retry after {retry_after} s")]
    TemporarilyUnavailable {
        /// Seconds after which a new attempt makes sense.
        retry_after: u32,
    },
}

impl TokenError {
    /// The code of the standard.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::TemporarilyUnavailable { .. } => "temporarily_unavailable",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::InvalidClient(_) => 401,
            Self::TemporarilyUnavailable { .. } => 503,
            _ => 400,
        }
    }

    /// The value of `WWW-Authenticate`, without which a 401 is not one (RFC 9110 section 15.5.2).
    #[must_use]
    pub const fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::InvalidClient(_) => Some("Basic realm=\"token endpoint\", charset=\"UTF-8\""),
            _ => None,
        }
    }

    /// A constant sentence for the developer of the client; nothing from the request is in it.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::InvalidRequest(Cow::Borrowed(reason)) if is_description(reason) => reason,
            Self::InvalidRequest(_) => "a parameter is missing, repeated or malformed",
            Self::InvalidClient(_) => "the client is not authenticated",
            Self::InvalidGrant(_) => "the grant is not valid or was issued to another client",
            Self::UnauthorizedClient => "the client may not use this grant type",
            Self::UnsupportedGrantType => "grant_type is none that this server has",
            Self::InvalidScope => "scope is malformed, unknown or more than the client may have",
            Self::InvalidTarget => "resource is malformed, unknown or not for this client",
            Self::TemporarilyUnavailable { .. } => "the server cannot answer now; try again later",
        }
    }

    /// The JSON body of the answer.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody { error: self.code().into(), error_description: self.description().into() }
    }
}

/// The JSON body of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code of the standard.
    pub error: Cow<'static, str>,
    /// A sentence for the developer of the client; empty if the server sent none.
    #[serde(default)]
    pub error_description: Cow<'static, str>,
}

/// The characters that RFC 6749 section 5.2 allows in `error_description`.
fn is_description(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &TokenError, code: &str, status: u16) {
        assert_eq!((error.code(), error.status()), (code, status));
        assert!(error.to_string().starts_with(code));
        assert!(is_description(error.description()));
        assert_eq!(error.challenge().is_some(), status == 401);
    }

    #[test]
    fn every_refusal_has_its_code_and_status() {
        check(&TokenError::InvalidRequest("scope is missing".into()), "invalid_request", 400);
        check(&TokenError::InvalidClient("no such client".into()), "invalid_client", 401);
        check(&TokenError::InvalidGrant("used".into()), "invalid_grant", 400);
        check(&TokenError::UnauthorizedClient, "unauthorized_client", 400);
        check(&TokenError::UnsupportedGrantType, "unsupported_grant_type", 400);
        check(&TokenError::InvalidScope, "invalid_scope", 400);
        check(&TokenError::InvalidTarget, "invalid_target", 400);
        check(&TokenError::TemporarilyUnavailable { retry_after: 2 }, "temporarily_unavailable", 503);
    }

    // S-105
    #[test]
    fn a_client_is_told_constants_only() {
        let told = |error: TokenError| error.description();
        assert_eq!(told(TokenError::InvalidRequest("grant_type is missing".into())), "grant_type is missing");
        let constant = "a parameter is missing, repeated or malformed";
        assert_eq!(told(TokenError::InvalidRequest("from \"a request\"".into())), constant);
        assert_eq!(told(TokenError::InvalidRequest(String::from("composed").into())), constant);
        let refused = |reason: &'static str| told(TokenError::InvalidClient(reason.into()));
        assert_eq!(refused("no such client"), refused("another secret"));
        let ungranted = |reason: &'static str| told(TokenError::InvalidGrant(reason.into()));
        assert_eq!(ungranted("unknown"), ungranted("of another client"));
    }

    #[test]
    fn the_body_is_that_of_the_standard() {
        assert_eq!(
            serde_json::to_string(&TokenError::InvalidGrant("expired".into()).body()).unwrap(),
            r#"{"error":"invalid_grant","error_description":"the grant is not valid or was issued to another client"}"#
        );
        let terse: ErrorBody = serde_json::from_str(r#"{"error":"invalid_scope"}"#).unwrap();
        assert_eq!((&*terse.error, &*terse.error_description), ("invalid_scope", ""));
    }
}
