use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use claviger_jose::{Algorithm, Jwk};
use claviger_keyring::{Reference, Signer};

use super::{KeyModule, ModuleError};

type Open = Box<dyn Fn() -> Result<Arc<dyn KeyModule>, ModuleError> + Send + Sync>;

/// A keeper that is looked for when somebody needs it, once: a command that needs none of its keys goes on without it, and
/// a wrong PIN is not tried again.
pub struct LazyModule {
    open: Open,
    module: OnceLock<Result<Arc<dyn KeyModule>, ModuleError>>,
}

impl LazyModule {
    /// A keeper that `open` finds.
    #[must_use]
    pub fn new(open: impl Fn() -> Result<Arc<dyn KeyModule>, ModuleError> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open), module: OnceLock::new() }
    }

    fn module(&self) -> Result<&dyn KeyModule, ModuleError> {
        match self.module.get_or_init(&self.open) {
            Ok(module) => Ok(&**module),
            Err(error) => Err(error.clone()),
        }
    }
}

impl KeyModule for LazyModule {
    fn generate(&self, alg: Algorithm) -> Result<(Reference, Jwk), ModuleError> {
        self.module()?.generate(alg)
    }

    fn signer(&self, alg: Algorithm, reference: &Reference) -> Result<Arc<dyn Signer>, ModuleError> {
        self.module()?.signer(alg, reference)
    }

    fn destroy(&self, reference: &Reference) -> Result<(), ModuleError> {
        self.module()?.destroy(reference)
    }
}

impl fmt::Debug for LazyModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyModule").field("module", &self.module).finish_non_exhaustive()
    }
}
