//! The fleet as code: `fleet.toml` declares teams, resource servers and clients; applying it
//! makes the database say the same.
//!
//! [`parse`] reads the file and finds all its mistakes, [`difference`] compares it with what is
//! there. Both are pure; the command line shows the difference and writes it.

mod check;
mod client;
mod difference;
mod file;
#[cfg(test)]
mod tests;
mod texts;

pub use difference::{Change, difference};
pub use file::parse;
