//! The tables as sea-orm sees them.

pub(crate) mod account;
pub(crate) mod attempt;
pub(crate) mod audit;
pub(crate) mod audit_checkpoint;
pub(crate) mod client;
pub(crate) mod client_grant;
pub(crate) mod client_secret;
pub(crate) mod consent;
pub(crate) mod duty;
pub(crate) mod issuer;
pub(crate) mod key_set;
pub(crate) mod logout_notice;
pub(crate) mod one_time_link;
pub(crate) mod replica;
pub(crate) mod resource_server;
pub(crate) mod revision;
pub(crate) mod revocation;
pub(crate) mod serving;
pub(crate) mod session;
pub(crate) mod session_client;
pub(crate) mod signing_key;
pub(crate) mod team;
pub(crate) mod verifier;
pub(crate) mod verifier_overflow;
