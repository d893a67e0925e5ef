use claviger_jose::Algorithm;
use p256::pkcs8::EncodePrivateKey as _;
use rsa::{pkcs8::EncodePrivateKey as _, rand_core::CryptoRngCore};
use zeroize::Zeroizing;

use crate::{Pkcs8, SigningKey};

/// NIST SP 800-57 part 1 table 2: 112 bits of strength, for keys that live for weeks.
const RSA_BITS: usize = 2048;

/// A key could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a new {0} key could not be made")]
pub struct GenerateError(pub Algorithm);

/// Makes a new key, encoded for sealing and prepared for signing, self-test included.
/// RSA takes a good part of a second: not on an async worker.
///
/// # Errors
/// [`GenerateError`] if the random source or the self-test fails.
pub fn generate(alg: Algorithm, rng: &mut impl CryptoRngCore) -> Result<(Pkcs8, SigningKey), GenerateError> {
    let der = match alg {
        Algorithm::Rs256 => {
            let key = rsa::RsaPrivateKey::new(rng, RSA_BITS).map_err(|_| GenerateError(alg))?;
            key.to_pkcs8_der().map_err(|_| GenerateError(alg))?.to_bytes()
        }
        Algorithm::Es256 => {
            let key = random_scalar(rng).ok_or(GenerateError(alg))?;
            key.to_pkcs8_der().map_err(|_| GenerateError(alg))?.to_bytes()
        }
    };
    let pkcs8 = Pkcs8(der);
    let key = SigningKey::from_pkcs8(alg, &pkcs8).map_err(|_| GenerateError(alg))?;
    Ok((pkcs8, key))
}

/// A uniform scalar by rejection: 32 random bytes are out of range once in 2^32 tries.
fn random_scalar(rng: &mut impl CryptoRngCore) -> Option<p256::SecretKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    (0..4).find_map(|_| {
        rng.try_fill_bytes(&mut *bytes).ok()?;
        p256::SecretKey::from_slice(&*bytes).ok()
    })
}
