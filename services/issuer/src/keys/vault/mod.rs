mod making;
mod secrets;
#[cfg(test)]
mod tests;
mod unlock;

use std::sync::Arc;

use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{
    KeyContext, KeyEncryptionKey, KeyState, Keyring, ManagedKey, SealedKey, Secret, SigningKey, Step,
};
use claviger_oauth::Issuer;
use claviger_store::{KeySnapshot, StoredKey, UnreadableKey};

pub use self::{making::NewKeyError, unlock::UnlockError};
use super::{KeyModule, KeyProvider};

/// Opens the keys of one issuer with its key-encryption keys, and where some of them are kept elsewhere, finds those.
#[derive(Debug)]
pub struct Vault {
    issuer: Issuer,
    /// What new keys are sealed under.
    pub(in crate::keys) kek: KeyEncryptionKey,
    /// What else opens keys.
    previous: Vec<KeyEncryptionKey>,
    module: Option<Arc<dyn KeyModule>>,
    provider: KeyProvider,
}

/// What a snapshot of the stored keys amounts to.
#[derive(Debug)]
pub struct Opened {
    /// The keyring revision that was read.
    pub revision: u64,
    /// The keys whose state is vouched for; in verify-only mode all that could be read.
    pub keyring: Keyring,
    /// The active keys, opened.
    pub signers: Vec<Arc<SigningKey>>,
    /// The keys whose state nobody vouches for: damaged, or changed by hand. They are not used.
    pub unvouched: Vec<ManagedKey>,
    /// The rows that are no keys.
    pub unreadable: Vec<UnreadableKey>,
    /// Why nothing is signed and no key is made, if so: the key-encryption key does not belong
    /// to these keys, or not to all of them.
    pub verify_only: Option<String>,
}

impl Opened {
    /// Whether a step cannot be taken because a key that nobody vouches for, or a row that is none, stands as the active
    /// one of its algorithm: the database lets no second beside it. Revoking that key clears the way.
    #[must_use]
    pub fn blocks(&self, step: &Step) -> bool {
        self.in_the_way_of(step).next().is_some()
    }

    /// The kids, as they are stored, of what stands in the way of a step.
    pub(in crate::keys) fn in_the_way_of(&self, step: &Step) -> impl Iterator<Item = &str> {
        let alg = match step {
            Step::Create { alg, .. } => Some(*alg),
            Step::Activate { kid, .. } => {
                self.keyring.keys().iter().find(|key| key.jwk.kid() == kid).map(|key| key.jwk.alg())
            }
            Step::Remove { .. } | Step::Revoke { .. } => None,
        };
        let is_active = move |key: &&ManagedKey| {
            matches!(key.state, KeyState::Active { .. }) && Some(key.jwk.alg()) == alg
        };
        let stands = move |row: &&UnreadableKey| alg.is_some_and(|alg| row.stands_for(alg));
        let unvouched = self.unvouched.iter().filter(is_active).map(|key| key.jwk.kid().as_str());
        unvouched.chain(self.unreadable.iter().filter(stands).map(|row| row.kid.as_str()))
    }
}

impl Vault {
    /// A vault for the keys of `issuer` under `kek`.
    #[must_use]
    pub fn new(issuer: Issuer, kek: KeyEncryptionKey) -> Self {
        Self { issuer, kek, previous: Vec::new(), module: None, provider: KeyProvider::Local }
    }

    /// The same, accepting what is sealed under another key-encryption key too.
    #[must_use]
    pub fn accepting(mut self, previous: KeyEncryptionKey) -> Self {
        self.previous.push(previous);
        self
    }

    /// The same, with a keeper of keys; `provider` says where new ones are made.
    #[must_use]
    pub fn with_module(self, module: Arc<dyn KeyModule>, provider: KeyProvider) -> Self {
        Self { module: Some(module), provider, ..self }
    }

    /// Opens a snapshot. `held` are keys that were opened before: they are not opened twice. To open one takes a signature:
    /// not on an async worker.
    #[must_use]
    pub fn open(&self, snapshot: &KeySnapshot, held: &[Arc<SigningKey>]) -> Opened {
        let mut opened = self.read(snapshot);
        if opened.verify_only.is_some() {
            return opened;
        }
        // A prepared key is opened too: that it cannot sign should be known before it has to.
        let may_sign = |state| matches!(state, KeyState::Active { .. } | KeyState::Prepared { .. });
        let ours = |kid: &Kid| opened.keyring.keys().iter().any(|key| key.jwk.kid() == kid);
        let rows = snapshot.keys.iter().filter(|row| may_sign(row.state) && ours(row.jwk.kid()));
        let mut signers = Vec::new();
        for row in rows {
            match self.open_key(row, held) {
                Some(key) if matches!(row.state, KeyState::Active { .. }) => signers.push(key),
                Some(_) => {}
                None => tracing::error!(kid = %row.jwk.kid(), "a stored key does not open and cannot sign"),
            }
        }
        opened.signers = signers;
        opened
    }

    /// What a snapshot says, without its private halves: quick, and whatever becomes of their keeper.
    #[must_use]
    pub fn read(&self, snapshot: &KeySnapshot) -> Opened {
        for key in &snapshot.unreadable {
            tracing::error!(
                kid = key.kid,
                reason = key.reason,
                "a stored key cannot be read and is not used"
            );
        }
        let (ours, others): (Vec<&StoredKey>, Vec<_>) =
            snapshot.keys.iter().partition(|row| self.vouches_for(row));
        for row in &others {
            tracing::error!(kid = %row.jwk.kid(), "the state of a stored key is not vouched for and the key is not used");
        }
        let empty = snapshot.keys.is_empty() && snapshot.unreadable.is_empty();
        // A set without the keys that another key-encryption key vouches for would have good tokens refused.
        let incomplete = others.iter().any(|row| row.state.is_published() && self.is_foreign(row));
        if incomplete || ours.is_empty() && !empty {
            return self.verify_only(snapshot, &ours, &others);
        }
        Opened {
            revision: snapshot.revision,
            keyring: keyring(&ours),
            signers: Vec::new(),
            unvouched: managed(&others),
            unreadable: snapshot.unreadable.clone(),
            verify_only: None,
        }
    }

    pub(in crate::keys) fn context<'a>(&'a self, kid: &'a Kid, alg: Algorithm) -> KeyContext<'a> {
        KeyContext { issuer: self.issuer.as_str(), kid, alg }
    }

    /// The key-encryption key of this name, if it is one of ours.
    pub(in crate::keys) fn kek_named(&self, id: &str) -> Option<&KeyEncryptionKey> {
        self.keks().find(|kek| kek.id() == id)
    }

    /// Whether the state of a row is the one that its seal says. The seal is that of the key-encryption key that the row
    /// names; any other one at hand is as good: a damaged row that was revoked has the current one's, and where only the
    /// name is damaged the key is still known not to be a stranger's.
    pub(in crate::keys) fn vouches_for(&self, row: &StoredKey) -> bool {
        let context = self.context(row.jwk.kid(), row.jwk.alg());
        let vouches = |kek: &KeyEncryptionKey| kek.vouches_for(context, row.state, &row.state_seal);
        self.kek_named(&row.kek_id).is_some_and(vouches) || self.keks().any(vouches)
    }

    fn is_foreign(&self, row: &StoredKey) -> bool {
        self.kek_named(&row.kek_id).is_none()
    }

    fn keks(&self) -> impl Iterator<Item = &KeyEncryptionKey> {
        std::iter::once(&self.kek).chain(&self.previous)
    }

    /// What is sealed, under whichever of our key-encryption keys.
    pub(in crate::keys) fn unseal(&self, context: KeyContext<'_>, sealed: &SealedKey) -> Option<Secret> {
        sealed.open(context, self.kek_named(&sealed.kek_id)?).ok()
    }

    fn open_key(&self, row: &StoredKey, held: &[Arc<SigningKey>]) -> Option<Arc<SigningKey>> {
        if let Some(key) = held.iter().find(|key| key.kid() == row.jwk.kid()) {
            return Some(Arc::clone(key));
        }
        let alg = row.jwk.alg();
        let key = match self.unseal(self.context(row.jwk.kid(), alg), row.sealed.as_ref()?)? {
            Secret::Pkcs8(pkcs8) => SigningKey::from_pkcs8(alg, &pkcs8).ok()?,
            // Not tried here: its keeper may be away for a moment, and each of its signatures is checked anyway.
            Secret::Reference(reference) => {
                let signer = self.module.as_ref()?.signer(alg, &reference).ok()?;
                SigningKey::external(row.jwk.clone(), signer).ok()?
            }
        };
        (key.kid() == row.jwk.kid()).then(|| Arc::new(key))
    }

    /// Without the right key-encryption key, or one of the two of a change of it, not all can be vouched for. The public
    /// halves are published all the same, or every verifier would lose its keys to a typing mistake of an
    /// operator; and no key is made "because none decrypts".
    ///
    /// Rows that claim to be under a key at hand are not among them: those were changed by somebody who lacks it.
    fn verify_only(&self, snapshot: &KeySnapshot, ours: &[&StoredKey], others: &[&StoredKey]) -> Opened {
        let foreign: Vec<&StoredKey> = others.iter().copied().filter(|row| self.is_foreign(row)).collect();
        let mut ids: Vec<&str> = foreign.iter().map(|row| row.kek_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let current = self.kek.id();
        let (ids, some) = (ids.join(", "), if ours.is_empty() { "the" } else { "all" });
        let why = if ids.is_empty() {
            format!(
                "no stored key is vouched for by the key-encryption key {current}: they were changed by hand"
            )
        } else {
            format!(
                "the key-encryption key {current} does not open {some} stored keys, which are under {ids}"
            )
        };
        tracing::error!("verify-only: {why}");
        Opened {
            revision: snapshot.revision,
            keyring: keyring(&[ours, &foreign[..]].concat()),
            signers: Vec::new(),
            unvouched: managed(others),
            unreadable: snapshot.unreadable.clone(),
            verify_only: Some(why),
        }
    }
}

fn keyring(rows: &[&StoredKey]) -> Keyring {
    Keyring::new(managed(rows))
}

fn managed(rows: &[&StoredKey]) -> Vec<ManagedKey> {
    rows.iter().map(|row| ManagedKey { jwk: row.jwk.clone(), state: row.state }).collect()
}
