//! The database that all replicas share: the real keyring, and every version of what was published.

use std::{collections::HashMap, sync::Arc};

use claviger_jose::{Algorithm, Jwk, Kid, NumericDate, PublicKey};
use claviger_keyring::{KeyState, Keyring, RotationPolicy, Step, StepRefused};
use serde_json::json;

use crate::{
    time::{Millis, date, millis},
    tokens::TokenRevocation,
};

/// The number of a key, in the order in which they were made.
pub(crate) type KeyNo = usize;
/// The number of a version of the key set.
pub(crate) type Version = usize;

/// The state that everybody learns of, and its history.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) policy: RotationPolicy,
    pub(crate) keyring: Keyring,
    pub(crate) keys: Vec<KeyRecord>,
    pub(crate) versions: Vec<Published>,
    /// In the order of the statements of the feed: statement n names the first n.
    pub(crate) revoked: Vec<Revoked>,
    numbers: HashMap<Kid, KeyNo>,
}

/// What a statement of the feed names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Revoked {
    Key(KeyNo),
    Tokens(TokenRevocation),
}

/// What became of a key.
#[derive(Debug, Clone)]
pub(crate) struct KeyRecord {
    pub(crate) kid: Kid,
    pub(crate) published_at: Millis,
    /// When it began to sign.
    pub(crate) activated_at: Option<Millis>,
    /// When it ceased to be the active one.
    pub(crate) stopped_at: Option<Millis>,
    pub(crate) revoked_at: Option<Millis>,
    pub(crate) removed_at: Option<Millis>,
    /// It began to sign in an emergency, before anybody could be sure to know it.
    pub(crate) is_unlearned: bool,
    /// Some replica has signed with it.
    pub(crate) has_signed: bool,
    /// Until when tokens live that replicas have signed with it which do so no more.
    pub(crate) tokens_live_until: Millis,
}

/// One version of what is published.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) at: Millis,
    pub(crate) keys: Vec<PublishedKey>,
    pub(crate) kids: Arc<[Kid]>,
    /// Per algorithm, the key that signs.
    pub(crate) active: [Option<KeyNo>; 2],
    /// The first version with the same key set: what the set is called.
    pub(crate) set: Version,
    /// The number of the feed's statement.
    pub(crate) statement: usize,
    /// The size of the key set as a document.
    pub(crate) bytes: usize,
}

/// A key as it stands in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublishedKey {
    pub(crate) number: KeyNo,
    pub(crate) sign_until: Option<NumericDate>,
}

impl Published {
    pub(crate) fn key(&self, number: KeyNo) -> Option<&PublishedKey> {
        self.keys.iter().find(|key| key.number == number)
    }
}

impl Database {
    pub(crate) fn new(policy: RotationPolicy) -> Self {
        Self {
            policy,
            keyring: Keyring::default(),
            keys: Vec::new(),
            versions: Vec::new(),
            revoked: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// The version that somebody sees who looks at this moment.
    pub(crate) fn version_at(&self, moment: Millis) -> Version {
        let later = self.versions.iter().rev().take_while(|version| version.at > moment).count();
        (self.versions.len() - later).saturating_sub(1)
    }

    pub(crate) fn latest(&self) -> Version {
        self.versions.len().saturating_sub(1)
    }

    pub(crate) fn number(&self, kid: &Kid) -> KeyNo {
        self.numbers[kid]
    }

    /// One transaction. `emergency`: nobody waits for anything.
    pub(crate) fn take(&mut self, steps: &[Step], now: Millis, emergency: bool) -> Result<(), StepRefused> {
        let mut keyring = self.keyring.clone();
        let before: Vec<(Kid, KeyState)> =
            keyring.keys().iter().map(|key| (*key.jwk.kid(), key.state)).collect();
        for step in steps {
            let created = match step {
                Step::Create { alg, .. } => Some(fresh_key(*alg, keyring.keys().len())),
                _ => None,
            };
            keyring.apply(step, created, &self.policy, date(now))?;
        }
        self.keyring = keyring;
        for (index, key) in self.keyring.keys().iter().enumerate() {
            let was = before.get(index).map(|(_, state)| *state);
            if was.is_none() {
                self.numbers.insert(*key.jwk.kid(), self.keys.len());
                self.keys.push(KeyRecord::new(&key.jwk, now));
            }
            let record = &mut self.keys[index];
            if was != Some(key.state) {
                record.note(
                    was,
                    key.state,
                    now,
                    emergency && now < record.published_at + millis(self.policy.lifetimes().lead),
                );
                if matches!(key.state, KeyState::Revoked { .. }) {
                    self.revoked.push(Revoked::Key(index));
                }
            }
        }
        let published = self.publish(now);
        self.versions.push(published);
        Ok(())
    }

    /// Tokens are revoked; the key set stays what it is.
    pub(crate) fn revoke_tokens(&mut self, revocation: TokenRevocation, now: Millis) {
        self.revoked.push(Revoked::Tokens(revocation));
        let published = self.publish(now);
        self.versions.push(published);
    }

    /// The name of the key set that is published in this version.
    pub(crate) fn set_of(&self, version: Version) -> Version {
        self.versions[version].set
    }

    fn publish(&self, now: Millis) -> Published {
        let lease = self.policy.lifetimes().lease;
        let mut documents = Vec::new();
        let mut keys = Vec::new();
        for key in self.keyring.published() {
            // A replica that has not heard of the retirement yet signs until its lease is over.
            let sign_until = key.state.until().map(|_| key.state.since() + lease);
            let jwk =
                sign_until.map_or_else(|| key.jwk.clone(), |until| key.jwk.clone().signing_until(until));
            keys.push(PublishedKey { number: self.number(key.jwk.kid()), sign_until });
            documents.push(json!(jwk));
        }
        let same = self.versions.last().filter(|last| last.keys == keys);
        Published {
            at: now,
            set: same.map_or(self.versions.len(), |last| last.set),
            keys,
            kids: self.keyring.published().map(|key| *key.jwk.kid()).collect(),
            active: Algorithm::ALL.map(|alg| self.keyring.active(alg).map(|key| self.number(key.jwk.kid()))),
            statement: self.revoked.len(),
            bytes: json!({ "keys": documents }).to_string().len(),
        }
    }
}

impl KeyRecord {
    fn new(jwk: &Jwk, now: Millis) -> Self {
        Self {
            kid: *jwk.kid(),
            published_at: now,
            activated_at: None,
            stopped_at: None,
            revoked_at: None,
            removed_at: None,
            is_unlearned: false,
            has_signed: false,
            tokens_live_until: 0,
        }
    }

    fn note(&mut self, was: Option<KeyState>, is: KeyState, now: Millis, in_haste: bool) {
        if matches!(was, Some(KeyState::Active { .. })) {
            self.stopped_at = Some(now);
        }
        match is {
            KeyState::Active { .. } => {
                self.activated_at = Some(now);
                self.is_unlearned = in_haste;
            }
            KeyState::Removed { .. } => self.removed_at = Some(now),
            KeyState::Revoked { .. } => self.revoked_at = Some(now),
            KeyState::Prepared { .. } | KeyState::Retiring { .. } => {}
        }
    }
}

/// A public key like any other, for nobody signs here: what it says of itself is true, and no two are alike.
pub(crate) fn fresh_key(alg: Algorithm, number: usize) -> Jwk {
    let mut bytes = [7; 32];
    for (byte, counted) in bytes.iter_mut().zip((number as u64).to_be_bytes()) {
        *byte = counted;
    }
    let public = match alg {
        Algorithm::Rs256 => {
            let mut n = vec![0xff; 256];
            n[1..33].copy_from_slice(&bytes);
            PublicKey::Rsa { n, e: vec![1, 0, 1] }
        }
        Algorithm::Es256 => PublicKey::P256 { x: bytes, y: bytes },
    };
    Jwk::new(public).expect("the parameters are in range")
}
