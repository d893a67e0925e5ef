//! The revocation feed: what is asked of a statement, what is kept of it, and when the next one is fetched.
//!
//! The rules and the times are pure: a simulation of a fleet runs the same code as a service does.

mod life;
mod list;
mod policy;
mod statement;

pub use life::TokenFacts;
pub use list::{News, RevocationList};
pub use policy::{FeedPolicy, MAX_POLL, MIN_POLL, MIN_POLL_ON_LOOPBACK};
pub use statement::{Reader, Signer, StatementFault};
