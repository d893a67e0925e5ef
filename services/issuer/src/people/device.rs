use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;
use claviger_jose::base64url;
use claviger_keyring::rand_core::RngCore;
use claviger_store::Username;

use crate::rng::SystemRng;

const PREFIX: &str = "dv_";
const NONCE: usize = 16;
const TAG: usize = 32;
const ENCODED: usize = 64;

/// Recognises browsers in which somebody has logged in before, by a cookie that we have sealed.
///
/// It proves nothing about who sits there and lets nobody in. It only says that wrong guesses made elsewhere do not count here.
#[derive(Clone)]
pub(crate) struct Devices(Arc<hmac::Key>);

/// A browser in which this person has logged in before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownDevice {
    cookie: String,
}

impl Devices {
    /// The devices of this key, which all replicas share.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The cookie for a browser in which somebody has just logged in.
    pub(crate) fn remember(&self, name: &Username) -> String {
        let mut nonce = [0; NONCE];
        SystemRng.fill_bytes(&mut nonce);
        let tag = hmac::sign(&self.0, &message(&nonce, name));
        format!("{PREFIX}{}", base64url::encode(&[&nonce, tag.as_ref()].concat()))
    }

    /// The browser, if its cookie is one of ours for this person.
    pub(crate) fn recognise(&self, name: &Username, cookie: &str) -> Option<KnownDevice> {
        let encoded = cookie.strip_prefix(PREFIX).filter(|encoded| encoded.len() == ENCODED)?;
        let bytes = base64url::decode(encoded).ok().filter(|bytes| bytes.len() == NONCE + TAG)?;
        let (nonce, tag) = bytes.split_at(NONCE);
        hmac::verify(&self.0, &message(nonce, name), tag).ok()?;
        Some(KnownDevice { cookie: cookie.to_owned() })
    }
}

impl KnownDevice {
    /// What tells it from others.
    pub(super) fn mark(&self) -> &str {
        &self.cookie
    }

    pub(super) fn into_cookie(self) -> String {
        self.cookie
    }
}

fn message(nonce: &[u8], name: &Username) -> Vec<u8> {
    [b"device\0".as_slice(), nonce, name.key().as_bytes()].concat()
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Devices(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-90
    #[test]
    fn a_browser_is_known_to_whom_it_was_remembered_for_and_to_nobody_else() {
        let devices = Devices::new(&[1; 32]);
        let (ada, bob): (Username, Username) = ("ada".parse().unwrap(), "bob".parse().unwrap());
        let cookie = devices.remember(&ada);
        assert!(devices.recognise(&ada, &cookie).is_some());
        assert!(devices.recognise(&bob, &cookie).is_none());
        assert!(Devices::new(&[2; 32]).recognise(&ada, &cookie).is_none());
        let mut forged = cookie.clone().into_bytes();
        for position in 0..forged.len() {
            forged[position] ^= 1;
            let text = String::from_utf8_lossy(&forged);
            assert!(devices.recognise(&ada, &text).is_none(), "{text}");
            forged[position] ^= 1;
        }
        for text in ["", "dv_", "dv_x", &"dv_".repeat(99), &cookie[3..], &format!("{cookie}A")] {
            assert!(devices.recognise(&ada, text).is_none(), "{text}");
        }
    }
}
