//! The public half of JOSE: everything a service needs to check a signature, and nothing it
//! could make one with.
//!
//! The crate is pure: no I/O, no clock and no randomness of its own. In reading order:
//!
//! - [`Algorithm`]: RS256 and ES256, a closed set. `none` and HS256 cannot be expressed.
//! - [`Kid`]: a key identifier; in this house always the RFC 7638 thumbprint.
//! - [`Jwk`] and [`JwkSet`]: public keys as they are published and fetched (RFC 7517).
//! - [`UnverifiedJws`] → [`VerifyingKey::verify`] → [`Verified`]: the only path from a token
//!   to its claims (RFC 7515 section 5.2).
//! - [`Payload`] and [`Typ`]: what a payload is, declared by its type and required of the
//!   header, so that no token can stand in for another kind of token (RFC 8725 section 3.11).
//!   [`HeaderRules`] widen that for issuers that are not of this house.
//! - [`UnverifiedProof`]: the one JWS that brings its own key, to prove that somebody has it
//!   (RFC 9449). What it proves is the key's thumbprint; whose key that is, others must say.
//! - [`Revocations`]: what an issuer has revoked, as its signed feed says it; [`VerifierReport`]: what a verifier says of
//!   itself when it asks for that.
//! - [`NumericDate`] and [`Clock`]: time, always an argument.
//! - [`base64url`] and [`json`]: the strict encodings that all of the above share.
//!
//! ```
//! use claviger_jose::{JwkSet, UnverifiedJws};
//!
//! let set = JwkSet::parse(br#"{"keys":[]}"#)?;
//! assert_eq!(set.keys().len(), 0);
//! assert!(UnverifiedJws::parse("not.a.token").is_err());
//! # Ok::<(), claviger_jose::JwkSetError>(())
//! ```

mod alg;
pub mod base64url;
mod header;
pub mod json;
mod jwk;
mod jwk_set;
mod jws;
mod kid;
mod proof;
mod report;
mod revocations;
mod time;
mod verifying_key;

pub use alg::{Algorithm, UnknownAlgorithm};
pub use header::{HeaderRules, Typ};
pub use jwk::{Jwk, JwkError, PublicKey};
pub use jwk_set::{JwkSet, JwkSetError, MAX_KEYS};
pub use jws::{
    JwsError, MAX_HEADER, MAX_STATEMENT, MAX_TOKEN, Payload, UnverifiedJws, Verified, VerifiedPayload,
};
pub use kid::{InvalidKid, Kid};
pub use proof::{MAX_PROOF_HEADER, UnverifiedProof};
pub use report::{InvalidReport, VerifierReport};
pub use revocations::{Mark, Marked, Revocations};
pub use time::{Clock, NumericDate};
pub use verifying_key::VerifyingKey;
