use std::sync::{Mutex, PoisonError};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair},
};
use claviger_jose::Algorithm;

use crate::TestKey;

/// The embedded keys, one list for each algorithm.
static RS256: [&[u8]; 4] = [
    include_bytes!("../keys/rs256.pkcs8.der"),
    include_bytes!("../keys/rs256_other.pkcs8.der"),
    include_bytes!("../keys/rs256_3.pkcs8.der"),
    include_bytes!("../keys/rs256_4.pkcs8.der"),
];
static ES256: [&[u8]; 4] = [
    include_bytes!("../keys/es256.pkcs8.der"),
    include_bytes!("../keys/es256_other.pkcs8.der"),
    include_bytes!("../keys/es256_3.pkcs8.der"),
    include_bytes!("../keys/es256_4.pkcs8.der"),
];

/// The keys that were asked for so far, by number: each is parsed once, and only if somebody wants it.
type Prepared = Mutex<Vec<Option<&'static TestKey>>>;
static RS256_PREPARED: Prepared = Mutex::new(Vec::new());
static ES256_PREPARED: Prepared = Mutex::new(Vec::new());

pub(crate) fn nth(alg: Algorithm, number: usize) -> &'static TestKey {
    let (embedded, prepared) = match alg {
        Algorithm::Rs256 => (&RS256, &RS256_PREPARED),
        Algorithm::Es256 => (&ES256, &ES256_PREPARED),
    };
    let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
    if prepared.len() <= number {
        prepared.resize(number + 1, None);
    }
    // A key lives as long as the process: there are as many as a test asks for by number.
    prepared[number].get_or_insert_with(|| {
        let pkcs8 = embedded.get(number).copied().unwrap_or_else(|| Vec::leak(make(alg)));
        let key = match alg {
            Algorithm::Rs256 => TestKey::rsa(pkcs8),
            Algorithm::Es256 => TestKey::p256(pkcs8),
        };
        Box::leak(Box::new(key))
    })
}

/// A new private key in PKCS#8.
fn make(alg: Algorithm) -> Vec<u8> {
    match alg {
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("the random number generator answers");
            let der: Pkcs8V1Der<'_> = pair.as_der().expect("a sound key can be written");
            der.as_ref().to_vec()
        }
        Algorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("the random number generator answers")
                .as_ref()
                .to_vec()
        }
    }
}
