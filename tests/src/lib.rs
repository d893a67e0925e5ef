//! A fleet of real processes on free ports of loopback, for stories, the demo and the bench.
//!
//! - [`IssuerHome`]: a data directory; it runs `claviger` commands and serves.
//! - [`Service`]: a running `orders` or `ledger`.
//! - [`Fleet`]: an issuer and both services, with the clients of [`FLEET`].
//! - [`gate`]: a network with faults, and what platforms put before replicas.
//! - [`Replica`]: one process of an issuer, with its own way to the database.
//! - [`App`]: an application that signs people in.
//! - [`Load`]: callers of an issuer and its services, who keep an [`account`] of every answer.
//! - [`refresh_history`]: what must hold of refresh tokens, over all that was asked and answered.
//! - [`Process`]: a child that is ended when its owner goes.
//! - [`Wire`]: a bare connection, for load.
//! - [`Browser`]: a real browser, for pages.
//! - [`postgres`]: a PostgreSQL server of the harness's own.
//! - [`Person`]: somebody with a browser without a window, who walks the pages; [`CodeFlow`]: what a client does meanwhile.
//! - [`until`]: waiting for a condition, with an end.

pub mod account;
mod browser;
mod fleet;
pub mod gate;
mod http;
mod issuer;
mod keys;
mod load;
mod people;
mod person;
pub mod postgres;
mod process;
pub mod refresh_history;
mod replica;
mod service;
mod wire;

pub use browser::{Browser, Look};
pub use fleet::{FLEET, Fleet, LEDGER, ORDERS, PAGE, robot_assertion};
pub use http::{Reply, client, until};
pub use issuer::{Database, IssuerHome, Ran, TokenQuestion, ready};
pub use keys::{ListedKey, published};
pub use load::{Load, Loading, token_request};
pub use people::App;
pub use person::{CodeFlow, PageForm, Person};
pub use process::{Process, binary, free_port, run};
pub use replica::Replica;
pub use service::Service;
pub use wire::{Wire, get_request};
