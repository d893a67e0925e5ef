use std::time::Duration;

use claviger_jose::JwkSetError;

/// Why there is no key for a kid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The issuer has no such key: the set is current and lacks it. A resource service answers 401.
    #[error("the issuer has no key of this kid")]
    UnknownKid,
    /// Nobody knows: there is no usable set, or the kid is new and the issuer could not be asked. A resource
    /// service answers 503, because the token may be good.
    #[error("the key set of the issuer is unavailable")]
    Unavailable {
        /// When it is worth asking again: whole seconds, 1 to 60.
        retry_after: Duration,
    },
}

/// Why an attempt to fetch the set failed. It never holds anything that the network sent but a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No complete answer in time.
    #[error("timed out")]
    Timeout,
    /// No connection: refused, name not found, certificate not trusted.
    #[error("cannot connect")]
    Connect,
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke")]
    Transport,
    /// A redirect: key sets are where the issuer says, not where an answer points.
    #[error("redirected")]
    Redirect,
    /// Another status than 200.
    #[error("status {0}")]
    Status(u16),
    /// 304, although nothing was held that could be unmodified.
    #[error("not modified since nothing")]
    NotModified,
    /// A compressed body: its size cannot be bounded before it is unpacked.
    #[error("a content encoding")]
    ContentEncoding,
    /// A body over 256 KiB.
    #[error("the body is too large")]
    TooLarge,
    /// The metadata is not a JSON object with `issuer` and `jwks_uri`.
    #[error("malformed metadata")]
    Metadata,
    /// The metadata names another issuer (RFC 8414 section 3.3).
    #[error("the metadata of another issuer")]
    OtherIssuer,
    /// The `jwks_uri` is neither https nor, for an issuer on http, a loopback address.
    #[error("a jwks_uri that is not acceptable")]
    JwksUri,
    /// The set as a whole cannot be trusted.
    #[error(transparent)]
    Set(#[from] JwkSetError),
    /// No key in the set can be used.
    #[error("no usable key in the set")]
    NoUsableKey,
}
