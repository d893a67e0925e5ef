//! Keys that are kept elsewhere: how long anybody waits for them, and a token of a real PKCS#11 module.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bounded;
mod faulty;
#[cfg(feature = "pkcs11")]
mod pkcs11;
#[cfg(feature = "pkcs11")]
mod softhsm;
