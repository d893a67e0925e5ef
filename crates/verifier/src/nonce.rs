//! Nonces of the service's own (RFC 9449 section 9), of which nothing has to be remembered.

use std::{fmt, time::Duration};

use aws_lc_rs::{hmac, rand::SystemRandom};
use claviger_jose::{NumericDate, base64url};

use crate::{BuildError, DpopNonce};

/// How long one nonce is handed out. It is taken for as long again.
const WINDOW: Duration = Duration::from_mins(5);

/// Hands out nonces and knows them again: each is a window of time under a key of this process alone.
pub(crate) struct Nonces {
    key: hmac::Key,
}

impl Nonces {
    pub(crate) fn new() -> Result<Self, BuildError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Ok(Self { key: key.map_err(|_| BuildError::NoRandomness)? })
    }

    /// The nonce to ask for.
    pub(crate) fn current(&self, now: NumericDate) -> DpopNonce {
        let tag = hmac::sign(&self.key, &window(now).to_be_bytes());
        DpopNonce::new(base64url::encode(tag.as_ref()))
    }

    /// Whether this is the nonce of this window or of the one before.
    pub(crate) fn accepts(&self, nonce: &str, now: NumericDate) -> bool {
        let mut buffer = [0; 32];
        let Ok(tag) = base64url::decode_into(nonce, &mut buffer) else {
            return false;
        };
        let this = window(now);
        let is_of = |window: u64| hmac::verify(&self.key, &window.to_be_bytes(), tag).is_ok();
        is_of(this) || this.checked_sub(1).is_some_and(is_of)
    }
}

fn window(now: NumericDate) -> u64 {
    now.as_secs() / WINDOW.as_secs()
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-17
    #[test]
    fn a_nonce_lives_for_two_windows_of_its_own_process() {
        let (nonces, others) = (Nonces::new().unwrap(), Nonces::new().unwrap());
        let at = NumericDate::from_secs;
        let nonce = nonces.current(at(3000));
        assert_eq!(nonce, nonces.current(at(3299)));
        assert_ne!(nonce, nonces.current(at(3300)));
        for (now, expected) in [(2999, false), (3000, true), (3300, true), (3599, true), (3600, false)] {
            assert_eq!(nonces.accepts(nonce.as_str(), at(now)), expected, "{now}");
        }
        assert!(!others.accepts(nonce.as_str(), at(3000)));
        for forged in ["", "a", "AAAA", &"A".repeat(43), &"A".repeat(400)] {
            assert!(!nonces.accepts(forged, at(0)), "{forged}");
        }
    }
}
