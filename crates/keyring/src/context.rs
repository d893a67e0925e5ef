use claviger_jose::{Algorithm, Kid};

use crate::{KeyState, seal::Place};

/// What the keys of this keyring are for. It is part of every seal, so that a later keyring
/// with another purpose cannot be fed with these keys.
pub const PURPOSE: &str = "token";

const FORMAT: &[u8] = b"claviger/key/v1";
const TABLE: &str = "signing_key";

/// Where a sealed key belongs: sealed under one context, it opens under no other.
#[derive(Debug, Clone, Copy)]
pub struct KeyContext<'a> {
    /// The issuer whose key it is.
    pub issuer: &'a str,
    /// The key.
    pub kid: &'a Kid,
    /// Its algorithm.
    pub alg: Algorithm,
}

impl Place for KeyContext<'_> {
    /// It does not name the key-encryption key, or wrapping the data key anew would make every row unreadable.
    fn of_payload(&self) -> Vec<u8> {
        let parts = [self.issuer, TABLE, self.kid.as_str(), self.alg.as_str(), PURPOSE];
        place(FORMAT, &parts)
    }

    fn of_wrap(&self, kek_id: &str) -> Vec<u8> {
        let mut bytes = self.of_payload();
        append(&mut bytes, kek_id.as_bytes());
        bytes
    }
}

impl KeyContext<'_> {
    /// What the seal over a state covers.
    pub(crate) fn of_state(&self, state: KeyState) -> Vec<u8> {
        let mut bytes = self.of_payload();
        append(&mut bytes, state.name().as_bytes());
        append(&mut bytes, &state.since().as_secs().to_be_bytes());
        append(&mut bytes, &state.until().map(|until| until.as_secs().to_be_bytes()).unwrap_or_default());
        append(&mut bytes, &[u8::from(state.until().is_some())]);
        bytes
    }
}

/// A place in a database, in the words of one format.
pub(crate) fn place(format: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut bytes = format.to_vec();
    for part in parts {
        append(&mut bytes, part.as_bytes());
    }
    bytes
}

/// Length before content: no two lists of parts have one encoding.
pub(crate) fn append(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
    bytes.extend_from_slice(part);
}
