use std::{sync::Arc, time::Duration};

use claviger_jose::{Jwk, JwkSet, Kid, VerifyingKey};

/// Keys that are ready to verify with; replaced as a whole, never merged: a key that is absent from
/// the next set is dead.
#[derive(Debug, Clone)]
pub(crate) struct PreparedKeys(Arc<[Prepared]>);

/// A key as it was published, and as it is used.
#[derive(Debug, Clone)]
struct Prepared {
    jwk: Jwk,
    verifying: Arc<VerifyingKey>,
}

impl PreparedKeys {
    /// Prepares the keys of a set, or answers `None` if not one can be used.
    pub(crate) fn of(set: &JwkSet) -> Option<Self> {
        let prepare = |jwk: &Jwk| {
            let verifying = Arc::new(jwk.verifying_key().ok()?);
            Some(Prepared { jwk: jwk.clone(), verifying })
        };
        let keys: Arc<[_]> = set.keys().iter().filter_map(prepare).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The keys that are not dead: possibly none.
    pub(crate) fn without(&self, is_dead: impl Fn(&Kid) -> bool) -> Self {
        if self.0.iter().any(|key| is_dead(key.jwk.kid())) {
            Self(self.0.iter().filter(|key| !is_dead(key.jwk.kid())).cloned().collect())
        } else {
            self.clone()
        }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Jwk> {
        self.0.iter().map(|key| &key.jwk)
    }

    fn find(&self, kid: &Kid) -> Option<&Arc<VerifyingKey>> {
        // At most 32 keys, usually 4: a walk is faster than a hash.
        self.0.iter().find(|key| key.jwk.kid() == kid).map(|key| &key.verifying)
    }
}

/// The key set in use, behind one atomic pointer.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) keys: PreparedKeys,
    /// By the monotonic clock: setting the wall clock back must not keep old keys alive.
    pub(crate) usable_until: Duration,
    pub(crate) fresh_until: Duration,
}

impl Held {
    pub(crate) fn is_usable(&self, now: Duration) -> bool {
        now < self.usable_until
    }

    pub(crate) fn is_stale(&self, now: Duration) -> bool {
        self.fresh_until <= now
    }

    pub(crate) fn key(&self, kid: &Kid, now: Duration) -> Option<Arc<VerifyingKey>> {
        if self.is_usable(now) { self.keys.find(kid).cloned() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use claviger_testkit::TestKey;
    use serde_json::json;

    use super::*;

    fn prepared(keys: &[&TestKey]) -> Option<PreparedKeys> {
        let keys: Vec<_> = keys.iter().map(|key| json!(key.jwk())).collect();
        PreparedKeys::of(&JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
    }

    // S-27
    #[test]
    fn a_set_without_a_usable_key_cannot_be_held() {
        assert!(prepared(&[]).is_none());
        assert!(prepared(&[TestKey::es256()]).is_some());
    }

    // S-22
    #[test]
    fn keys_are_answered_until_the_set_is_too_old() {
        let keys = prepared(&[TestKey::es256()]).unwrap();
        let held = Held { keys, usable_until: Duration::from_secs(10), fresh_until: Duration::from_secs(5) };
        let found = |kid, now| held.key(kid, Duration::from_secs(now)).is_some();
        assert!(found(TestKey::es256().kid(), 9));
        assert!(!found(TestKey::es256().kid(), 10));
        assert!(!found(TestKey::es256_other().kid(), 9));
        assert!(!held.is_stale(Duration::from_secs(4)) && held.is_stale(Duration::from_secs(5)));
    }

    #[test]
    fn a_dead_key_is_not_among_them() {
        let keys = prepared(&[TestKey::es256(), TestKey::rs256()]).unwrap();
        let left: Vec<Kid> =
            keys.without(|kid| kid == TestKey::es256().kid()).iter().map(|key| *key.kid()).collect();
        assert_eq!(left, [*TestKey::rs256().kid()]);
    }
}
