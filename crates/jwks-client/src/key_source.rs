use std::{fmt, path::PathBuf};

use claviger_jose::JwkSet;
use serde_json::json;

use crate::endpoint;

/// Where a key set comes from. Several, in order, make a [failover](crate::JwksClientBuilder::failover).
///
/// Its `Debug` shows no query, user or password of a URL, and no set.
#[derive(Clone, PartialEq, Eq, Hash)]
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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JwksDocument(String);

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovery => f.write_str("Discovery"),
            Self::JwksUrl(url) => f.debug_tuple("JwksUrl").field(&endpoint::without_secrets(url)).finish(),
            Self::FixedSet(document) => f.debug_tuple("FixedSet").field(document).finish(),
            Self::WatchedFile(path) => f.debug_tuple("WatchedFile").field(path).finish(),
        }
    }
}

impl fmt::Debug for JwksDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksDocument({} bytes)", self.0.len())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JwksClient;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let builder = JwksClient::builder("https://user:secret@id.test/tenant?secret").failover([
            KeySource::Discovery,
            KeySource::JwksUrl("https://user:secret@id.test/keys?token=secret#secret".to_owned()),
            KeySource::JwksUrl("secret".to_owned()),
            KeySource::WatchedFile("/keys".into()),
            KeySource::FixedSet("secret".into()),
        ]);
        let shown = format!("{builder:?}");
        assert!(!shown.contains("secret") && !shown.contains("user"), "{shown}");
        let expected = "issuer: \"https://id.test/tenant\", sources: [Discovery, JwksUrl(\"https://id.test/keys\"), \
                        JwksUrl(\"(not a URL)\"), WatchedFile(\"/keys\"), FixedSet(JwksDocument(6 bytes))]";
        assert!(shown.contains(expected), "{shown}");
    }
}
