//! Attacks on the form of a token and of its signature, and noise.

use claviger_testkit::TestKey;
use serde_json::json;

use crate::{Bench, ORDERS, header_of, signature_of, with_signature};

// S-9
#[tokio::test]
async fn there_is_one_way_to_write_a_token() {
    let bench = Bench::new().await;
    let token = bench.token().sign_with(TestKey::es256());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let json = json!({ "protected": header, "payload": payload, "signature": signature }).to_string();
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let twin = alphabet.chars().nth(alphabet.find(last).unwrap() ^ 1).unwrap();
    for forged in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{token}.a.b"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}..{signature}.{payload}"),
        token.replace('.', ","),
        json,
        format!("{signed}.{}{twin}", &signature[..signature.len() - 1]),
    ] {
        assert_ne!(bench.reason(&forged).await, "accepted", "{forged}");
    }
    for other in ["+", "/", "=", " ", "\t", "é", "\0"] {
        let forged = format!("{header}.{payload}.{other}{}", &signature[1..]);
        assert_ne!(bench.reason(&forged).await, "accepted", "{forged}");
    }
}

// S-10
#[tokio::test]
async fn an_ecdsa_signature_is_two_numbers_in_range() {
    /// The order of P-256 (FIPS 186-5).
    const ORDER: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
        0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let bench = Bench::new().await;
    let token = bench.token().sign_with(TestKey::es256());
    let good = signature_of(&token);
    let (r, s) = good.split_at(32);
    let integer = |number: &[u8]| [&[0x02, 0x21, 0x00], number].concat();
    let der = [&[0x30, 0x46], &*integer(r), &*integer(s)].concat();
    let zero = [0; 32];
    for forged in [
        [zero, zero].concat(),
        [r, &zero].concat(),
        [&zero, s].concat(),
        [&ORDER, s].concat(),
        [r, &ORDER].concat(),
        [[0xFF; 32], [0xFF; 32]].concat(),
        [s, r].concat(),
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        [r, s, r, s].concat(),
        der,
        vec![0; 1024],
        vec![0; 1025],
    ] {
        let forged = with_signature(&token, &forged);
        assert!(matches!(bench.reason(&forged).await, "bad_signature" | "malformed_jws"), "{forged}");
    }
}

#[tokio::test]
async fn a_signature_is_of_this_content_by_this_key() {
    let bench = Bench::new().await;
    let (good, other) = (
        bench.token().sign_with(TestKey::es256()),
        bench.token().sub("user:admin").sign_with(TestKey::es256()),
    );
    bench.check(with_signature(&other, &signature_of(&good)), "bad_signature").await;
    for (key, stranger) in
        [(TestKey::es256(), TestKey::es256_other()), (TestKey::rs256(), TestKey::rs256_other())]
    {
        bench.check(bench.under(stranger, header_of(key)), "bad_signature").await;
        bench.check(bench.token().sign_with(stranger), "unknown_kid").await;
    }
    for kid in ["", "1", "../../etc/passwd", "a' OR 1=1 --", &"a".repeat(42), &"a".repeat(44)] {
        bench.check_header("kid", kid.into(), "malformed_kid").await;
    }
    let nameless = json!({ "alg": "ES256", "typ": "at+jwt" });
    bench.check(bench.under(TestKey::es256(), nameless), "malformed_kid").await;
}

// S-12
#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let bench = Bench::new().await;
    let key = TestKey::es256();
    bench.check_claim("a", json!("a".repeat(8 * 1024)), "token_too_long").await;
    bench.check("a".repeat(10_000_000), "token_too_long").await;
    bench.check(format!("{}.a.a", "a".repeat(10_000_000)), "token_too_long").await;
    bench.check_header("a", json!("a".repeat(1024)), "token_too_long").await;
    let deep = format!("{}1{}", "[".repeat(2500), "]".repeat(2500));
    let payload = format!(r#"{{"a":{deep}}}"#);
    bench.check(key.jws(header_of(key), &payload), "malformed_claims").await;
    let names = |n: usize| (0..n).map(|n| format!("urn:{n}")).chain([ORDERS.to_owned()]).collect::<Vec<_>>();
    bench.check_claim("aud", json!(names(7)), "accepted").await;
    bench.check_claim("aud", json!(names(8)), "malformed_claims").await;
    bench.check_claim("scope", json!(vec!["a"; 1024].join(" ")), "accepted").await;
    bench.check_claim("scope", json!(vec!["a"; 1025].join(" ")), "malformed_claims").await;
}

// S-19
#[tokio::test]
async fn no_noise_panics_and_none_is_accepted() {
    let bench = Bench::new().await;
    let good = bench.token().sign_with(TestKey::es256()).into_bytes();
    let mut random = fastrand::Rng::with_seed(0x0000_C1A7_16E2);
    for round in 0..4000 {
        let bytes = if round % 4 == 0 {
            (0..random.usize(..600)).map(|_| random.u8(..)).collect()
        } else {
            mutated(&good, &mut random)
        };
        let Ok(noise) = String::from_utf8(bytes.clone()) else {
            continue;
        };
        if bytes != good {
            assert_ne!(bench.reason(&noise).await, "accepted", "{noise}");
        }
    }
    bench.check(String::from_utf8(good).unwrap(), "accepted").await;
}

/// One to four accidents in a row.
fn mutated(good: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..random.u8(1..=4) {
        let at = random.usize(..bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match random.u8(..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.u8(..128)),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => bytes.extend_from_within(at..),
            4 if !bytes.is_empty() => bytes[at] = *random.choice(b"AZaz09-_.=").unwrap(),
            _ if !bytes.is_empty() => bytes[at] ^= 1 << random.u8(..7),
            _ => {}
        }
    }
    bytes
}
