use claviger_keyring::rand_core::{CryptoRng, Error, RngCore, impls};

/// The random source of the operating system and aws-lc, for making keys and secrets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemRng;

impl RngCore for SystemRng {
    fn next_u32(&mut self) -> u32 {
        impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        // Without randomness there is nothing safe to go on with.
        aws_lc_rs::rand::fill(bytes).expect("the system's random source answers");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for SystemRng {}

/// A name that nobody else has and nobody can guess: a UUID of version 4.
pub(crate) fn random_id() -> uuid::Uuid {
    let mut random = [0; 16];
    SystemRng.fill_bytes(&mut random);
    uuid::Builder::from_random_bytes(random).into_uuid()
}

/// 256 random bits, for a secret.
pub(crate) fn random_bits() -> [u8; 32] {
    let mut random = [0; 32];
    SystemRng.fill_bytes(&mut random);
    random
}

/// A nonce of AES-GCM.
pub(crate) fn random_nonce() -> [u8; 12] {
    let mut random = [0; 12];
    SystemRng.fill_bytes(&mut random);
    random
}
