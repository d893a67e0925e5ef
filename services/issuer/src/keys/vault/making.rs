use std::time::Duration;

use claviger_jose::{Algorithm, Jwk, Kid, NumericDate};
use claviger_keyring::{
    GenerateError, KeyState, Reference, SealedKey, Secret, SignError, SigningKey, generate,
};
use claviger_store::{KeyOp, KeySnapshot, NewKey};
use tokio::time::timeout;

use super::Vault;
use crate::keys::{KeyModule, KeyProvider, ModuleError};
use crate::rng::SystemRng;

/// How long one waits for a key to be destroyed elsewhere: its row has lost it already.
const FAREWELL: Duration = Duration::from_secs(10);

/// A new key could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewKeyError {
    /// Not here.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Not in the module that is to keep it.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Not in time.
    #[error("no new key was made within {0:?}")]
    Late(Duration),
    /// The module made one that does not sign as it should.
    #[error("the new key does not sign: {0}")]
    Test(#[from] SignError),
}

impl Vault {
    /// Makes a key where new keys are to be made, and tries it.
    ///
    /// # Errors
    /// [`NewKeyError`].
    pub async fn new_key(&self, alg: Algorithm) -> Result<(Secret, SigningKey), NewKeyError> {
        let module = self.module.clone().filter(|_| self.provider == KeyProvider::Pkcs11);
        // RSA takes a good part of a second, and a module as long as it likes.
        let made = tokio::task::spawn_blocking(move || match module {
            None => {
                let (pkcs8, key) = generate(alg, &mut SystemRng)?;
                Ok((pkcs8.into(), key))
            }
            Some(module) => new_key_in(&*module, alg),
        });
        made.await.unwrap_or(Err(GenerateError(alg).into()))
    }

    /// A new key as it is stored: sealed under the current key-encryption key.
    pub(in crate::keys) fn seal(
        &self,
        jwk: &Jwk,
        state: KeyState,
        secret: &Secret,
        now: NumericDate,
    ) -> NewKey {
        let context = self.context(jwk.kid(), jwk.alg());
        NewKey {
            jwk: jwk.clone(),
            state,
            created_at: now,
            sealed: SealedKey::seal(secret, context, &self.kek, &mut SystemRng),
            state_seal: self.kek.seal_state(context, state),
        }
    }

    /// The seal over the next state of a key, under the key-encryption key that its row is under: who knows only that
    /// one goes on vouching for it.
    pub(in crate::keys) fn seal_next(
        &self,
        snapshot: &KeySnapshot,
        kid: &Kid,
        alg: Algorithm,
        next: KeyState,
    ) -> Vec<u8> {
        let row = snapshot.keys.iter().find(|row| row.jwk.kid() == kid);
        let kek = row.and_then(|row| self.kek_named(&row.kek_id)).unwrap_or(&self.kek);
        kek.seal_state(self.context(kid, alg), next)
    }

    /// Has the keys destroyed that left the set with a change: what is kept elsewhere does not go with its row.
    pub(in crate::keys) async fn tidy(&self, snapshot: &KeySnapshot, operations: &[KeyOp]) {
        let left = |operation: &KeyOp| {
            let KeyOp::Move { change, .. } = operation else { return None };
            let row = snapshot.keys.iter().find(|row| row.jwk.kid() == &change.kid)?;
            let reference = || self.reference(&row.jwk, row.sealed.as_ref()?);
            if change.to.is_published() { None } else { Some((change.kid, reference()?)) }
        };
        self.destroy(operations.iter().filter_map(left).collect()).await;
    }

    /// Has keys destroyed that were made in vain.
    pub(in crate::keys) async fn discard(&self, made: Vec<(Secret, SigningKey)>) {
        let kept = made.into_iter().filter_map(|(secret, key)| match secret {
            Secret::Reference(reference) => Some((*key.kid(), reference)),
            Secret::Pkcs8(_) => None,
        });
        self.destroy(kept.collect()).await;
    }

    /// A keeper that is away keeps them for longer; that is logged, and does no harm.
    async fn destroy(&self, keys: Vec<(Kid, Reference)>) {
        let Some(module) = self.module.clone().filter(|_| !keys.is_empty()) else { return };
        let destroyed = tokio::task::spawn_blocking(move || destroy(&*module, &keys));
        match timeout(FAREWELL, destroyed).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("destroying keys in the module panicked"),
            Err(_) => tracing::warn!("the module takes its time to destroy keys; nobody waits for it"),
        }
    }

    fn reference(&self, jwk: &Jwk, sealed: &SealedKey) -> Option<Reference> {
        match self.unseal(self.context(jwk.kid(), jwk.alg()), sealed)? {
            Secret::Reference(reference) => Some(reference),
            Secret::Pkcs8(_) => None,
        }
    }
}

fn new_key_in(module: &dyn KeyModule, alg: Algorithm) -> Result<(Secret, SigningKey), NewKeyError> {
    let (reference, jwk) = module.generate(alg)?;
    let tried = || -> Result<SigningKey, NewKeyError> {
        let signer = module.signer(alg, &reference)?;
        let key = SigningKey::external(jwk, signer).map_err(|_| GenerateError(alg))?;
        key.test()?;
        Ok(key)
    };
    match tried() {
        Ok(key) => Ok((Secret::Reference(reference), key)),
        Err(error) => {
            if let Err(error) = module.destroy(&reference) {
                tracing::warn!(%error, "a new key that does not sign is left in the module");
            }
            Err(error)
        }
    }
}

fn destroy(module: &dyn KeyModule, keys: &[(Kid, Reference)]) {
    for (kid, reference) in keys {
        match module.destroy(reference) {
            Ok(()) => tracing::info!(%kid, "the key was destroyed in its module"),
            Err(error) => tracing::warn!(%kid, %error, "the key is left in its module"),
        }
    }
}
