use std::{io, time::Duration};

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
    /// 304, although nothing was asked that it could answer, or about another entity tag than the one that was sent.
    #[error("not modified, but not what is held")]
    NotModified,
    /// A compressed body: its size cannot be bounded before it is unpacked.
    #[error("a content encoding")]
    ContentEncoding,
    /// A body over 256 KiB, or a statement of the revocation feed over 4 MiB.
    #[error("the body is too large")]
    TooLarge,
    /// The metadata is not a JSON object with `issuer` and `jwks_uri`.
    #[error("malformed metadata")]
    Metadata,
    /// The metadata names another issuer (RFC 8414 section 3.3).
    #[error("the metadata of another issuer")]
    OtherIssuer,
    /// The `jwks_uri` is neither https nor, for an issuer on http, a loopback address; or an issuer elsewhere leads to this
    /// machine.
    #[error("a jwks_uri that is not acceptable")]
    JwksUri,
    /// The set as a whole cannot be trusted.
    #[error(transparent)]
    Set(#[from] JwkSetError),
    /// Another set than the one that is held, and by its `Age` from before that one: of a replica of the issuer that is cut
    /// off from its database, or of a cache.
    #[error("an older set than the one that is held")]
    Older,
    /// No key in the set can be used.
    #[error("no usable key in the set")]
    NoUsableKey,
    /// The watched file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(io::ErrorKind),
    /// The attempt was broken off inside this process, by a panic or the end of the runtime.
    #[error("the attempt was broken off in this process")]
    Interrupted,
}

impl FetchError {
    /// What the operator can do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Timeout | Self::Connect | Self::Transport => {
                "is the issuer up, may this host reach it, and is its certificate one that this system trusts?"
            }
            Self::Redirect => "redirects are not followed: configure the URL that the redirect leads to",
            Self::Status(404) => {
                "there is no such document: check the path of the issuer, or configure the JWKS URL"
            }
            Self::Status(_) | Self::NotModified => {
                "the server refuses: look at the issuer or the proxy before it"
            }
            Self::ContentEncoding => "have the server send the document without compression",
            Self::TooLarge => {
                "a key set has 256 KiB at most, a revocation feed 4 MiB: is this the right document?"
            }
            Self::Metadata => "the document there is not the metadata of an issuer: check its path",
            Self::OtherIssuer => {
                "configure the issuer exactly as its metadata and the iss of its tokens spell it, \
                 byte for byte: a trailing slash counts"
            }
            Self::JwksUri => {
                "the jwks_uri must be https, and not this host: mend the metadata, or configure the JWKS URL"
            }
            Self::Set(JwkSetError::PrivateKey) => {
                "the issuer has published a private key: it must be revoked, at once"
            }
            Self::Set(_) => "the document there is not a JWK set that can be trusted",
            Self::Older => {
                "a replica of the issuer is cut off from its database, or a cache on the way holds old copies"
            }
            Self::NoUsableKey => {
                "the set needs a key for RS256 or ES256, named by its thumbprint; if the issuer names its keys \
                 otherwise, allow foreign kids"
            }
            Self::File(_) => "the path must be that of a regular file which this process may read",
            Self::Interrupted => "look for a panic in the log; the runtime must live as long as the client",
        }
    }

    /// A name from a closed set, for metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Transport => "transport",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::NotModified => "not_modified_without_cause",
            Self::ContentEncoding => "content_encoding",
            Self::TooLarge => "too_large",
            Self::Metadata => "metadata",
            Self::OtherIssuer => "other_issuer",
            Self::JwksUri => "jwks_uri",
            Self::Set(JwkSetError::PrivateKey) => "private_key",
            Self::Set(_) => "malformed_set",
            Self::Older => "older",
            Self::NoUsableKey => "no_usable_key",
            Self::File(_) => "file",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether it means that the issuer has lost a private key, not that the network is bad.
    pub(crate) fn is_alarming(self) -> bool {
        self == Self::Set(JwkSetError::PrivateKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-26
    #[test]
    fn only_a_published_private_key_is_an_alarm() {
        assert!(FetchError::Set(JwkSetError::PrivateKey).is_alarming());
        for other in [FetchError::Set(JwkSetError::Malformed), FetchError::Timeout, FetchError::NoUsableKey] {
            assert!(!other.is_alarming(), "{other}");
        }
    }
}
