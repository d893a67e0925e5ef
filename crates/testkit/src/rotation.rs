use std::collections::BTreeMap;

use claviger_jose::{Algorithm, Kid, NumericDate};
use serde::Serialize;
use serde_json::json;

use crate::{TestIssuer, TestKey};

/// Where a published key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published, and signs nothing yet.
    Prepared,
    /// Signs.
    Active,
    /// Signed until the last promotion, and is published for the tokens that are still out.
    Retiring,
}

/// The keys of an issuer: all of them are published, one of each algorithm signs.
#[derive(Debug)]
pub(crate) struct Keys {
    published: Vec<(KeyState, &'static TestKey)>,
    /// A kid that was ever here never comes back.
    known: Vec<Kid>,
    /// When each key that retires has ceased to sign.
    ended: BTreeMap<Kid, NumericDate>,
}

/// A step that the keys do not allow; the text says what would be.
pub(crate) type Impossible = String;

impl Keys {
    /// The first key of each algorithm signs, further ones are prepared.
    pub(crate) fn of(keys: &[&'static TestKey]) -> Self {
        let mut published: Vec<(KeyState, &'static TestKey)> = Vec::new();
        for key in keys {
            let follows = published.iter().any(|(_, earlier)| earlier.alg() == key.alg());
            published.push((if follows { KeyState::Prepared } else { KeyState::Active }, key));
        }
        Self { published, known: keys.iter().map(|key| *key.kid()).collect(), ended: BTreeMap::new() }
    }

    pub(crate) fn published(&self) -> &[(KeyState, &'static TestKey)] {
        &self.published
    }

    pub(crate) fn active(&self, alg: Algorithm) -> Option<&'static TestKey> {
        self.published
            .iter()
            .find(|(state, key)| *state == KeyState::Active && key.alg() == alg)
            .map(|(_, key)| *key)
    }

    /// The set as it is served (RFC 7517 section 5).
    pub(crate) fn jwks(&self) -> String {
        let jwk = |key: &TestKey| match self.ended.get(key.kid()) {
            Some(until) => json!(key.jwk().clone().signing_until(*until)),
            None => json!(key.jwk()),
        };
        let keys: Vec<_> = self.published.iter().map(|(_, key)| jwk(key)).collect();
        json!({ "keys": keys }).to_string()
    }

    pub(crate) fn publish_next(&mut self, alg: Algorithm) -> &'static TestKey {
        let next = self.strange(alg);
        self.known.push(*next.kid());
        self.published.push((KeyState::Prepared, next));
        next
    }

    /// A key that was never here.
    pub(crate) fn strange(&self, alg: Algorithm) -> &'static TestKey {
        // One number more than there are known keys, so one of them is new.
        (0..=self.known.len())
            .map(|number| TestKey::nth(alg, number))
            .find(|key| !self.known.contains(key.kid()))
            .expect("keys with different numbers are different")
    }

    /// A key that was ever here.
    pub(crate) fn known(&self, kid: &Kid) -> Option<&'static TestKey> {
        let numbers = 0..=self.known.len();
        let all = numbers.flat_map(|n| [Algorithm::Es256, Algorithm::Rs256].map(|alg| (alg, n)));
        all.filter(|_| self.known.contains(kid))
            .map(|(alg, n)| TestKey::nth(alg, n))
            .find(|key| key.kid() == kid)
    }

    pub(crate) fn promote(
        &mut self,
        alg: Algorithm,
        now: NumericDate,
    ) -> Result<&'static TestKey, Impossible> {
        let is_next = |(state, key): &(KeyState, &TestKey)| *state == KeyState::Prepared && key.alg() == alg;
        let Some(next) = self.published.iter().position(is_next) else {
            return Err(format!("no {alg} key is prepared: publish the next one first"));
        };
        for (state, key) in &mut self.published {
            if *state == KeyState::Active && key.alg() == alg {
                *state = KeyState::Retiring;
                self.ended.insert(*key.kid(), now);
            }
        }
        self.published[next].0 = KeyState::Active;
        Ok(self.published[next].1)
    }

    pub(crate) fn retire(&mut self, alg: Algorithm) -> Result<Vec<&'static TestKey>, Impossible> {
        let is_retiring =
            |(state, key): &mut (KeyState, &TestKey)| *state == KeyState::Retiring && key.alg() == alg;
        let retired: Vec<_> = self.published.extract_if(.., is_retiring).map(|(_, key)| key).collect();
        if retired.is_empty() {
            return Err(format!("no {alg} key is retiring: promote another one first"));
        }
        Ok(retired)
    }

    pub(crate) fn revoke(&mut self, kid: &Kid, now: NumericDate) -> Result<(), Impossible> {
        let Some(at) = self.published.iter().position(|(_, key)| key.kid() == kid) else {
            return Err(format!("no key {kid} is published"));
        };
        let (state, revoked) = self.published.remove(at);
        if state == KeyState::Active && self.promote(revoked.alg(), now).is_err() {
            self.publish_next(revoked.alg());
            self.promote(revoked.alg(), now)?;
        }
        Ok(())
    }
}

/// The life of its keys.
impl TestIssuer {
    /// Publishes these keys and no others: the first of each algorithm signs, further ones are prepared.
    pub fn set_keys(&self, keys: &[&'static TestKey]) {
        let mut state = self.shared().state();
        state.keys = Keys::of(keys);
        state.raw_jwks = None;
    }

    /// Publishes any text as the key set, until a key is published, promoted, retired or revoked.
    pub fn set_raw_jwks(&self, text: String) {
        self.shared().state().raw_jwks = Some(text);
    }

    /// The published keys and where each is in its life.
    #[must_use]
    pub fn keys(&self) -> Vec<(KeyState, &'static TestKey)> {
        self.shared().state().keys.published().to_vec()
    }

    /// Publishes a key that this issuer never had. It signs nothing until it is [promoted](Self::promote).
    pub fn publish_next(&self, alg: Algorithm) -> &'static TestKey {
        self.change(|keys| Ok(keys.publish_next(alg)))
    }

    /// Lets the prepared key sign. The one that did is still published: it retires, and the set says until when it has
    /// signed.
    ///
    /// # Panics
    /// If no key is prepared.
    pub fn promote(&self, alg: Algorithm) -> &'static TestKey {
        let now = self.shared().clock.now();
        self.change(|keys| keys.promote(alg, now))
    }

    /// Ends the retirement: the keys that signed before the last promotion leave the set.
    ///
    /// # Panics
    /// If no key retires.
    pub fn retire(&self, alg: Algorithm) {
        self.change(|keys| keys.retire(alg));
    }

    /// Takes a key out of the set at once. If it was the one that signs, the prepared one takes over, and
    /// without one a new key. The revocation feed does not name it: see [`revoke_kid`](Self::revoke_kid).
    ///
    /// # Panics
    /// If no such key is published.
    pub fn revoke(&self, kid: &Kid) {
        let now = self.shared().clock.now();
        self.change(|keys| keys.revoke(kid, now));
    }

    fn change<T>(&self, step: impl FnOnce(&mut Keys) -> Result<T, Impossible>) -> T {
        self.try_change(step).unwrap_or_else(|reason| panic!("{reason}"))
    }

    pub(crate) fn try_change<T>(
        &self,
        step: impl FnOnce(&mut Keys) -> Result<T, Impossible>,
    ) -> Result<T, Impossible> {
        let mut state = self.shared().state();
        let changed = step(&mut state.keys)?;
        state.raw_jwks = None;
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyState::{Active, Prepared, Retiring};

    const ALG: Algorithm = Algorithm::Es256;
    const NOW: NumericDate = NumericDate::from_secs(1_800_000_000);

    fn check(keys: &Keys, expected: &[(KeyState, usize)]) {
        let expected: Vec<_> =
            expected.iter().map(|(state, number)| (*state, TestKey::nth(ALG, *number).kid())).collect();
        let found: Vec<_> = keys.published().iter().map(|(state, key)| (*state, key.kid())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_key_is_published_signs_retires_and_leaves() {
        let mut keys = Keys::of(&[TestKey::es256()]);
        keys.publish_next(ALG);
        check(&keys, &[(Active, 0), (Prepared, 1)]);
        assert_eq!(keys.promote(ALG, NOW).unwrap().kid(), keys.active(ALG).unwrap().kid());
        check(&keys, &[(Retiring, 0), (Active, 1)]);
        assert!(keys.jwks().contains("\"sign_until\":1800000000"));
        assert_eq!(keys.retire(ALG).unwrap().len(), 1);
        keys.publish_next(ALG);
        check(&keys, &[(Active, 1), (Prepared, 2)]);
    }

    #[test]
    fn an_impossible_step_says_what_is_missing() {
        let mut keys = Keys::of(&[TestKey::es256()]);
        assert!(keys.promote(ALG, NOW).unwrap_err().contains("publish the next one first"));
        assert!(keys.retire(ALG).unwrap_err().contains("promote"));
        assert!(keys.revoke(TestKey::rs256().kid(), NOW).unwrap_err().contains("is published"));
        check(&keys, &[(Active, 0)]);
    }

    // S-42
    #[test]
    fn a_revoked_key_is_gone_at_once_and_another_one_signs() {
        let mut keys = Keys::of(&[TestKey::es256()]);
        keys.publish_next(ALG);
        keys.revoke(TestKey::es256().kid(), NOW).unwrap();
        check(&keys, &[(Active, 1)]);
        keys.revoke(TestKey::es256_other().kid(), NOW).unwrap();
        check(&keys, &[(Active, 2)]);
    }
}
