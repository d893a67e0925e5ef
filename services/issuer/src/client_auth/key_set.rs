//! The public keys of a client: those that it registered, or those that it publishes.

use claviger_jose::{JwkSet, JwkSetError, Kid, VerifyingKey};

/// Keys that are prepared, by the names that their client gave them.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<VerifyingKey>);

/// Why a key set is none to authenticate with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error(transparent)]
    Set(#[from] JwkSetError),
    #[error("it has no key for RS256 or ES256 with a `kid`")]
    NoKey,
}

impl KeySet {
    /// Reads a JWK set. Keys that are for something else are passed over.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        let set = JwkSet::parse_foreign(document)?;
        let keys: Vec<_> = set.keys().iter().filter_map(|key| key.verifying_key().ok()).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(Self(keys)) }
    }

    /// The key of this name.
    pub(crate) fn key(&self, kid: &Kid) -> Option<&VerifyingKey> {
        self.0.iter().find(|key| key.kid() == kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"K","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

    fn parse(keys: &str) -> Result<KeySet, KeySetError> {
        KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())
    }

    // S-55
    #[test]
    fn a_set_is_read_by_the_names_that_the_client_gave() {
        let set = parse(EC).unwrap();
        assert!(set.key(&"K".parse().unwrap()).is_some() && set.key(&"other".parse().unwrap()).is_none());
        assert_eq!(parse("").unwrap_err(), KeySetError::NoKey);
        let nameless = EC.replace(r#""kid":"K","#, "");
        assert_eq!(parse(&nameless).unwrap_err(), KeySetError::NoKey);
        let private = EC.replace(r#""kid""#, r#""d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","kid""#);
        assert_eq!(parse(&private).unwrap_err(), KeySetError::Set(JwkSetError::PrivateKey));
        let symmetric = r#"{"kty":"oct","k":"AAAA","kid":"s"}"#;
        assert_eq!(parse(symmetric).unwrap_err(), KeySetError::Set(JwkSetError::PrivateKey));
        assert_eq!(KeySet::parse(b"[]").unwrap_err(), KeySetError::Set(JwkSetError::Malformed));
    }
}
