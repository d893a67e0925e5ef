use std::{io, sync::Arc};

use super::Vault;
use crate::{
    config::Config,
    keys::{KeyModule, KeySettings, LazyModule, ModuleError, SecretError, read_kek},
};

/// The keys cannot be got at. Nothing is served then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// A key-encryption key.
    #[error("key-encryption key: {0}")]
    Kek(#[from] SecretError),
    /// The module that keeps keys.
    #[error("{0}")]
    Module(#[from] ModuleError),
    /// The work was given up.
    #[error("unlocking the keys ended early: {0}")]
    Ended(io::Error),
}

/// How the module that keeps signing keys is opened, if there is one.
type OpenModule = fn(&KeySettings) -> Result<Option<Arc<dyn KeyModule>>, ModuleError>;

impl Vault {
    /// The vault of an issuer: reads its key-encryption keys, and opens the module that keeps its keys if there is one.
    ///
    /// # Errors
    /// [`UnlockError`], in one line and without a secret.
    pub async fn unlock(config: &Config) -> Result<Self, UnlockError> {
        Self::unlocked(config, module).await
    }

    /// The same, for a command line: the module is opened when it is needed. Keys can be listed and revoked while it is
    /// away.
    ///
    /// # Errors
    /// [`UnlockError`] for a key-encryption key.
    pub async fn unlock_without_module(config: &Config) -> Result<Self, UnlockError> {
        Self::unlocked(config, later).await
    }

    async fn unlocked(config: &Config, module: OpenModule) -> Result<Self, UnlockError> {
        let (issuer, settings) = (config.issuer.clone(), config.keys.clone());
        let unlocked = tokio::task::spawn_blocking(move || {
            let mut vault = Self::new(issuer, read_kek(&settings.key_encryption_key)?);
            for source in &settings.previous {
                vault = vault.accepting(read_kek(source)?);
            }
            match module(&settings)? {
                Some(module) => Ok(vault.with_module(module, settings.provider)),
                None => Ok(vault),
            }
        });
        unlocked.await.map_err(|error| UnlockError::Ended(error.into()))?
    }

    /// Whether some keys may be kept elsewhere.
    #[must_use]
    pub fn has_module(&self) -> bool {
        self.module.is_some()
    }
}

fn later(settings: &KeySettings) -> Result<Option<Arc<dyn KeyModule>>, ModuleError> {
    if settings.pkcs11.is_none() {
        return module(settings);
    }
    let settings = settings.clone();
    let open = move || {
        let missing =
            || ModuleError { what: "PKCS#11".to_owned(), reason: "no module is configured".to_owned() };
        module(&settings)?.ok_or_else(missing)
    };
    Ok(Some(Arc::new(LazyModule::new(open))))
}

#[cfg(feature = "pkcs11")]
fn module(settings: &KeySettings) -> Result<Option<Arc<dyn KeyModule>>, ModuleError> {
    let Some(pkcs11) = &settings.pkcs11 else { return Ok(None) };
    Ok(Some(Arc::new(crate::keys::Pkcs11Module::open(pkcs11)?)))
}

/// What the settings have refused already.
#[cfg(not(feature = "pkcs11"))]
fn module(settings: &KeySettings) -> Result<Option<Arc<dyn KeyModule>>, ModuleError> {
    match (&settings.pkcs11, settings.provider) {
        (None, crate::keys::KeyProvider::Local) => Ok(None),
        _ => Err(ModuleError {
            what: "PKCS#11".to_owned(),
            reason: "this program was built without it".to_owned(),
        }),
    }
}
