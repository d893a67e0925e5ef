use std::time::Duration;

use claviger_oauth::GrammarError;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenSourceError {
    /// The issuer answered and said no. Somebody has to change a configuration: the client's secret,
    /// or what the client may ask for. It is asked again after half a minute at most.
    #[error("the issuer refused the token request: {code}")]
    Refused {
        /// The code of [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
        code: Box<str>,
    },
    /// The issuer could not be reached, or what it answered was no token.
    #[error("no token can be had now: {reason}")]
    Unavailable {
        /// What went wrong, from a bounded set of sentences.
        reason: &'static str,
        /// After which time the issuer is asked again.
        retry_after: Duration,
    },
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is no https URL, nor an http URL of this machine.
    #[error("the issuer cannot be used: {0}")]
    Issuer(#[source] GrammarError),
    /// The client id has not the form of one.
    #[error("the client id cannot be used: {0}")]
    ClientId(#[source] GrammarError),
    /// The client secret is empty.
    #[error("the client secret is empty")]
    NoSecret,
    /// The method of authentication is none with a secret.
    #[error("a token source authenticates with client_secret_basic or client_secret_post")]
    Method,
    /// No HTTP client can be made, for instance because this system has no certificate authorities.
    #[error("no HTTP client can be made")]
    HttpClient(#[source] reqwest::Error),
}
