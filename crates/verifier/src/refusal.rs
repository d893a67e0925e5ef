use std::time::Duration;

use claviger_jose::JwsError;
use claviger_jwks_client::KeyError;
use claviger_oauth::{PresentedTokenError, Scope};
use http::Response;

use crate::{
    Requirement,
    answer::{AnswerBody, Answers},
};

/// Why a request is refused.
///
/// The caller learns the variant, from status and challenge, and never what is inside
/// [`InvalidToken`](Self::InvalidToken): a forger would be told how far the forgery got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request has no token: 401 with a bare challenge.
    #[error("no access token")]
    NoToken,
    /// The request has more than one token, or place for one: 400.
    #[error("more than one access token")]
    RepeatedToken,
    /// The token is not accepted: 401 `invalid_token`.
    #[error("the token is not accepted: {0}")]
    InvalidToken(TokenFault),
    /// The token is good and lacks this scope: 403 `insufficient_scope`.
    #[error("the token lacks the scope {0}")]
    InsufficientScope(Scope),
    /// The token is good and its subject lacks a role or a claim: 403 `insufficient_scope`.
    #[error("the caller may not: {}", .0.code())]
    Forbidden(Requirement),
    /// The token is good and the authentication behind it too old or too weak: 401
    /// `insufficient_user_authentication` (RFC 9470).
    #[error("a stronger authentication is needed: {}", .0.code())]
    StepUp(Requirement),
    /// The token is bound to a key of its holder, and the proof beside it is not accepted: 401
    /// `invalid_dpop_proof` (RFC 9449 section 7.1).
    #[error("the proof of possession is not accepted: {0}")]
    InvalidProof(ProofFault),
    /// The proof beside the token needs this nonce: 401 `use_dpop_nonce` (RFC 9449 section 9).
    #[error("the proof of possession needs a nonce")]
    NonceNeeded(DpopNonce),
    /// The token came in a cookie, and nothing shows that the site's own page sent it: 403.
    #[error("a request from another site")]
    CrossSite,
    /// Too many tokens or proofs that may be used once are remembered already: 503.
    #[error("too many tokens or proofs to remember")]
    Busy {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The token is good, but the service could not look up whose it is: 503.
    #[error("the service's users are unavailable")]
    UsersUnavailable {
        /// When it is worth asking again.
        retry_after: Duration,
    },
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
    /// Of several issuers that are trusted it names none, or its claims cannot be read so far. Nobody has looked
    /// at its signature.
    #[error("no issuer that is trusted")]
    UntrustedIssuer,
    /// It is from another issuer.
    #[error("another issuer")]
    Issuer,
    /// It is signed, but another kind of token of its issuer.
    #[error("no access token")]
    NoAccessToken,
    /// It lacks claims that this service requires, or has them in another form.
    #[error("not the claims that this service reads")]
    UnexpectedClaims,
    /// It may be used once, and was.
    #[error("used already")]
    Used,
    /// The service has no user of this name.
    #[error("a subject that the service does not know")]
    UnknownSubject,
    /// It, or its session, subject or client, was revoked.
    #[error("revoked")]
    Revoked,
    /// Its key had ceased to sign when it claims to have been issued: whoever made it has stolen the key.
    #[error("issued after its key had ceased to sign")]
    SignedTooLate,
    /// It is for another service.
    #[error("another audience")]
    Audience,
    /// It is bound to a key of its holder, which nobody has checked.
    #[error("bound to its holder's key")]
    SenderConstrained,
    /// It is bound to another client's certificate.
    #[error("bound to another certificate")]
    OtherCertificate,
    /// It is presented with a proof, but not bound to the key of any.
    #[error("not bound to a key")]
    Unbound,
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

/// A nonce that a proof of possession has to have. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpopNonce(Box<str>);

impl DpopNonce {
    #[cfg(feature = "dpop")]
    pub(crate) fn new(text: String) -> Self {
        Self(text.into())
    }

    /// Its characters, of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is wrong with a proof of possession.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFault {
    /// There is none, or more than one.
    #[error("not exactly one proof")]
    NotOne,
    /// Its form, header, key, signature or claims are at fault.
    #[error("malformed, or not signed by its key")]
    Malformed,
    /// It is for another method or URL.
    #[error("for another request")]
    OtherRequest,
    /// It is for another access token, or from another key than the one that the token is bound to.
    #[error("for another token or from another key")]
    OtherToken,
    /// It is too old, or from the future.
    #[error("not from now")]
    Stale,
    /// It was seen before.
    #[error("seen before")]
    Replayed,
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
            Self::Forbidden(requirement) | Self::StepUp(requirement) => requirement.code(),
            Self::InvalidProof(fault) => fault.code(),
            Self::NonceNeeded(_) => "proof_nonce",
            Self::CrossSite => "cross_site",
            Self::Busy { .. } => "busy",
            Self::UsersUnavailable { .. } => "users_unavailable",
            Self::KeysUnavailable { .. } => "keys_unavailable",
        }
    }

    /// What the caller is answered, in HTTP (RFC 6750 section 3), by a verifier that has nothing to add. The
    /// bodies are constants.
    #[must_use]
    pub fn response(&self) -> Response<AnswerBody> {
        Answers::default().answer(self)
    }
}

impl ProofFault {
    /// The stable code of the fault.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotOne => "proof_not_one",
            Self::Malformed => "proof_malformed",
            Self::OtherRequest => "proof_other_request",
            Self::OtherToken => "proof_other_token",
            Self::Stale => "proof_stale",
            Self::Replayed => "proof_replayed",
        }
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
            Self::UntrustedIssuer => "untrusted_issuer",
            Self::Issuer => "wrong_issuer",
            Self::NoAccessToken => "no_access_token",
            Self::UnexpectedClaims => "unexpected_claims",
            Self::Used => "used",
            Self::UnknownSubject => "unknown_subject",
            Self::Revoked => "revoked",
            Self::SignedTooLate => "signed_too_late",
            Self::Audience => "wrong_audience",
            Self::SenderConstrained => "sender_constrained",
            Self::OtherCertificate => "other_certificate",
            Self::Unbound => "not_sender_constrained",
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
            Self::Malformed | Self::UnknownKid | Self::UntrustedIssuer => false,
            Self::Jws(error) => matches!(error, JwsError::MalformedPayload),
            _ => true,
        }
    }
}

impl From<PresentedTokenError> for Refusal {
    fn from(error: PresentedTokenError) -> Self {
        match error {
            PresentedTokenError::Missing => Self::NoToken,
            PresentedTokenError::Repeated => Self::RepeatedToken,
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

impl From<ProofFault> for Refusal {
    fn from(fault: ProofFault) -> Self {
        Self::InvalidProof(fault)
    }
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        Self::InvalidToken(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-13
    #[test]
    fn what_anybody_can_invent_is_not_logged_as_signed() {
        let signed = |error| TokenFault::Jws(error).is_signed();
        assert!(signed(JwsError::MalformedPayload));
        for error in [JwsError::Signature, JwsError::Typ, JwsError::MalformedCompact, JwsError::Algorithm] {
            assert!(!signed(error), "{error}");
        }
        assert!(TokenFault::Expired.is_signed());
        assert!(!TokenFault::UnknownKid.is_signed());
    }
}
