//! The cached, bounded and self-refreshing key set of one issuer, for services that verify
//! tokens offline.
//!
//! [`JwksClient::resolve`] answers a known kid at once: no lock, no waiting, no allocation, from
//! keys that were prepared when the set was swapped in. Behind it one task keeps the set:
//!
//! - It refreshes before the set is stale, so no request waits for a fetch. A fetched set
//!   **replaces** the held one; a key that is gone from it is dead at once.
//! - A fetch that fails, in any way, never touches the held set. The set stays usable for
//!   [`Timing::staleness`] after the last contact, then everything is
//!   [`KeyError::Unavailable`]: an outage is never taken for a forged token.
//! - An unknown kid may cause one fetch, shared by all who wait for it, from a small bucket per
//!   process: a flood of random kids cannot make a service attack its issuer.
//! - What the network sends is bounded in time, size and count, and redirects are not followed.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use claviger_jose::UnverifiedJws;
//! use claviger_jwks_client::{JwksClient, KeyError};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let keys = JwksClient::builder("https://id.example.com").build()?;
//! if !keys.ready_within(Duration::from_secs(5)).await {
//!     eprintln!("no key set yet; it will be fetched when the issuer is back");
//! }
//!
//! let jws = UnverifiedJws::parse(token)?;
//! match keys.resolve(jws.kid()).await {
//!     Ok(key) => println!("{} verifies with {}", key.kid(), key.alg()),
//!     Err(KeyError::UnknownKid) => println!("401: no such key"),
//!     Err(KeyError::Unavailable { retry_after }) => println!("503, Retry-After: {}", retry_after.as_secs()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`Timing`] is the numbers, `policy` decides when to fetch and what to answer
//! and does nothing else, `held` is the set, `http_cache` and `endpoint` read headers and URLs,
//! `fetch` and `source` are one attempt, `refresh` is the task, `shared` what it shares with the
//! handles, `client` the handle.

mod assemble;
mod build_error;
mod builder;
mod client;
mod clock;
mod conclude;
mod denied;
mod disk;
mod endpoint;
mod error;
mod event;
mod fetch;
mod held;
mod http_cache;
mod key_source;
mod metrics;
mod policy;
mod refresh;
mod registry;
mod shared;
mod source;
mod start;
mod status;
mod timing;
mod wall;

pub use build_error::BuildError;
pub use builder::JwksClientBuilder;
pub use client::JwksClient;
pub use clock::SystemClock;
pub use denied::DenyError;
pub use error::{FetchError, KeyError};
pub use event::KeysEvent;
pub use key_source::{JwksDocument, KeySource};
pub use start::{StartError, StartMode};
pub use status::{Fetches, Status};
pub use timing::{Timing, TimingError};
