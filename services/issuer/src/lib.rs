//! The authorization server: the binary `claviger` and what it is made of.
//!
//! In reading order:
//!
//! - [`Cli`]: the command line; each command a thin shell.
//! - [`config`] and [`declared`]: settings and fleet files, with all their mistakes at once.
//! - [`fleet`]: `fleet.toml`, and what applying it changes.
//! - [`keys`]: the keys, opened from the store, published, and moved along their plan.
//! - `pepper`: what the issuer derives other secrets from.
//! - [`witnesses`]: who holds which keys, replicas and verifiers; [`actor`]: who did it, for the audit log.
//! - [`server`]: what requests are answered from, in memory; the order of starting.
//! - `provider`: what signing people in needs beyond that; `browser`: what browsers bring along and are believed;
//!   `authorize`: from what a client asks to its code, by way of the pages.
//! - `routes`: the route table; `grant`: one function per grant type; [`mint`]: the one place
//!   that signs tokens.
//! - `first_party`: log-in by applications of the house itself.
//! - `client_auth`: who a client is, by the one method that it registered; `rate`: how often they may do
//!   something; `outbound`: requests to where clients say.
//! - [`feed`]: what is revoked, as a signed statement (`expiry`: for how long); [`reports`]: what verifiers say of themselves in return.
//! - [`pages`]: what people see when they sign in, in their language and under the brand of the house.
//! - `ticker`: looks into the database once a second, and renews the [`lease`] to sign; one replica at a time takes the
//!   steps that are due, and signs [`checkpoint`]s of the audit log.
//! - `people`: who they are, and how they prove it.
//! - [`admin`]: what operators are listened to for, on an address of its own; [`counters`]: what their metrics show.
//! - [`http`]: the server's own accept loop, with a limit to every wait.

pub mod actor;
pub mod admin;
mod authorize;
mod browser;
pub mod checkpoint;
mod claims;
mod cli;
mod client_auth;
mod clock;
pub mod config;
pub mod counters;
pub mod declared;
mod expiry;
pub mod feed;
mod first_party;
pub mod fleet;
mod grant;
pub mod http;
pub mod keys;
pub mod lease;
mod log_out;
pub mod mint;
mod outbound;
pub mod pages;
mod people;
mod pepper;
mod provider;
mod rate;
pub mod registry_view;
pub mod reports;
mod rng;
mod routes;
pub mod server;
pub mod signer_pool;
mod ticker;
mod upkeep;
pub mod witnesses;

pub use cli::Cli;
pub use ticker::TickError;
