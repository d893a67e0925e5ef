use anyhow::anyhow;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use claviger_jose::PublicKey;
use claviger_testkit::TestKey;

use super::Contestant;

/// The signature and nothing else, with a prepared key, of parts that are already split and decoded:
/// what no verifier can go below.
pub(crate) fn verify(key: &TestKey) -> anyhow::Result<Contestant> {
    let public = match key.jwk().public_key() {
        PublicKey::Rsa { n, e } => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
        PublicKey::P256 { x, y } => {
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], &x[..], &y[..]].concat())
        }
    };
    let public = public.map_err(|_| anyhow!("the key is rejected"))?;
    let check = Box::new(move |presented: &crate::stage::Presented| {
        public
            .verify_sig(presented.signing_input.as_bytes(), &presented.signature)
            .map_err(|_| anyhow!("a good signature is refused"))
    });
    Ok(Contestant::new("the bare signature", check))
}
