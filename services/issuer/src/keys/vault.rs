use std::sync::Arc;

use claviger_jose::{Algorithm, Kid};
use claviger_keyring::{KeyContext, KeyEncryptionKey, KeyState, Keyring, ManagedKey, SigningKey, Step};
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
    /// The keys whose state nobody vouches for: damaged, or changed by hand. They are not used.
    pub unvouched: Vec<ManagedKey>,
    /// Why nothing is signed and no key is made, if so: the key-encryption key does not belong
    /// to these keys.
    pub verify_only: Option<String>,
}

impl Opened {
    /// Whether a step cannot be taken because a key that nobody vouches for stands as the active one of its
    /// algorithm: the database lets no second beside it. Revoking that key clears the way.
    #[must_use]
    pub fn blocks(&self, step: &Step) -> bool {
        let alg = match step {
            Step::Create { alg, .. } => Some(*alg),
            Step::Activate { kid, .. } => {
                self.keyring.keys().iter().find(|key| key.jwk.kid() == kid).map(|key| key.jwk.alg())
            }
            Step::Remove { .. } | Step::Revoke { .. } => None,
        };
        let in_the_way =
            |key: &ManagedKey| matches!(key.state, KeyState::Active { .. }) && Some(key.jwk.alg()) == alg;
        self.unvouched.iter().any(in_the_way)
    }
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
            return self.verify_only(snapshot, &others);
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
        Opened { revision, keyring: keyring(&ours), signers, unvouched: managed(&others), verify_only: None }
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
    ///
    /// Rows that claim to be under the key at hand are not among them: those were changed by somebody who lacks it.
    fn verify_only(&self, snapshot: &KeySnapshot, others: &[&StoredKey]) -> Opened {
        let foreign: Vec<&StoredKey> =
            others.iter().copied().filter(|row| row.kek_id != self.kek.id()).collect();
        let mut ids: Vec<&str> = foreign.iter().map(|row| row.kek_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let ours = self.kek.id();
        let why = match &ids[..] {
            [] => format!(
                "no stored key is vouched for by the key-encryption key {ours}: they were changed by hand"
            ),
            _ => format!(
                "the key-encryption key {ours} does not open the stored keys, which are under {}",
                ids.join(", ")
            ),
        };
        tracing::error!("verify-only: {why}");
        Opened {
            revision: snapshot.revision,
            keyring: keyring(&foreign),
            signers: Vec::new(),
            unvouched: managed(others),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_jose::NumericDate;
    use claviger_keyring::{KnownBy, SealedKey, generate};

    use super::*;
    use crate::{keys::KeyView, rng::SystemRng};

    fn vault(seed: u8) -> Vault {
        let raw: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(seed) ^ (n << 3) ^ seed).collect();
        let issuer = "https://id.example.test".parse().unwrap();
        Vault::new(issuer, KeyEncryptionKey::new(&raw).unwrap())
    }

    fn row(vault: &Vault, state: KeyState) -> StoredKey {
        let (pkcs8, key) = generate(Algorithm::Es256, &mut SystemRng).unwrap();
        let context = vault.context(key.kid(), key.alg());
        let sealed = SealedKey::seal(&pkcs8, context, &vault.kek, &mut SystemRng);
        StoredKey {
            jwk: key.jwk().clone(),
            state,
            created_at: state.since(),
            kek_id: sealed.kek_id.clone(),
            sealed: Some(sealed),
            state_seal: vault.kek.seal_state(context, state),
        }
    }

    fn snapshot(vault: &Vault) -> KeySnapshot {
        let since = NumericDate::from_secs(1000);
        let keys = vec![row(vault, KeyState::Active { since }), row(vault, KeyState::Prepared { since })];
        KeySnapshot { revision: 1, keys, unreadable: Vec::new() }
    }

    #[test]
    fn the_right_key_opens_what_it_has_sealed() {
        let vault = vault(7);
        let opened = vault.open(&snapshot(&vault), &[]);
        assert_eq!((opened.signers.len(), opened.keyring.keys().len()), (1, 2));
        assert!(opened.verify_only.is_none() && opened.unvouched.is_empty());
    }

    // S-49
    #[test]
    fn under_another_key_everything_is_published_and_nothing_signs() {
        let opened = vault(11).open(&snapshot(&vault(7)), &[]);
        assert_eq!((opened.signers.len(), opened.keyring.published().count()), (0, 2));
        assert!(opened.verify_only.unwrap().contains("does not open the stored keys"));
    }

    // S-53
    #[test]
    fn a_row_of_somebody_who_lacks_the_key_is_never_published() {
        let vault = vault(7);
        let mut forged = snapshot(&vault);
        let before = KeyView::new(vault.open(&forged, &[]), Duration::ZERO, Duration::ZERO, Duration::ZERO);
        for row in &mut forged.keys {
            row.state_seal = vec![0; 32];
        }
        forged.revision = 2;
        let opened = vault.open(&forged, &[]);
        assert!(opened.verify_only.is_some());
        assert_eq!(opened.keyring.published().count(), 0);

        // Even rows that claim to be under another key do not replace what was vouched for.
        for row in &mut forged.keys {
            row.kek_id = "somebody's".to_owned();
        }
        let opened = vault.open(&forged, &[]);
        assert_eq!(opened.keyring.published().count(), 2, "at a cold start that is all there is");
        let next = KeyView::new(opened, Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let published = before.published.body.clone();
        let after = before.followed_by(next);
        assert_eq!(after.published.body, published);
        assert!(after.signer(Algorithm::Es256).is_none() && after.verify_only.is_some());
    }

    // S-53
    #[test]
    fn a_damaged_active_key_blocks_its_own_algorithm_and_no_other() {
        let vault = vault(7);
        let mut damaged = snapshot(&vault);
        damaged.keys[0].state_seal[5] ^= 1;
        let opened = vault.open(&damaged, &[]);
        assert_eq!((opened.signers.len(), opened.unvouched.len()), (0, 1));
        let next = *damaged.keys[1].jwk.kid();
        assert!(opened.blocks(&Step::Activate { kid: next, known_by: KnownBy::Lead }));
        assert!(opened.blocks(&Step::Create { alg: Algorithm::Es256, active: false }));
        assert!(!opened.blocks(&Step::Create { alg: Algorithm::Rs256, active: true }));
        assert!(!opened.blocks(&Step::Remove { kid: next }));
    }
}
