//! Attacks on the signature itself.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use claviger_jose::{PublicKey, base64url};

use super::{
    Attack::{Issuer, Signature},
    Tamper,
    model::Model,
};

/// The order of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

pub(super) const ROWS: &[Tamper] = &[
    Tamper::row("signed-by-a-stranger", Issuer, |m| m.signed_by(m.strange_key())),
    Tamper::row("signed-by-a-stranger-under-its-own-kid", Issuer, |m| {
        let stranger = m.strange_key();
        stranger.jws(m.header_with(&[("kid", stranger.kid().as_str().into())]), &m.payload())
    }),
    Tamper::row("signed-by-the-other-family", Signature, |m| m.signed_by(m.other_key())),
    Tamper::row("signature-of-another-token", Signature, |m| {
        let [header, payload, _] = m.parts();
        let other = m.claim("sub", "user:somebody-else");
        let (_, signature) = other.rsplit_once('.').unwrap_or_default();
        format!("{header}.{payload}.{signature}")
    }),
    Tamper::row("one-bit-off", Signature, |m| {
        m.resigned(|right| {
            let mut bytes = right.to_vec();
            bytes[40] ^= 1;
            bytes
        })
    }),
    Tamper::row("one-byte-short", Signature, |m| m.resigned(|right| right[..right.len() - 1].to_vec())),
    Tamper::row("one-byte-long", Signature, |m| m.resigned(|right| [right, &[0]].concat())),
    Tamper::row("a-zero-before", Signature, |m| m.resigned(|right| [&[0], right].concat())),
    Tamper::row("twice", Signature, |m| m.resigned(|right| right.repeat(2))),
    Tamper::row("all-zero", Signature, |m| m.resigned(|right| vec![0; right.len()])),
    Tamper::row("all-ones", Signature, |m| m.resigned(|right| vec![0xFF; right.len()])),
    Tamper::row("very-long", Signature, |m| m.resigned(|_| vec![0; 1025])),
    Tamper::row("ec-r-zero", Signature, |m| of_numbers(m, |_, s| [&[0; 32], s].concat())),
    Tamper::row("ec-s-zero", Signature, |m| of_numbers(m, |r, _| [r, &[0; 32]].concat())),
    Tamper::row("ec-r-the-order", Signature, |m| of_numbers(m, |_, s| [&ORDER, s].concat())),
    Tamper::row("ec-s-the-order", Signature, |m| of_numbers(m, |r, _| [r, &ORDER].concat())),
    Tamper::row("ec-both-the-order", Signature, |m| of_numbers(m, |_, _| [ORDER, ORDER].concat())),
    Tamper::row("ec-exchanged", Signature, |m| of_numbers(m, |r, s| [s, r].concat())),
    Tamper::row("ec-der", Signature, |m| {
        // As X.509 has them and JWS has not (RFC 7518 section 3.4).
        let integer = |number: &[u8]| [&[0x02, 0x21, 0x00], number].concat();
        of_numbers(m, |r, s| [&[0x30, 0x46], &*integer(r), &*integer(s)].concat())
    }),
    Tamper::row("rsa-over-sha-512", Signature, |m| by_rsa(m, &RSA_PKCS1_SHA512)),
    Tamper::row("rsa-pss", Signature, |m| by_rsa(m, &RSA_PSS_SHA256)),
    Tamper::row("rsa-the-modulus", Signature, |m| {
        let m = m.under_rsa();
        let modulus = match m.key.jwk().public_key() {
            PublicKey::Rsa { n, .. } => n.clone(),
            PublicKey::P256 { .. } => Vec::new(),
        };
        m.resigned(|_| modulus)
    }),
    Tamper::row("rsa-one", Signature, |m| {
        m.under_rsa().resigned(|right| [&vec![0; right.len() - 1][..], &[1]].concat())
    }),
];

/// A signature of two numbers that are made from the right ones, under the EC key.
fn of_numbers(m: &Model<'_>, forge: impl FnOnce(&[u8], &[u8]) -> Vec<u8>) -> String {
    m.under_ec().resigned(|right| forge(&right[..32], &right[32..]))
}

/// A sound signature by the issuer's RSA key in another encoding than the header says.
fn by_rsa(m: &Model<'_>, encoding: &'static dyn RsaEncoding) -> String {
    let m = m.under_rsa();
    let [header, payload, _] = m.parts();
    let signing_input = format!("{header}.{payload}");
    let pair = RsaKeyPair::from_pkcs8(m.key.pkcs8()).expect("it was read once already");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), signing_input.as_bytes(), &mut signature)
        .expect("a sound key signs, and the buffer is as long as the modulus");
    format!("{signing_input}.{}", base64url::encode(&signature))
}
