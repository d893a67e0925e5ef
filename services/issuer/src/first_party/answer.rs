use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use claviger_oauth::{AuthorizeError, ErrorBody, FormError, TokenError};
use claviger_store::StoreError;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{authorize, browser::ForeignOrigin, people::LogInError, provider::Locked};

/// When to come again if nothing else is known.
const SOON: Duration = Duration::from_secs(2);

/// Why nobody gets anything. One set for all four endpoints, and two ways to say it: see [`Refusal::in_protocol`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The request is not one. Nothing of what was typed is in the reason, so it may be told.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
    /// A wrong password, an unknown name, a disabled account (S-89).
    #[error("wrong credentials")]
    Wrong,
    /// A name or a password has not been sent yet.
    #[error("name or password missing")]
    Insufficient,
    /// Too many attempts at this account or from this address.
    #[error("too many attempts")]
    TooMany(Duration),
    /// Too many wrong ones in a row, until an operator says otherwise.
    #[error("too many attempts, and no more until an operator says so")]
    Stopped,
    /// Too many people at once, or no database.
    #[error("busy or unavailable")]
    Unavailable(Duration),
    /// The client is none of the house's own, which alone may see passwords.
    #[error("not a first-party client")]
    NotFirstParty,
    /// Cookies were sent, and not by a page of this site.
    #[error("cookies of another site's request")]
    CrossSite,
    /// The refusal of a token endpoint.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A token does not fit into a cookie: too many claims were declared.
    #[error("a token does not fit into a cookie")]
    CookieTooLong,
}

impl From<LogInError> for Refusal {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Malformed(reason) => Self::Malformed(reason.into()),
            LogInError::Wrong => Self::Wrong,
            LogInError::TooMany { retry_after } => Self::TooMany(retry_after),
            LogInError::Stopped => Self::Stopped,
            LogInError::Busy(_) => Self::Unavailable(SOON),
            LogInError::Unavailable(error) => error.into(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "nobody can log in");
        Self::Unavailable(Duration::from_secs(5))
    }
}

/// Without the issuer's own secret nobody is known again.
impl From<Locked> for Refusal {
    fn from(Locked: Locked) -> Self {
        Self::Unavailable(SOON)
    }
}

/// What the pages cannot do, because nothing answers them.
impl From<authorize::Refusal> for Refusal {
    fn from(_: authorize::Refusal) -> Self {
        Self::Unavailable(SOON)
    }
}

impl From<AuthorizeError> for Refusal {
    fn from(error: AuthorizeError) -> Self {
        Self::Token(error.into())
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        Self::Token(error.into())
    }
}

impl From<ForeignOrigin> for Refusal {
    fn from(_: ForeignOrigin) -> Self {
        Self::CrossSite
    }
}

impl Refusal {
    /// Status, code and description for the JSON form: those that HTTP has for it.
    fn in_json(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Malformed(reason) => (StatusCode::BAD_REQUEST, "invalid_request", reason),
            Self::Insufficient => {
                (StatusCode::BAD_REQUEST, "invalid_request", "username and password are needed")
            }
            Self::Wrong => {
                (StatusCode::UNAUTHORIZED, "invalid_credentials", "the name or the password is wrong")
            }
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "come again later"),
            Self::Stopped => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "an operator must let the person in again",
            ),
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "come again in a moment")
            }
            Self::NotFirstParty => {
                (StatusCode::FORBIDDEN, "unauthorized_client", "only a first-party client may take passwords")
            }
            Self::CrossSite => {
                (StatusCode::FORBIDDEN, "cross_site", "cookies are taken from pages of this site only")
            }
            Self::Token(TokenError::InvalidGrant(_)) => {
                (StatusCode::UNAUTHORIZED, "invalid_token", "the refresh token is not, or no longer, good")
            }
            Self::Token(error) => (
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST),
                error.code(),
                "refused",
            ),
            Self::CookieTooLong => {
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the token does not fit into a cookie")
            }
        }
    }

    /// Status, code and description for the authorization challenge endpoint: 400, but for those that have to wait (OAuth
    /// 2.0 for First-Party Applications, section 5.2.2).
    fn in_protocol(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Insufficient => {
                (StatusCode::BAD_REQUEST, "insufficient_authorization", "username and password are needed")
            }
            Self::Wrong => {
                (StatusCode::BAD_REQUEST, "insufficient_authorization", "the name or the password is wrong")
            }
            Self::NotFirstParty => (StatusCode::BAD_REQUEST, self.in_json().1, self.in_json().2),
            _ => self.in_json(),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany(wait) | Self::Unavailable(wait) => Some(wait.as_secs().max(1)),
            Self::Token(TokenError::TemporarilyUnavailable { retry_after }) => Some((*retry_after).into()),
            _ => None,
        }
    }

    fn answer(&self, (status, error, description): (StatusCode, &'static str, &str)) -> Response {
        tracing::info!(reason = %self, error, "a log-in request is refused");
        let body = match self {
            Self::Token(refused) if error == refused.code() => refused.body(),
            _ => ErrorBody { error: error.into(), error_description: description.to_owned().into() },
        };
        let mut response = private(status, &body);
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // Each 401 has a challenge (RFC 9110 section 15.5.2), and this one opens no dialogue in a browser.
            let challenge = match self {
                Self::Token(refused) => refused.challenge(),
                _ => None,
            };
            let challenge = HeaderValue::from_static(challenge.unwrap_or(r#"Bearer realm="login""#));
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// As the JSON form says it.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.answer(self.in_json())
    }
}

/// A refusal as the authorization challenge endpoint says it.
pub(super) struct InProtocol(pub(super) Refusal);

impl<E: Into<Refusal>> From<E> for InProtocol {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for InProtocol {
    fn into_response(self) -> Response {
        self.0.answer(self.0.in_protocol())
    }
}

/// JSON that no cache may keep.
pub(super) fn private(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("an answer is a plain structure of strings and numbers");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(refusal: &Refusal, json: (u16, &str), protocol: (u16, &str)) {
        let ((status, error, _), told) = (refusal.in_json(), refusal.in_protocol());
        assert_eq!((status.as_u16(), error), json, "{refusal:?}");
        assert_eq!((told.0.as_u16(), told.1), protocol, "{refusal:?}");
    }

    // S-78
    #[test]
    fn every_refusal_has_its_status_and_its_code() {
        let both = |refusal: Refusal, told: (u16, &str)| check(&refusal, told, told);
        both(Refusal::Malformed("x".into()), (400, "invalid_request"));
        check(&Refusal::Insufficient, (400, "invalid_request"), (400, "insufficient_authorization"));
        check(&Refusal::Wrong, (401, "invalid_credentials"), (400, "insufficient_authorization"));
        check(&Refusal::NotFirstParty, (403, "unauthorized_client"), (400, "unauthorized_client"));
        both(Refusal::CrossSite, (403, "cross_site"));
        both(Refusal::TooMany(SOON), (429, "too_many_attempts"));
        both(Refusal::Stopped, (429, "too_many_attempts"));
        both(Refusal::Unavailable(SOON), (503, "temporarily_unavailable"));
        both(Refusal::Token(TokenError::InvalidGrant("used".into())), (401, "invalid_token"));
        both(Refusal::Token(TokenError::InvalidClient("no such client".into())), (401, "invalid_client"));
        both(
            Refusal::Token(TokenError::TemporarilyUnavailable { retry_after: 7 }),
            (503, "temporarily_unavailable"),
        );
    }

    #[test]
    fn who_must_wait_is_told_for_how_long_and_who_is_not_known_is_challenged() {
        let wait = |refusal: Refusal| refusal.into_response().headers().get(RETRY_AFTER).cloned();
        assert_eq!(wait(Refusal::TooMany(Duration::from_mins(10))).unwrap(), "600");
        assert_eq!(wait(Refusal::Stopped), None, "no time is promised");
        assert_eq!(wait(Refusal::Unavailable(Duration::ZERO)).unwrap(), "1");
        assert_eq!(wait(TokenError::TemporarilyUnavailable { retry_after: 7 }.into()).unwrap(), "7");
        assert_eq!(wait(Refusal::Wrong), None);
        let response = Refusal::Wrong.into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], r#"Bearer realm="login""#);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }
}
