//! What the fuzz targets do with their bytes. `cargo xtask fuzz` runs them.
//!
//! Each target is one module with a `run(data)` that panics on a finding, so that an input that was once a
//! finding can be a plain test. In reading order:
//!
//! - [`compact`]: any bytes as a token, as a header, as a payload.
//! - [`jwks`]: any bytes as a key set.
//! - [`claims`]: any bytes as the payload of a token whose signature is right.
//! - [`dpop`]: any bytes as a proof of possession beside a token that is good.
//! - [`differential`]: tokens with accidents, shown to two other implementations as well.
//!
//! The targets hold more than "it does not panic": each states what must be true of whatever was accepted.

pub mod claims;
pub mod compact;
pub mod differential;
pub mod dpop;
pub mod jwks;
mod signed;
mod tree;
