//! What the store promises, on SQLite and on PostgreSQL: each fact is checked on both.

mod accounts;
mod attempts;
mod audit;
mod codes;
mod damage;
#[cfg(feature = "failpoints")]
mod failpoints;
mod fixture;
mod fleet;
mod granted;
mod house;
mod key_changes;
mod key_states;
mod logout_notices;
mod opening;
mod outages;
#[path = "../../../../tests/src/postgres.rs"]
pub mod postgres;
#[cfg(feature = "failpoints")]
mod refresh_failpoints;
mod refresh_verdicts;
mod refreshes;
mod registry;
mod relay;
mod restoring;
mod revocations;
mod rewrapping;
mod server_secrets;
mod serving;
mod sessions;
mod sign_outs;
mod upkeep;
