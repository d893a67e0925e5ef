//! The tables as sea-orm sees them.

pub(crate) mod client;
pub(crate) mod client_grant;
pub(crate) mod client_secret;
pub(crate) mod issuer;
pub(crate) mod resource_server;
pub(crate) mod revision;
pub(crate) mod signing_key;
pub(crate) mod team;
