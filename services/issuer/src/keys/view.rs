use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use axum::body::Bytes;
use claviger_jose::{Algorithm, Kid, NumericDate, base64url};
use claviger_keyring::{KeyState, Keyring, ManagedKey, SigningKey};
use claviger_store::KeySnapshot;
use http::HeaderValue;

use super::Opened;

/// What the request path sees of the keys: one value, swapped as a whole.
#[derive(Debug)]
pub struct KeyView {
    /// The keyring revision that this is a view of.
    pub revision: u64,
    /// All keys and their states.
    pub keyring: Keyring,
    /// The set as it is published.
    pub published: PublishedSet,
    /// Why nothing is signed, if so.
    pub verify_only: Option<String>,
    /// Whether the key-encryption key, of this look or an earlier one, vouches for the set as it is published.
    pub vouched: bool,
    /// When each key was made.
    pub created: HashMap<Kid, NumericDate>,
    /// Stored keys that are damaged, that nobody vouches for, or that should sign and do not open.
    pub unusable: usize,
    signers: Vec<Arc<SigningKey>>,
}

/// The JWK set, ready to be sent.
#[derive(Debug, Clone)]
pub struct PublishedSet {
    /// The JSON document.
    pub body: Bytes,
    /// A strong validator: the hash of the document.
    pub etag: HeaderValue,
    /// `public, max-age=C, stale-if-error=M`.
    pub cache_control: HeaderValue,
}

impl KeyView {
    /// The view of opened keys. `freshness` is C, `staleness` is M, `lease` is L.
    #[must_use]
    pub fn new(opened: Opened, freshness: Duration, staleness: Duration, lease: Duration) -> Self {
        Self {
            published: PublishedSet::new(&opened.keyring, freshness, staleness, lease),
            revision: opened.revision,
            keyring: opened.keyring,
            vouched: opened.verify_only.is_none(),
            verify_only: opened.verify_only,
            created: HashMap::new(),
            unusable: 0,
            signers: opened.signers,
        }
    }

    /// The same view, with what only the stored rows tell.
    #[must_use]
    pub fn with_rows(mut self, rows: &KeySnapshot) -> Self {
        self.created = rows.keys.iter().map(|key| (*key.jwk.kid(), key.created_at)).collect();
        let unvouched = rows.keys.len().saturating_sub(self.keyring.keys().len());
        let closed = |alg: &Algorithm| self.keyring.active(*alg).is_some() && self.signer(*alg).is_none();
        let closed = Algorithm::ALL.iter().filter(|alg| self.verify_only.is_none() && closed(alg)).count();
        self.unusable = rows.unreadable.len() + unvouched + closed;
        self
    }

    /// A view of nothing, before the first look into the database.
    #[must_use]
    pub fn empty() -> Self {
        let nothing = Opened {
            revision: 0,
            keyring: Keyring::default(),
            signers: Vec::new(),
            unvouched: Vec::new(),
            unreadable: Vec::new(),
            verify_only: None,
        };
        let view = Self::new(nothing, Duration::ZERO, Duration::ZERO, Duration::ZERO);
        Self { vouched: false, ..view }
    }

    /// The view after this one. A set that was vouched for is never replaced by one that is not: whoever can
    /// write the database but lacks the key-encryption key could publish a key of his choice, at once or in several
    /// steps.
    #[must_use]
    pub fn followed_by(&self, next: Self) -> Self {
        if next.verify_only.is_none() || !self.vouched {
            return next;
        }
        Self { published: self.published.clone(), keyring: self.keyring.clone(), vouched: true, ..next }
    }

    /// The key that signs with this algorithm, if one can.
    #[must_use]
    pub fn signer(&self, alg: Algorithm) -> Option<&Arc<SigningKey>> {
        self.signers.iter().find(|key| key.alg() == alg)
    }

    /// The kids of the set as it is published.
    #[must_use]
    pub fn published_kids(&self) -> Vec<Kid> {
        self.keyring.published().map(|key| *key.jwk.kid()).collect()
    }

    /// The opened keys, so that the next view need not open them again.
    #[must_use]
    pub fn signers(&self) -> &[Arc<SigningKey>] {
        &self.signers
    }
}

impl PublishedSet {
    /// The strong validator without its quotes: how the set is named in the feed and by verifiers.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.etag.to_str().unwrap_or_default().trim_matches('"')
    }

    fn new(keyring: &Keyring, freshness: Duration, staleness: Duration, lease: Duration) -> Self {
        // A replica that has not heard of the retirement goes on signing until its lease is over, and no longer.
        let published = |key: &ManagedKey| match key.state {
            KeyState::Retiring { since, .. } => key.jwk.clone().signing_until(since + lease),
            _ => key.jwk.clone(),
        };
        let mut keys: Vec<_> = keyring.published().map(published).collect();
        keys.sort_by_key(|jwk| *jwk.kid()); // one set has one document, and so one ETag
        let body = serde_json::json!({ "keys": keys }).to_string();
        let hash = digest::digest(&digest::SHA256, body.as_bytes());
        let etag = format!("\"{}\"", base64url::encode(&hash.as_ref()[..18]));
        let (freshness, staleness) = (freshness.as_secs(), staleness.as_secs());
        let cache_control = format!("public, max-age={freshness}, stale-if-error={staleness}");
        Self {
            body: Bytes::from(body),
            etag: HeaderValue::from_str(&etag).expect("base64url in quotes is a header value"),
            cache_control: HeaderValue::from_str(&cache_control).expect("numbers are a header value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::{JwkSet, NumericDate};
    use claviger_keyring::generate;

    use super::*;
    use crate::rng::SystemRng;

    fn view(state: KeyState, key: &SigningKey) -> KeyView {
        let opened = Opened {
            revision: 1,
            keyring: Keyring::new(vec![ManagedKey { jwk: key.jwk().clone(), state }]),
            signers: Vec::new(),
            unvouched: Vec::new(),
            unreadable: Vec::new(),
            verify_only: None,
        };
        KeyView::new(opened, Duration::from_mins(5), Duration::ZERO, Duration::from_mins(1))
    }

    // S-41
    #[test]
    fn only_a_key_that_retires_tells_until_when_it_signs() {
        let key = generate(Algorithm::Es256, &mut SystemRng).unwrap().1;
        let since = NumericDate::from_secs(1000);
        let until = NumericDate::from_secs(5000);
        let told = |view: &KeyView| JwkSet::parse(&view.published.body).unwrap().keys()[0].sign_until();
        let active = view(KeyState::Active { since }, &key);
        let retiring = view(KeyState::Retiring { since, until }, &key);
        assert_eq!(told(&view(KeyState::Prepared { since }, &key)), None);
        assert_eq!(told(&active), None);
        assert_eq!(told(&retiring), Some(NumericDate::from_secs(1060)), "the lease after its retirement");
        assert_ne!(
            active.published.tag(),
            retiring.published.tag(),
            "a verifier that holds the set learns of it"
        );
    }
}
