//! A fleet of real processes on free ports of loopback, for stories, the demo and the bench.
//!
//! - [`IssuerHome`]: a data directory; it runs `claviger` commands and serves.
//! - [`Service`]: a running `orders` or `ledger`.
//! - [`Fleet`]: an issuer and both services, with the clients of [`FLEET`].
//! - [`Process`]: a child that is ended when its owner goes.
//! - [`Wire`]: a bare connection, for load.
//! - [`Browser`]: a real browser, for pages.
//! - [`postgres`]: a PostgreSQL server of the harness's own.
//! - [`until`]: waiting for a condition, with an end.

mod browser;
mod fleet;
mod http;
mod issuer;
pub mod postgres;
mod process;
mod service;
mod wire;

pub use browser::{Browser, Look};
pub use fleet::{FLEET, Fleet, LEDGER, ORDERS};
pub use http::{Reply, client, until};
pub use issuer::{Database, IssuerHome, Ran, TokenQuestion};
pub use process::{Process, binary, free_port, run};
pub use service::Service;
pub use wire::{Wire, get_request};
