//! Issuers that serve, seen from outside, over real sockets and a database of their own.

#![expect(clippy::unwrap_used, reason = "helpers of tests are test code too")]

mod admin;
mod back_channel;
mod cors;
mod feed;
mod fleet;
mod issuer;
mod log_out;
mod person;
mod proxy;
mod pushed;
mod users;
mod withdrawn;
