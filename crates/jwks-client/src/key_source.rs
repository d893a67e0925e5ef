use std::path::PathBuf;

use claviger_jose::JwkSet;
use serde_json::json;

/// Where a key set comes from. Several, in order, make a [failover](crate::JwksClientBuilder::failover).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeySource {
    /// The URL that the issuer's metadata names (RFC 8414, or OpenID Connect Discovery 1.0).
    Discovery,
    /// This URL. The operator vouches that it is the issuer's.
    JwksUrl(String),
    /// This set: it is never fetched and never stale.
    FixedSet(JwksDocument),
    /// A file with a set, which is read again when it changes.
    WatchedFile(PathBuf),
}

/// A JWK set as text (RFC 7517 section 5). It is not checked before a client is built with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JwksDocument(String);

impl JwksDocument {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for JwksDocument {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for JwksDocument {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&JwkSet> for JwksDocument {
    fn from(set: &JwkSet) -> Self {
        Self(json!({ "keys": set.keys() }).to_string())
    }
}
