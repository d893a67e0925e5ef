//! How keys change and what is revoked, on a database of one test: what is refused, what is one transaction, and what the
//! audit log says of it.

mod commands;
mod fixture;
mod fleet;
mod home;
mod log;
mod refusals;
mod revoking;
