//! Reading what people declare in TOML, so that *all* their mistakes are found in one run.
//!
//! A derived deserializer stops at the first mistake. Here each value is asked for by name and
//! type; what is wrong goes onto a list with its line, and the reading goes on.

mod mistakes;
mod table;

pub use mistakes::{Mistake, Mistakes};
pub(crate) use table::{Document, Form, Table};
