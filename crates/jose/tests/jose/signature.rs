//! Signatures that are almost right.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use claviger_jose::{JwsError, base64url};
use claviger_testkit::TestKey;
use serde_json::json;

use crate::{good_token, signature_of, verify, with_signature};

/// The order of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// `a - b`, big-endian.
fn minus(a: &[u8; 32], b: &[u8]) -> Vec<u8> {
    let mut difference = vec![0; 32];
    let mut borrow = false;
    for place in (0..32).rev() {
        let (once, first) = a[place].overflowing_sub(b[place]);
        let (twice, second) = once.overflowing_sub(u8::from(borrow));
        (difference[place], borrow) = (twice, first || second);
    }
    difference
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[0x02, 0x21, 0x00], number].concat();
    [&[0x30, 0x46], &*integer(r), &*integer(s)].concat()
}

// S-10
#[test]
fn an_ecdsa_signature_is_two_numbers_in_range() {
    let key = TestKey::es256();
    let token = good_token(key);
    let good = signature_of(&token);
    let (r, s) = good.split_at(32);
    let (zero, one) = ([0; 32], minus(&ORDER, &minus(&ORDER, &[&[0; 31][..], &[1]].concat())));
    for forged in [
        [zero, zero].concat(),
        [r, &zero].concat(),
        [&zero, s].concat(),
        [&one[..], &one].concat(),
        [&ORDER, s].concat(),
        [r, &ORDER].concat(),
        [ORDER, ORDER].concat(),
        [[0xFF; 32], [0xFF; 32]].concat(),
        [s, r].concat(),
        [r, r].concat(),
        minus(&ORDER, r).into_iter().chain(s.iter().copied()).collect(),
        good[..63].to_vec(),
        good[1..].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        [&[0], r, &[0], s].concat(),
        [r, s, r, s].concat(),
        r.to_vec(),
        der(r, s),
        der(&zero, &zero),
        vec![0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
        vec![0],
        vec![0; 1024],
    ] {
        assert_eq!(verify(key, &with_signature(&token, &forged)), Err(JwsError::Signature), "{forged:02x?}");
    }
    assert_eq!(verify(key, &with_signature(&token, &[0; 1025])), Err(JwsError::MalformedCompact));
    assert_eq!(verify(key, &with_signature(&token, b"")), Err(JwsError::MalformedCompact));
}

/// Anyone can turn a valid signature into this other valid one. It is the same token all the same,
/// by its `jti` and its claims: what must be told apart or denied goes by those, never by the
/// bytes of the token.
// S-10
#[test]
fn the_twin_of_a_signature_is_the_same_token() {
    let key = TestKey::es256();
    let token = good_token(key);
    let good = signature_of(&token);
    let twin = with_signature(&token, &[&good[..32], &minus(&ORDER, &good[32..])].concat());
    assert_ne!(twin, token);
    assert_eq!(verify(key, &twin), verify(key, &token));
    assert_eq!(verify(key, &twin).unwrap()["jti"], "1");
}

// S-1
#[test]
fn an_rsa_signature_is_pkcs1_v1_5_with_sha_256() {
    let key = TestKey::rs256();
    let pair = RsaKeyPair::from_pkcs8(key.pkcs8()).unwrap();
    let token = good_token(key);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let encodings: [&'static dyn RsaEncoding; 2] = [&RSA_PSS_SHA256, &RSA_PKCS1_SHA512];
    for encoding in encodings {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        assert_eq!(verify(key, &with_signature(&token, &signature)), Err(JwsError::Signature));
    }
    let good = signature_of(&token);
    let jwk = json!(key.jwk());
    let n = base64url::decode(jwk["n"].as_str().unwrap()).unwrap();
    for forged in [
        vec![0; 256],
        [&[0; 255][..], &[1]].concat(),
        vec![0xff; 256],
        n,
        good[..255].to_vec(),
        [&[0], &good[..]].concat(),
        [&good[..], &[0]].concat(),
        [&good[..], &good].concat(),
        vec![0; 1024],
    ] {
        assert_eq!(
            verify(key, &with_signature(&token, &forged)),
            Err(JwsError::Signature),
            "{}",
            forged.len()
        );
    }
}

// S-1
#[test]
fn a_public_key_is_no_shared_secret() {
    for key in [TestKey::es256(), TestKey::rs256()] {
        let jwk = json!(key.jwk());
        let parameter = jwk["n"].as_str().or(jwk["x"].as_str()).unwrap();
        let decoded = base64url::decode(parameter).unwrap();
        for secret in [jwk.to_string().as_bytes(), parameter.as_bytes(), &decoded, b""] {
            for (alg, expected) in [("HS256", JwsError::Algorithm), (key.alg().as_str(), JwsError::Signature)]
            {
                let token = key.jws(json!({ "alg": alg, "kid": key.kid(), "typ": "at+jwt" }), "{}");
                let (signed, _) = token.rsplit_once('.').unwrap();
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
                assert_eq!(verify(key, &with_signature(&token, tag.as_ref())), Err(expected));
            }
        }
    }
}

// S-9 S-10
#[test]
fn one_bit_changed_anywhere_is_another_token() {
    for key in [TestKey::es256(), TestKey::rs256()] {
        let token = good_token(key);
        for position in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(verify(key, &changed).is_err(), "byte {position} bit {bit}");
            }
        }
    }
}

#[test]
fn a_signature_is_of_this_content_by_this_key() {
    for (key, stranger) in
        [(TestKey::es256(), TestKey::es256_other()), (TestKey::rs256(), TestKey::rs256_other())]
    {
        let (token, other) = (good_token(key), key.access_token(&json!({ "sub": "user:admin" })));
        let moved = with_signature(&other, &signature_of(&token));
        assert_eq!(verify(key, &moved), Err(JwsError::Signature));
        let header = json!({ "alg": key.alg(), "kid": key.kid(), "typ": "at+jwt" });
        assert_eq!(verify(key, &stranger.jws(header, "{}")), Err(JwsError::Signature));
    }
}
