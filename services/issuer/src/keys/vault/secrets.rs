//! The issuer's own random secrets, under its key-encryption keys.

use claviger_keyring::{SealedKey, SecretPlace, ServerSecret, Unsealable};

use super::Vault;
use crate::rng::SystemRng;

impl Vault {
    /// Seals a secret for its row, under the current key-encryption key.
    pub(crate) fn seal_secret(&self, name: &str, secret: &ServerSecret) -> SealedKey {
        secret.seal(self.place(name), &self.kek, &mut SystemRng)
    }

    /// Opens a secret of this row, under whichever of our key-encryption keys.
    pub(crate) fn open_secret(&self, name: &str, sealed: &SealedKey) -> Option<ServerSecret> {
        ServerSecret::open(sealed, self.place(name), self.kek_named(&sealed.kek_id)?).ok()
    }

    /// Whether a secret is not under the current key-encryption key.
    pub(in crate::keys) fn is_stale_secret(&self, sealed: &SealedKey) -> bool {
        sealed.kek_id != self.kek.id()
    }

    /// The same secret under the current key-encryption key.
    pub(in crate::keys) fn rewrap_secret(
        &self,
        name: &str,
        sealed: &SealedKey,
    ) -> Result<SealedKey, Unsealable> {
        let old = self.kek_named(&sealed.kek_id).ok_or(Unsealable)?;
        let new = ServerSecret::rewrap(sealed, self.place(name), old, &self.kek, &mut SystemRng)?;
        // What is written replaces the only copy.
        ServerSecret::open(&new, self.place(name), &self.kek)?;
        Ok(new)
    }

    fn place<'a>(&'a self, name: &'a str) -> SecretPlace<'a> {
        SecretPlace { issuer: self.issuer.as_str(), name }
    }
}
