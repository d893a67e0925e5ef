use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use claviger_jose::{Jwk, PublicKey};
use claviger_keyring::{SignError, Signer};

/// What is wrong with a keeper of keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault {
    /// Of a hundred calls so many fail.
    pub(crate) errors: u64,
    /// So long each call takes.
    pub(crate) latency: Duration,
    /// One bit of each signature is another.
    pub(crate) flipped: bool,
    /// Nobody is answered before so many are calling at the same time.
    pub(crate) together: Option<Arc<Together>>,
}

/// Where callers wait for each other, for a tenth of a second at most.
#[derive(Debug)]
pub(crate) struct Together {
    needed: usize,
    present: Mutex<usize>,
    all: Condvar,
}

impl Together {
    pub(crate) fn new(needed: usize) -> Arc<Self> {
        Arc::new(Self { needed, present: Mutex::default(), all: Condvar::new() })
    }

    fn meet(&self) -> bool {
        let mut present = self.present.lock().unwrap();
        *present += 1;
        self.all.notify_all();
        let (mut present, timeout) = self
            .all
            .wait_timeout_while(present, Duration::from_millis(100), |present| *present < self.needed)
            .unwrap();
        if timeout.timed_out() {
            *present -= 1;
        }
        !timeout.timed_out()
    }
}

/// A keeper with faults that the test injects.
#[derive(Debug)]
pub(crate) struct Faulty {
    keeper: Arc<dyn Signer>,
    fault: ArcSwap<Fault>,
    calls: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(keeper: Arc<dyn Signer>) -> Arc<Self> {
        Arc::new(Self { keeper, fault: ArcSwap::default(), calls: AtomicU64::new(0) })
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.fault.store(Arc::new(fault));
    }
}

impl Signer for Faulty {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let fault = self.fault.load_full();
        // The same calls fail in every run, and no two in a row more often than by chance.
        let call = self.calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        if fault.together.as_ref().is_some_and(|together| !together.meet()) {
            return Err(SignError::Signature);
        }
        thread::sleep(fault.latency);
        if call % 100 < fault.errors {
            return Err(SignError::Unavailable("injected".to_owned()));
        }
        let mut signature = self.keeper.sign(message)?;
        if fault.flipped {
            let position = usize::try_from(call).unwrap_or_default() % signature.len();
            signature[position] ^= 1;
        }
        Ok(signature)
    }
}

/// A key in this process that behaves like one elsewhere.
pub(crate) struct Here(EcdsaKeyPair);

impl Here {
    pub(crate) fn new() -> (Jwk, Arc<Self>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let public = PublicKey::P256 { x: x.try_into().unwrap(), y: y.try_into().unwrap() };
        (Jwk::new(public).unwrap(), Arc::new(Self(pair)))
    }
}

impl std::fmt::Debug for Here {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Here(..)")
    }
}

impl Signer for Here {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signed = self.0.sign(&SystemRandom::new(), message);
        signed.map(|signature| signature.as_ref().to_vec()).map_err(|_| SignError::Signature)
    }
}
