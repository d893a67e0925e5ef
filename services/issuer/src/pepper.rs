//! What the issuer derives secrets from: 256 random bits of its own, shared by its replicas.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    hmac,
};
use claviger_keyring::ServerSecret;
use claviger_oauth::RefreshToken;
use claviger_store::{Store, StoreError};
use zeroize::Zeroizing;

use crate::{keys::Vault, rng::SystemRng};

/// The name of its row.
const NAME: &str = "pepper";

/// The pepper of an issuer, if its key-encryption key opens it. Without it nobody signs in here: every answer that needs
/// it is a 503, and no other pepper is made "because that one does not open".
pub(crate) struct Pepper(Option<Derived>);

/// The secrets that are derived from the pepper: one for each use, so that none serves for another.
pub(crate) struct Derived {
    secret: ServerSecret,
    csrf: hmac::Key,
    interactions: LessSafeKey,
}

impl Pepper {
    /// The pepper in the store; at the first start of all, a new one.
    ///
    /// # Errors
    /// [`StoreError`]. A pepper that does not open is no error, but none.
    pub(crate) async fn load(store: &Store, vault: &Vault) -> Result<Self, StoreError> {
        let sealed = match store.server_secret(NAME).await? {
            Some(sealed) => sealed,
            // Who does not open the signing keys must not be the one to make this.
            None if vault.read(&store.load_keys().await?).verify_only.is_some() => return Ok(Self(None)),
            None => {
                let new = vault.seal_secret(NAME, &ServerSecret::generate(&mut SystemRng));
                store.keep_server_secret(NAME, &new).await?
            }
        };
        let opened = vault.open_secret(NAME, &sealed);
        if opened.is_none() {
            let kek = sealed.kek_id;
            tracing::error!(
                kek,
                "the key-encryption key does not open the server secret: nobody can sign in"
            );
        }
        Ok(Self(opened.map(Derived::of)))
    }

    /// What is derived from it, if it is open.
    pub(crate) fn open(&self) -> Option<&Derived> {
        self.0.as_ref()
    }

    /// A pepper of a test's own.
    #[cfg(test)]
    pub(crate) fn of_test() -> Self {
        Self(Some(Derived::of(ServerSecret::generate(&mut SystemRng))))
    }
}

impl Derived {
    fn of(secret: ServerSecret) -> Self {
        let csrf = hmac::Key::new(hmac::HMAC_SHA256, &*secret.derive(&[b"csrf"]));
        let key = UnboundKey::new(&AES_256_GCM, &*secret.derive(&[b"interaction"]));
        let interactions = LessSafeKey::new(key.expect("32 bytes are an AES-256 key"));
        Self { secret, csrf, interactions }
    }

    /// What the tokens against cross-site requests are made with.
    pub(crate) fn csrf(&self) -> &hmac::Key {
        &self.csrf
    }

    /// What the state of a sign-in is sealed under while it lies in a page.
    pub(crate) fn interactions(&self) -> &LessSafeKey {
        &self.interactions
    }

    /// What the marks of known devices are made with.
    pub(crate) fn devices(&self) -> Zeroizing<[u8; 32]> {
        self.secret.derive(&[b"device"])
    }

    /// The child of a refresh token: whoever has the parent and its nonce gets the same one again, and nobody without the
    /// pepper can make it. The parts have fixed lengths.
    pub(crate) fn refresh_child(&self, parent: &RefreshToken, nonce: &[u8; 16]) -> RefreshToken {
        let info = [b"refresh".as_slice(), parent.expose().as_bytes(), nonce];
        RefreshToken::from_random(*self.secret.derive(&info))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pepper").field(&self.0.as_ref().map(|_| "open")).finish()
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Derived(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-74
    #[test]
    fn the_child_of_a_token_is_the_same_each_time_and_another_for_each_nonce_parent_and_pepper() {
        let (one, other) = (Pepper::of_test(), Pepper::of_test());
        let (one, other) = (one.open().unwrap(), other.open().unwrap());
        let (parent, aunt) = (RefreshToken::from_random([1; 32]), RefreshToken::from_random([2; 32]));
        let child = one.refresh_child(&parent, &[3; 16]);
        assert_eq!(one.refresh_child(&parent, &[3; 16]).expose(), child.expose());
        for different in [
            one.refresh_child(&parent, &[4; 16]),
            one.refresh_child(&aunt, &[3; 16]),
            one.refresh_child(&child, &[3; 16]),
            other.refresh_child(&parent, &[3; 16]),
        ] {
            assert_ne!(different.hash(), child.hash());
        }
    }

    // S-103
    #[test]
    fn debug_output_holds_no_secret() {
        let pepper = Pepper::of_test();
        assert_eq!(format!("{pepper:?} {:?}", pepper.open().unwrap()), "Pepper(Some(\"open\")) Derived(..)");
    }
}
