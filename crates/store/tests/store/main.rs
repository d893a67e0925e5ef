//! What the store promises, on SQLite and on PostgreSQL: each fact is checked on both.

mod audit;
mod damage;
#[cfg(feature = "failpoints")]
mod failpoints;
mod fixture;
mod fleet;
mod key_changes;
mod key_states;
mod opening;
#[path = "../../../../tests/src/postgres.rs"]
pub mod postgres;
mod registry;
mod revocations;
mod serving;
