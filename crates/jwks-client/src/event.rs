use claviger_jose::{Jwk, Kid};

use crate::held::PreparedKeys;

/// News of a key set, for who [subscribes](crate::JwksClient::subscribe).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeysEvent {
    /// The keys that are accepted have changed, by a new set or by a denial.
    Changed {
        /// Keys that are accepted from now on. A key that took over the name of another is also in `removed`. Both are empty
        /// if nothing has changed but until when a key signs.
        added: Vec<Kid>,
        /// Keys that are dead from now on.
        removed: Vec<Kid>,
        /// The generation that begins.
        generation: u64,
    },
    /// The set is no longer fresh and the issuer cannot be reached. Told once per outage.
    Stale,
    /// The issuer is reached again, after [`Stale`](Self::Stale).
    Recovered,
    /// The revocation feed has revoked something that was good before.
    Revoked {
        /// The keys among it that were not revoked before.
        kids: Vec<Kid>,
        /// How many things are revoked by now, keys among them.
        entries: usize,
        /// The generation that begins.
        generation: u64,
    },
    /// The feed answers with an older statement than one that was taken before: an old copy, or somebody who wants a
    /// revocation to be forgotten. It is refused.
    RevocationsRolledBack {
        /// The highest number that was taken.
        held: u64,
        /// The number of the statement that was refused.
        offered: u64,
    },
    /// A key was withdrawn in the same change in which the first other key of its algorithm appeared: tokens of the
    /// old key and tokens of the new one were never good at the same time, and some were refused.
    KeyWithoutOverlap {
        /// The key that was withdrawn.
        kid: Kid,
    },
}

/// What is different between two sets, in any order of their keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) added: Vec<Kid>,
    pub(crate) removed: Vec<Kid>,
    pub(crate) without_overlap: Vec<Kid>,
    /// Until when some key signs is another time.
    pub(crate) ends: bool,
}

impl Change {
    pub(crate) fn between(old: Option<&PreparedKeys>, new: &PreparedKeys) -> Self {
        let old: Vec<&Jwk> = old.into_iter().flat_map(PreparedKeys::iter).collect();
        let new: Vec<&Jwk> = new.iter().collect();
        // The name alone does not tell: an issuer that names its keys as it likes may give a name again. Until when it
        // signs makes it no other key.
        let is = |one: &Jwk, other: &Jwk| one.kid() == other.kid() && one.public_key() == other.public_key();
        let has = |keys: &[&Jwk], key: &Jwk| keys.iter().any(|other| is(key, other));
        let added: Vec<&Jwk> = new.iter().filter(|key| !has(&old, key)).copied().collect();
        let removed: Vec<&Jwk> = old.iter().filter(|key| !has(&new, key)).copied().collect();
        let stays = |key: &Jwk| new.iter().any(|other| other.alg() == key.alg() && has(&old, other));
        let ended =
            |key: &Jwk| old.iter().any(|other| is(key, other) && key.sign_until() != other.sign_until());
        let ends = new.iter().any(|key| ended(key));
        let succeeded = |key: &Jwk| added.iter().any(|other| other.alg() == key.alg());
        let without_overlap =
            removed.iter().filter(|key| succeeded(key) && !stays(key)).map(|key| *key.kid()).collect();
        let kids = |keys: &[&Jwk]| keys.iter().map(|key| *key.kid()).collect();
        Self { added: kids(&added), removed: kids(&removed), without_overlap, ends }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && !self.ends
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::JwkSet;
    use claviger_testkit::TestKey;
    use serde_json::json;

    use super::*;

    fn set(keys: &[&TestKey]) -> Option<PreparedKeys> {
        let keys: Vec<_> = keys.iter().map(|key| json!(key.jwk())).collect();
        PreparedKeys::of(&JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
    }

    fn check(old: &[&TestKey], new: &[&TestKey], added: &[&TestKey], removed: &[&TestKey], gap: &[&TestKey]) {
        let kids = |keys: &[&TestKey]| keys.iter().map(|key| *key.kid()).collect();
        let (added, removed, without_overlap) = (kids(added), kids(removed), kids(gap));
        let expected = Change { added, removed, without_overlap, ends: false };
        assert_eq!(Change::between(set(old).as_ref(), &set(new).unwrap()), expected);
    }

    #[test]
    fn a_change_is_told_by_the_keys_and_not_by_their_order() {
        let (r, e, other) = (TestKey::rs256(), TestKey::es256(), TestKey::es256_other());
        check(&[], &[r, e], &[r, e], &[], &[]);
        check(&[r, e], &[e, r], &[], &[], &[]);
        check(&[r, e], &[r], &[], &[e], &[]);
        check(&[r, e], &[r, other], &[other], &[e], &[e]);
        check(&[r], &[e], &[e], &[r], &[]);
        // The last step of one rotation and the first of the next: the key between them stays.
        check(&[e, other], &[other, r], &[r], &[e], &[]);
    }

    // S-21
    #[test]
    fn another_key_under_the_name_of_the_old_one_is_a_change() {
        let named = |key: &TestKey| {
            let mut jwk = json!(key.jwk());
            jwk["kid"] = "one".into();
            let document = json!({ "keys": [jwk] }).to_string();
            PreparedKeys::of(&JwkSet::parse_foreign(document.as_bytes()).unwrap()).unwrap()
        };
        let change = Change::between(Some(&named(TestKey::es256())), &named(TestKey::es256_other()));
        let one: Kid = "one".parse().unwrap();
        let (added, removed, without_overlap) = (vec![one], vec![one], vec![one]);
        assert_eq!(change, Change { added, removed, without_overlap, ends: false });
    }

    // S-18 S-41
    #[test]
    fn until_when_a_key_signs_is_a_change_and_makes_it_no_other_key() {
        let (old, new) = (TestKey::es256(), TestKey::es256_other());
        let retiring = old.jwk().clone().signing_until(claviger_jose::NumericDate::from_secs(1));
        let document = json!({ "keys": [retiring, new.jwk()] }).to_string();
        let after = PreparedKeys::of(&JwkSet::parse(document.as_bytes()).unwrap()).unwrap();
        let added = vec![*new.kid()];
        let expected = Change { added, ends: true, ..Change::default() };
        assert_eq!(Change::between(set(&[old]).as_ref(), &after), expected);
        assert!(!Change { ends: true, ..Change::default() }.is_none());
    }
}
