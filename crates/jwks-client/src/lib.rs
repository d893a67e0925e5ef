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
//!   process: a flood of random kids cannot make a service attack its issuer. A kid that cannot be
//!   one of the issuer's causes none.
//! - What the network sends is bounded in time, size and count, and redirects are not followed.
//! - A panic in the task counts as an attempt that failed. What is built alike in one process is one
//!   client, and the task ends with its last handle.
//!
//! # Finding the key of a token
//!
//! ```no_run
//! use claviger_jose::UnverifiedJws;
//! use claviger_jwks_client::{JwksClient, KeyError, StartMode};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! // Waits up to 5 s for the set. An issuer that is down does not keep the service from starting.
//! let keys = JwksClient::builder("https://id.example.com").start(StartMode::default()).await?;
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
//! [`StartMode::FailFast`] gives up instead, with an error that says where it looked and what to mend;
//! [`StartMode::Lazy`] fetches when the first request comes.
//! [`build`](JwksClientBuilder::build) begins to fetch and does not wait.
//!
//! # What the issuer has revoked
//!
//! Where the metadata announces a revocation feed (`revocations_uri`), or
//! [`revocations_url`](JwksClientBuilder::revocations_url) names one, the client polls it, every 15 s or as the issuer
//! says, and [`JwksClient::is_revoked`] answers for a verified token. A statement of the feed is taken if a living key of
//! the issuer has signed it and it is no older than the one before; what is refused changes nothing but a metric.
//! Revocations accumulate: no later statement, and no old copy, lifts one. The feed is no condition for accepting: how
//! long a verifier may go without news is bounded by [`Timing::staleness`] of the key set.
//!
//! The feed also names the entity tag of the key set. So one poll, most of the time a 304, confirms both, as of when the
//! statement was signed, and a new set is fetched within a second of the news; the set itself is asked for once an hour. A
//! statement that is older than the issuer sends any confirms nothing for long: after 6 to 7 min the set itself is asked for.
//!
//! With each poll the client says for which services it is [used](JwksClient::verifies_for), and what it holds. An issuer
//! without a feed is told nothing.
//!
//! # Surviving a restart while the issuer is down
//!
//! ```no_run
//! # use claviger_jwks_client::{BuildError, JwksClient};
//! # fn example() -> Result<(), BuildError> {
//! let keys = JwksClient::builder("https://id.example.com")
//!     .disk_copy("/var/lib/orders/id.example.com.jwks")
//!     .build()?;
//! println!("an earlier process has left a usable set: {}", keys.is_ready());
//! # Ok(())
//! # }
//! ```
//!
//! What the copy protects against, and what not, stands at [`disk_copy`](JwksClientBuilder::disk_copy).
//!
//! # Taking the set from elsewhere
//!
//! ```no_run
//! # use claviger_jwks_client::{BuildError, JwksClient, KeySource};
//! # fn example() -> Result<(), BuildError> {
//! // An issuer that names its keys as it likes, with a mirror for when it is down and the held set is too old.
//! let keys = JwksClient::builder("https://login.example.com/tenant")
//!     .failover([
//!         KeySource::Discovery,
//!         KeySource::JwksUrl("https://mirror.example.com/tenant/keys".to_owned()),
//!     ])
//!     .foreign_kids()
//!     .build()?;
//!
//! // A file that a side car writes.
//! let keys = JwksClient::builder("https://id.example.com").watched_file("/run/keys/jwks.json").build()?;
//! # Ok(())
//! # }
//! ```
//!
//! A [fixed set](JwksClientBuilder::fixed_set) needs neither network nor runtime.
//!
//! # Following what happens
//!
//! ```no_run
//! # use claviger_jwks_client::{JwksClient, KeysEvent};
//! # async fn example(keys: JwksClient) {
//! let mut events = keys.subscribe();
//! while let Ok(event) = events.recv().await {
//!     match event {
//!         KeysEvent::Stale => println!("the issuer cannot be reached: {:?}", keys.status()),
//!         KeysEvent::KeyWithoutOverlap { kid } => println!("{kid} was withdrawn too early"),
//!         other => println!("{other:?}"),
//!     }
//! }
//! # }
//! ```
//!
//! [`JwksClient::generation`] moves with each change of the accepted keys: what is derived from them can
//! be cached under it.
//!
//! # Acting at once
//!
//! ```no_run
//! # use claviger_jose::Kid;
//! # use claviger_jwks_client::JwksClient;
//! # async fn example(keys: JwksClient, stolen: Kid) -> Result<(), Box<dyn std::error::Error>> {
//! // Or in a file, for processes that nobody can call: see `JwksClientBuilder::deny_file`.
//! keys.deny_kid(&stolen)?; // dead for all clients of the issuer in this process, and after a restart with a disk copy
//! keys.refresh_now().await?; // what the issuer has published a moment ago
//! # Ok(())
//! # }
//! ```
//!
//! # Metrics
//!
//! With the feature `metrics`, on by default, through the facade of that name. Every metric has the label
//! `issuer`, which is the configured one; a known kid of a fresh set is not counted.
//!
//! | metric | kind | more labels |
//! |---|---|---|
//! | `jwks_fetches_total` | counter | `outcome`: `replaced`, `not_modified`, or the kind of [`FetchError`] |
//! | `jwks_fetch_seconds` | histogram | |
//! | `jwks_age_seconds` | gauge | |
//! | `jwks_keys`, `jwks_generation` | gauges | |
//! | `jwks_stale_served_total` | counter | |
//! | `jwks_unknown_kid_total` | counter | `action`: `malformed`, `denied`, `joined`, `fetched`, `throttled` |
//! | `jwks_clock_set_back_total` | counter | |
//! | `revocations_polls_total` | counter | `outcome`: `taken`, `not_modified`, `expired`, `from_future`, `refused`, or the kind of [`FetchError`] |
//! | `revocations_refused_total` | counter | `reason`: the kind of [`StatementFault`] |
//! | `revocations_age_seconds` | gauge | since a statement was last news, in this process |
//! | `revocations_seq`, `revocations_entries` | gauges | |
//!
//! # How it is made
//!
//! There is no cache library in here: the set is one pointer that is swapped whole, and the handles of a
//! process are bounded by those that are alive. Nothing is keyed by what the network sends.
//!
//! In reading order: [`Timing`] is the numbers, `policy` decides when to fetch and what to answer
//! and does nothing else, `feed` does the same for what is revoked, and polls; `deny_file` is the operator's word,
//! `report` what the issuer is told; `held` is the set, `denied` what is taken from it and `event` what is news,
//! `http_cache` and `endpoint` read headers and URLs, `fetch` is one request and `source` one attempt
//! over all places, `disk` the copy, `wall` the watch over the clock; `refresh` is the task, `shared` and
//! `conclude` what it has in common with the handles, `client` the handle, `registry` finds a handle
//! again, and `assemble` makes all of it from what [`JwksClientBuilder`] was told.

mod assemble;
mod build_error;
mod builder;
mod client;
mod clock;
mod conclude;
mod denials;
mod denied;
mod deny_file;
mod disk;
mod endpoint;
mod error;
mod event;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulation runs it too"))]
mod feed;
mod fetch;
mod held;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulation runs it too"))]
mod http_cache;
mod key_source;
mod metrics;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "a simulation runs it too"))]
mod policy;
mod refresh;
mod registry;
mod report;
mod shared;
mod source;
mod start;
mod status;
mod timing;
mod wall;

/// The decisions of the client without the client: the same code, for a simulation of a fleet. No part of the
/// interface that is kept.
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation {
    pub use crate::feed::{
        Consequence, FeedPolicy, MAX_POLL, MIN_POLL, MIN_POLL_ON_LOOPBACK, News, PollEnd, PollTimes, Reader,
        RevocationList, SignedFor, Signer, StatementAges, StatementFault, poll_ended,
    };
    pub use crate::http_cache::Horizons;
    pub use crate::policy::{AsOf, Asked, Cause, Policy, Turn, Want};
}

pub use build_error::BuildError;
pub use builder::JwksClientBuilder;
pub use client::JwksClient;
pub use clock::SystemClock;
pub use denied::DenyError;
pub use error::{FetchError, KeyError};
pub use event::KeysEvent;
pub use feed::{FeedError, StatementFault, TokenFacts};
pub use key_source::{JwksDocument, KeySource};
pub use start::{StartError, StartMode};
pub use status::{FeedStatus, Fetches, Status};
pub use timing::{Timing, TimingError};
