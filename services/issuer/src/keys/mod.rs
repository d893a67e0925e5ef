//! The keys of a running issuer: opened, published, rotated.
//!
//! [`Vault`] opens what the store holds; a [`KeyView`] is what the request path sees of it, swapped
//! as a whole; [`Rotation`] takes the steps that the pure plan asks for. Where key-encryption keys come from, and where
//! signing keys are made and kept, [`KeySettings`] says.

mod external;
mod kek;
mod rewrap;
mod rotation;
mod secret;
mod settings;
mod vault;
mod view;

#[cfg(feature = "pkcs11")]
pub use external::Pkcs11Module;
pub use external::{
    Breaker, ExternalSigning, KeyModule, LazyModule, ModuleError, SIGNING_OUTCOMES, SigningRefused,
};
pub use kek::{create_kek, read_kek};
pub use rewrap::{Rewrap, RewrapError, RewrapReport};
pub use rotation::{Refusal, Rotation, RotationError, Taken};
pub use secret::{SecretCommand, SecretError, SecretSource};
pub use settings::{KeyProvider, KeySettings, Pkcs11Settings};
pub use vault::{NewKeyError, Opened, UnlockError, Vault};
pub use view::{KeyView, PublishedSet};
