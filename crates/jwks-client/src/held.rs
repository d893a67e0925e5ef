use std::{sync::Arc, time::Duration};

use claviger_jose::{JwkSet, Kid, VerifyingKey};

/// Keys that are ready to verify with. At least one; replaced as a whole, never merged: a key that is
/// absent from the next set is dead.
#[derive(Debug, Clone)]
pub(crate) struct PreparedKeys(Arc<[Arc<VerifyingKey>]>);

impl PreparedKeys {
    /// Prepares the keys of a set, or answers `None` if not one can be used.
    pub(crate) fn of(set: &JwkSet) -> Option<Self> {
        let keys: Arc<[_]> =
            set.keys().iter().filter_map(|key| key.verifying_key().ok().map(Arc::new)).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    pub(crate) fn kids(&self) -> impl ExactSizeIterator<Item = &Kid> {
        self.0.iter().map(|key| key.kid())
    }

    /// Whether both hold the same keys, in any order. A kid is its key, and a set has each once.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.kids().all(|kid| other.find(kid).is_some())
    }

    fn find(&self, kid: &Kid) -> Option<&Arc<VerifyingKey>> {
        // At most 32 keys, usually 4: a walk is faster than a hash.
        self.0.iter().find(|key| key.kid() == kid)
    }
}

/// The key set in use, behind one atomic pointer.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) keys: PreparedKeys,
    /// By the monotonic clock: setting the wall clock back must not keep old keys alive.
    pub(crate) usable_until: Duration,
}

impl Held {
    pub(crate) fn is_usable(&self, now: Duration) -> bool {
        now < self.usable_until
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
        let held = Held { keys, usable_until: Duration::from_secs(10) };
        let found = |kid, now| held.key(kid, Duration::from_secs(now)).is_some();
        assert!(found(TestKey::es256().kid(), 9));
        assert!(!found(TestKey::es256().kid(), 10));
        assert!(!found(TestKey::es256_other().kid(), 9));
    }

    #[test]
    fn sets_differ_by_their_keys_and_not_by_their_order() {
        let (a, b) = (TestKey::es256(), TestKey::rs256());
        let same = |left: &[&TestKey], right: &[&TestKey]| {
            prepared(left).unwrap().same_as(&prepared(right).unwrap())
        };
        assert!(same(&[a, b], &[b, a]));
        assert!(!same(&[a, b], &[a]));
        assert!(!same(&[a], &[b]));
    }
}
