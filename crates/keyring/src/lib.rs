//! The private half of JOSE: keys that sign, how long each of them lives, and how they rest.
//!
//! No resource service may depend on this crate. It is pure: the time and the randomness are
//! arguments, and nothing here reads a file or a database. In reading order:
//!
//! - [`SigningKey`]: a private key, prepared once; [`SigningKey::sign`] makes a compact JWS. What signs is a
//!   [`Signer`]: the library in this process, or whoever keeps the key elsewhere.
//! - [`KeyState`]: `Prepared → Active → Retiring → Removed`, or `Revoked` from any of them. A
//!   state owns its timestamps; a transition consumes it and can fail.
//! - [`RotationPolicy`]: the durations, and the inequalities without which a rotation would
//!   break a verifier.
//! - [`FleetView`]: who has learned a key already, replicas and verifiers.
//! - [`Keyring::plan`]: which [`Step`]s are due now. The ticker of a server and a command line
//!   are two shells over it.
//! - [`KeyEncryptionKey`]: keys sealed at rest (AES-256-GCM under a data key of their own),
//!   and the seal over their state. What is sealed is a [`Secret`]: the key, or where it is kept.
//! - [`ServerSecret`]: random bits of the issuer's own, sealed in the same way, to derive keys from.
//!
//! ```
//! use claviger_jose::NumericDate;
//! use claviger_keyring::{FleetView, Keyring, RotationPolicy, Step};
//!
//! // The very first plan: per algorithm, a key that signs and one that is ready to follow it.
//! let policy = RotationPolicy::default();
//! let steps = Keyring::default().plan(&policy, &FleetView::default(), NumericDate::from_secs(0));
//! assert!(matches!(steps[..], [Step::Create { .. }, Step::Create { .. }, Step::Create { .. }, Step::Create { .. }]));
//! ```

mod context;
mod fleet;
mod generate;
mod kek;
mod keyring;
mod pair;
mod plan;
mod policy;
mod seal;
mod server_secret;
mod signer;
mod signing_key;
mod state;

pub use context::{KeyContext, PURPOSE};
pub use fleet::{FleetView, Serving, Witness};
pub use generate::{GenerateError, generate};
pub use kek::{KeyEncryptionKey, WeakKey};
pub use keyring::{Keyring, ManagedKey, Move, StepRefused};
pub use plan::{KnownBy, Step};
pub use policy::{BrokenInequality, Lifetimes, RotationPolicy};
pub use rsa::rand_core;
pub use seal::{Pkcs8, Reference, SealedKey, Secret, Unsealable};
pub use server_secret::{SecretPlace, ServerSecret};
pub use signer::{SignError, Signer};
pub use signing_key::{KeyRejected, SigningKey};
pub use state::{IllegalTransition, KeyState};
