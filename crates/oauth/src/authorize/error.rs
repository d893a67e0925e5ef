use crate::{ErrorBody, TokenError};

/// Why an authorization request was refused: the standard's code, and where there is one a constant reason.
///
/// [RFC 6749 section 4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1),
/// [OpenID Connect Core section 3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// A parameter is missing, repeated or malformed.
    #[error("invalid_request: {0}")]
    InvalidRequest(&'static str),
    /// The client may not ask for a code.
    #[error("unauthorized_client")]
    UnauthorizedClient,
    /// The person or the server said no.
    #[error("access_denied")]
    AccessDenied,
    /// The response type is not `code`: there is no other.
    #[error("unsupported_response_type")]
    UnsupportedResponseType,
    /// The scope is malformed, unknown or more than the client may have.
    #[error("invalid_scope")]
    InvalidScope,
    /// The resource is malformed, unknown or not for this client (RFC 8707 section 2).
    #[error("invalid_target")]
    InvalidTarget,
    /// Nobody is signed in, and no page may be shown (`prompt=none`).
    #[error("login_required")]
    LoginRequired,
    /// The person has not allowed this, and no page may be shown.
    #[error("consent_required")]
    ConsentRequired,
    /// The person has something to do, and no page may be shown.
    #[error("interaction_required")]
    InteractionRequired,
    /// The person has to choose, and no page may be shown.
    #[error("account_selection_required")]
    AccountSelectionRequired,
    /// The `request_uri` is unknown, used up or expired.
    #[error("invalid_request_uri")]
    InvalidRequestUri,
    /// Requests as JWTs are not taken (OpenID Connect Core section 6.1).
    #[error("request_not_supported")]
    RequestNotSupported,
    /// Requests are not fetched from elsewhere (OpenID Connect Core section 6.2).
    #[error("request_uri_not_supported")]
    RequestUriNotSupported,
    /// Clients are not registered by their requests (OpenID Connect Core section 7).
    #[error("registration_not_supported")]
    RegistrationNotSupported,
    /// The person cannot authenticate as strongly as was asked
    /// ([OpenID Connect Core Error Code `unmet_authentication_requirements`](https://openid.net/specs/openid-connect-unmet-authentication-requirements-1_0.html)).
    #[error("unmet_authentication_requirements")]
    UnmetAuthenticationRequirements,
    /// A first-party application has to send more (OAuth 2.0 for First-Party Applications section 5.2.2).
    #[error("insufficient_authorization")]
    InsufficientAuthorization,
    /// A first-party application has to open the pages (OAuth 2.0 for First-Party Applications section 5.2.2).
    #[error("redirect_to_web")]
    RedirectToWeb,
    /// The server failed.
    #[error("server_error")]
    ServerError,
    /// The server cannot answer now.
    #[error("temporarily_unavailable: retry after {retry_after} s")]
    TemporarilyUnavailable {
        /// Seconds after which a new attempt makes sense.
        retry_after: u32,
    },
}

impl AuthorizeError {
    /// The code of the standard.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InsufficientAuthorization => "insufficient_authorization",
            Self::RedirectToWeb => "redirect_to_web",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable { .. } => "temporarily_unavailable",
        }
    }

    /// A constant sentence for the developer of the client; nothing from the request is in it.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::InvalidRequest(reason) => reason,
            Self::UnauthorizedClient => "the client may not ask for this",
            Self::AccessDenied => "the request was refused",
            Self::UnsupportedResponseType => "response_type is not code",
            Self::InvalidScope => "scope is malformed, unknown or more than the client may have",
            Self::InvalidTarget => "resource is malformed, unknown or not for this client",
            Self::LoginRequired => "nobody is signed in",
            Self::ConsentRequired => "the person has not allowed this yet",
            Self::InteractionRequired => "the person has something to do first",
            Self::AccountSelectionRequired => "the person has to choose an account",
            Self::InvalidRequestUri => "request_uri is unknown, used or expired",
            Self::RequestNotSupported => "request is not supported",
            Self::RequestUriNotSupported => {
                "request_uri is only taken from the pushed authorization endpoint"
            }
            Self::RegistrationNotSupported => "registration is not supported",
            Self::UnmetAuthenticationRequirements => {
                "the person cannot authenticate as strongly as was asked"
            }
            Self::InsufficientAuthorization => "more is needed to authorize this",
            Self::RedirectToWeb => "the person has to use the pages of this server",
            Self::ServerError => "the server failed",
            Self::TemporarilyUnavailable { .. } => "the server cannot answer now; try again later",
        }
    }

    /// The HTTP status where it is answered directly: by a page, or to a pushed request.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::ServerError => 500,
            Self::TemporarilyUnavailable { .. } => 503,
            _ => 400,
        }
    }

    /// The JSON body where it is answered directly (RFC 9126 section 2.3).
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody { error: self.code().into(), error_description: self.description().into() }
    }
}

impl From<AuthorizeError> for TokenError {
    /// For the endpoints that answer with JSON and can refuse a client as well: the code stays the same where
    /// the token endpoint has it, and is `invalid_request` where it has not.
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::UnauthorizedClient => Self::UnauthorizedClient,
            AuthorizeError::InvalidScope => Self::InvalidScope,
            AuthorizeError::InvalidTarget => Self::InvalidTarget,
            AuthorizeError::TemporarilyUnavailable { retry_after } => {
                Self::TemporarilyUnavailable { retry_after }
            }
            other => Self::InvalidRequest(other.description().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-105
    #[test]
    fn what_is_told_is_a_constant_of_the_characters_that_the_standard_allows() {
        for error in [
            AuthorizeError::InvalidRequest("scope is given twice"),
            AuthorizeError::AccessDenied,
            AuthorizeError::UnsupportedResponseType,
            AuthorizeError::LoginRequired,
            AuthorizeError::TemporarilyUnavailable { retry_after: 5 },
        ] {
            assert!(error.to_string().starts_with(error.code()));
            let allowed = |b: u8| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(error.description().bytes().all(allowed), "{error}");
            assert_eq!(error.body().error, error.code());
        }
    }

    #[test]
    fn trouble_of_the_server_is_not_the_clients_fault() {
        assert_eq!(AuthorizeError::ServerError.status(), 500);
        assert_eq!(AuthorizeError::TemporarilyUnavailable { retry_after: 5 }.status(), 503);
        let error = TokenError::from(AuthorizeError::TemporarilyUnavailable { retry_after: 5 });
        assert_eq!(error, TokenError::TemporarilyUnavailable { retry_after: 5 });
        assert_eq!(TokenError::from(AuthorizeError::InvalidScope).code(), "invalid_scope");
        assert_eq!(TokenError::from(AuthorizeError::LoginRequired).code(), "invalid_request");
    }
}
