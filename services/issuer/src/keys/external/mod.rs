//! Keys that never leave their keeper, and how long anybody waits for it.
//!
//! A [`KeyModule`] makes keys and hands out their [`Signer`]s; [`ExternalSigning`] is the one way to use them in
//! time: a few threads, a bounded queue, two more tries, a quarter of a second, and a [`Breaker`].

mod breaker;
mod lazy;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod signing;

use std::{fmt, sync::Arc};

use claviger_jose::{Algorithm, Jwk};
use claviger_keyring::{Reference, Signer};

pub use breaker::Breaker;
pub use lazy::LazyModule;
#[cfg(feature = "pkcs11")]
pub use pkcs11::Pkcs11Module;
pub use signing::{ExternalSigning, SIGNING_OUTCOMES, SigningRefused};

/// A keeper of private keys. All its methods may block: not on an async worker.
pub trait KeyModule: fmt::Debug + Send + Sync {
    /// Makes a key that cannot be taken out, and answers where it is.
    ///
    /// # Errors
    /// [`ModuleError`] if the module fails, or would let the key out.
    fn generate(&self, alg: Algorithm) -> Result<(Reference, Jwk), ModuleError>;

    /// What signs with the key of this reference. Whether it is there shows with the first signature.
    ///
    /// # Errors
    /// [`ModuleError`] for a reference that is not this module's.
    fn signer(&self, alg: Algorithm, reference: &Reference) -> Result<Arc<dyn Signer>, ModuleError>;

    /// Destroys a key. That it is gone already is no error.
    ///
    /// # Errors
    /// [`ModuleError`] if the module fails: the key may still be there.
    fn destroy(&self, reference: &Reference) -> Result<(), ModuleError>;
}

/// A module did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct ModuleError {
    /// What was asked for.
    pub what: String,
    /// What the module answered. Never a secret.
    pub reason: String,
}
