//! The keys of a running issuer: opened, published, rotated.
//!
//! [`Vault`] opens what the store holds; a [`KeyView`] is what the request path sees of it, swapped
//! as a whole; [`Rotation`] takes the steps that the pure plan asks for.

mod kek_file;
mod rotation;
mod vault;
mod view;

pub use kek_file::{KekFileError, create_kek, read_kek};
pub use rotation::{Refusal, Rotation, RotationError, Taken};
pub use vault::{Opened, Vault};
pub use view::{KeyView, PublishedSet};
