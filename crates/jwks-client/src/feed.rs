//! The revocation feed: what is asked of a statement, what is kept of it, and when the next one is fetched.
//!
//! The rules and the times are pure: a simulation of a fleet runs the same code as a service does.

mod age;
mod conclude;
mod life;
mod list;
mod outcome;
mod policy;
mod poll;
mod read;
mod state;
mod statement;

pub use age::{SignedFor, StatementAges};
pub use life::TokenFacts;
pub use list::{News, RevocationList};
pub use outcome::{Consequence, PollEnd, PollTimes, poll_ended};
#[cfg(feature = "simulation")]
pub use policy::MAX_POLL;
pub use policy::{FeedPolicy, MIN_POLL, MIN_POLL_ON_LOOPBACK};
pub(crate) use poll::Poller;
pub use state::FeedError;
pub(crate) use state::FeedState;
pub use statement::{Reader, Signer, StatementFault};
