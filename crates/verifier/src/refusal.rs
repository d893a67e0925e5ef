use std::time::Duration;

use claviger_jose::JwsError;
use claviger_jwks_client::KeyError;
use claviger_oauth::{BearerError, Challenge, Scope};
use http::{HeaderValue, Response, StatusCode, header};

/// Why a request is refused.
///
/// The caller learns the variant, from status and challenge, and never what is inside
/// [`InvalidToken`](Self::InvalidToken): a forger would be told how far the forgery got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request has no bearer token: 401 with a bare challenge.
    #[error("no bearer token")]
    NoToken,
    /// The request has more than one Authorization header: 400.
    #[error("more than one Authorization header")]
    RepeatedToken,
    /// The token is not accepted: 401 `invalid_token`.
    #[error("the token is not accepted: {0}")]
    InvalidToken(TokenFault),
    /// The token is good and lacks this scope: 403 `insufficient_scope`.
    #[error("the token lacks the scope {0}")]
    InsufficientScope(Scope),
    /// The token may be good, but there is no key set to say so: 503.
    #[error("the key set of the issuer is unavailable")]
    KeysUnavailable {
        /// When it is worth asking again.
        retry_after: Duration,
    },
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// It is not of the form of a bearer token.
    #[error("not of the form of a bearer token")]
    Malformed,
    /// Form, header, signature or the claims' types are at fault.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The issuer has no such key.
    #[error("a kid that the issuer does not publish")]
    UnknownKid,
    /// It is from another issuer.
    #[error("another issuer")]
    Issuer,
    /// It is for another service.
    #[error("another audience")]
    Audience,
    /// It is bound to a key of its holder, which nobody has checked.
    #[error("bound to its holder's key")]
    SenderConstrained,
    /// It lives longer than any token may, or ends before it begins.
    #[error("a lifetime that is not allowed")]
    Lifetime,
    /// It claims to have been issued in the future.
    #[error("issued in the future")]
    IssuedInFuture,
    /// It is not valid yet.
    #[error("not valid yet")]
    NotYetValid,
    /// It has ended.
    #[error("expired")]
    Expired,
}

impl Refusal {
    /// A stable code for logs and metrics, from a bounded set; nothing of the request is in it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::RepeatedToken => "repeated_token",
            Self::InvalidToken(fault) => fault.code(),
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::KeysUnavailable { .. } => "keys_unavailable",
        }
    }

    /// What the caller is answered, in HTTP (RFC 6750 section 3). The bodies are constants.
    #[must_use]
    pub fn response(&self) -> Response<&'static str> {
        match self {
            Self::NoToken => challenge(&Challenge::Bare, ""),
            Self::RepeatedToken => challenge(&Challenge::InvalidRequest, r#"{"error":"invalid_request"}"#),
            Self::InvalidToken(_) => challenge(&Challenge::InvalidToken, r#"{"error":"invalid_token"}"#),
            Self::InsufficientScope(scope) => {
                let scope = Challenge::InsufficientScope(scope.clone());
                challenge(&scope, r#"{"error":"insufficient_scope"}"#)
            }
            Self::KeysUnavailable { retry_after } => unavailable(*retry_after),
        }
    }
}

fn challenge(challenge: &Challenge, body: &'static str) -> Response<&'static str> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(challenge.status()).expect("a challenge has a status of HTTP");
    let value = HeaderValue::try_from(challenge.to_string()).expect("a challenge is visible ASCII");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    declare_json(&mut response);
    response
}

fn unavailable(retry_after: Duration) -> Response<&'static str> {
    let mut response = Response::new(r#"{"error":"temporarily_unavailable"}"#);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let seconds = retry_after.as_millis().div_ceil(1000).clamp(1, 3600);
    let seconds = HeaderValue::try_from(seconds.to_string()).expect("digits are visible ASCII");
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    declare_json(&mut response);
    response
}

fn declare_json(response: &mut Response<&'static str>) {
    if !response.body().is_empty() {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
}

impl TokenFault {
    /// The stable code of the fault.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_token",
            Self::Jws(JwsError::TooLong) => "token_too_long",
            Self::Jws(JwsError::MalformedHeader) => "malformed_header",
            Self::Jws(JwsError::CriticalExtension) => "critical_extension",
            Self::Jws(JwsError::EmbeddedKey) => "embedded_key",
            Self::Jws(JwsError::Algorithm) => "wrong_algorithm",
            Self::Jws(JwsError::NoKid | JwsError::MalformedKid | JwsError::OtherKid) => "malformed_kid",
            Self::Jws(JwsError::Typ) => "wrong_type",
            Self::Jws(JwsError::Signature) => "bad_signature",
            Self::Jws(JwsError::MalformedPayload) => "malformed_claims",
            Self::Jws(_) => "malformed_jws",
            Self::UnknownKid => "unknown_kid",
            Self::Issuer => "wrong_issuer",
            Self::Audience => "wrong_audience",
            Self::SenderConstrained => "sender_constrained",
            Self::Lifetime => "lifetime",
            Self::IssuedInFuture => "issued_in_future",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
        }
    }

    /// Whether the issuer has signed the token nevertheless: a mistake of somebody's rather than
    /// anybody's invention.
    pub(crate) const fn is_signed(self) -> bool {
        match self {
            Self::Malformed | Self::UnknownKid => false,
            Self::Jws(error) => matches!(error, JwsError::MalformedPayload),
            _ => true,
        }
    }
}

impl From<BearerError> for Refusal {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Missing => Self::NoToken,
            BearerError::Repeated => Self::RepeatedToken,
            _ => Self::InvalidToken(TokenFault::Malformed),
        }
    }
}

impl From<JwsError> for Refusal {
    fn from(error: JwsError) -> Self {
        Self::InvalidToken(error.into())
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::UnknownKid => Self::InvalidToken(TokenFault::UnknownKid),
            KeyError::Unavailable { retry_after } => Self::KeysUnavailable { retry_after },
        }
    }
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        Self::InvalidToken(fault)
    }
}
