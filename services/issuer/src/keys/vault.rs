use std::sync::Arc;

use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{KeyContext, KeyEncryptionKey, KeyState, Keyring, ManagedKey, SigningKey};
use claviger_oauth::Issuer;
use claviger_store::{KeySnapshot, StoredKey};

/// Opens the keys of one issuer with its key-encryption key.
#[derive(Debug)]
pub struct Vault {
    pub(super) issuer: Issuer,
    pub(super) kek: KeyEncryptionKey,
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
    /// Why nothing is signed and no key is made, if so: the key-encryption key does not belong
    /// to these keys.
    pub verify_only: Option<String>,
}

impl Vault {
    /// A vault for the keys of `issuer` under `kek`.
    #[must_use]
    pub fn new(issuer: Issuer, kek: KeyEncryptionKey) -> Self {
        Self { issuer, kek }
    }

    /// Opens a snapshot. `held` are keys that were opened before: they are not opened twice.
    #[must_use]
    pub fn open(&self, snapshot: &KeySnapshot, held: &[Arc<SigningKey>]) -> Opened {
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
        if ours.is_empty() && !empty {
            return self.verify_only(snapshot);
        }
        let mut signers = Vec::new();
        // A prepared key is opened too: that it cannot sign should be known before it has to.
        let may_sign = |state| matches!(state, KeyState::Active { .. } | KeyState::Prepared { .. });
        for row in ours.iter().filter(|row| may_sign(row.state)) {
            match self.open_key(row, held) {
                Some(key) if matches!(row.state, KeyState::Active { .. }) => signers.push(key),
                Some(_) => {}
                None => tracing::error!(kid = %row.jwk.kid(), "a stored key does not open and cannot sign"),
            }
        }
        let revision = snapshot.revision;
        Opened { revision, keyring: keyring(ours), signers, verify_only: None }
    }

    pub(super) fn context<'a>(&'a self, kid: &'a Kid, alg: Algorithm) -> KeyContext<'a> {
        KeyContext { issuer: self.issuer.as_str(), kid, alg }
    }

    fn vouches_for(&self, row: &StoredKey) -> bool {
        let context = self.context(row.jwk.kid(), row.jwk.alg());
        self.kek.vouches_for(context, row.state, &row.state_seal)
    }

    fn open_key(&self, row: &StoredKey, held: &[Arc<SigningKey>]) -> Option<Arc<SigningKey>> {
        if let Some(key) = held.iter().find(|key| key.kid() == row.jwk.kid()) {
            return Some(Arc::clone(key));
        }
        let alg = row.jwk.alg();
        let pkcs8 = row.sealed.as_ref()?.open(self.context(row.jwk.kid(), alg), &self.kek).ok()?;
        let key = SigningKey::from_pkcs8(alg, &pkcs8).ok()?;
        (key.kid() == row.jwk.kid()).then(|| Arc::new(key))
    }

    /// Without the right key-encryption key nothing can be vouched for. The public halves are
    /// published all the same, or every verifier would lose its keys to a typing mistake of an
    /// operator; and no key is made "because none decrypts".
    fn verify_only(&self, snapshot: &KeySnapshot) -> Opened {
        let mut ids: Vec<&str> = snapshot.keys.iter().map(|row| row.kek_id.as_str()).collect();
        ids.dedup();
        let why = format!(
            "the key-encryption key {} does not open the stored keys, which are under {}",
            self.kek.id(),
            ids.join(", ")
        );
        tracing::error!("verify-only: {why}");
        Opened {
            revision: snapshot.revision,
            keyring: keyring(snapshot.keys.iter().collect()),
            signers: Vec::new(),
            verify_only: Some(why),
        }
    }
}

fn keyring(rows: Vec<&StoredKey>) -> Keyring {
    Keyring::new(rows.into_iter().map(|row| ManagedKey { jwk: row.jwk.clone(), state: row.state }).collect())
}
