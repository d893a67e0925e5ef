//! Writes the seeds of the fuzz targets into `corpus`, from the test kit's keys:
//! `cargo run --manifest-path tests/fuzz/Cargo.toml --example seeds`.

use std::{fs, io, path::Path};

use claviger_fuzz::dpop as proof;
use claviger_jose::base64url;
use claviger_testkit::{Attack, Tamper, TestIssuer, TestKey};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    write("compact", &compact())?;
    write("jwks", &jwks())?;
    write("claims", &claims())?;
    write("dpop", &dpop())?;
    write("differential", &differential())
}

type Seeds = Vec<(&'static str, Vec<u8>)>;

/// The longest seed, in bytes: small ones are mutated faster, and sizes are found by themselves.
const LONGEST: usize = 2048;

fn write(target: &str, seeds: &Seeds) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory)?;
    seeds.iter().try_for_each(|(name, bytes)| fs::write(directory.join(name), bytes))
}

fn header(key: &TestKey) -> Value {
    json!({ "alg": key.alg(), "kid": key.kid(), "typ": "at+jwt" })
}

fn with(mut document: Value, name: &str, value: Value) -> Value {
    document[name] = value;
    document
}

fn good_claims() -> Value {
    json!({
        "iss": "https://id.fleet.test", "sub": "client:a", "aud": "https://orders.fleet.test",
        "exp": 1_700_000_300, "iat": 1_700_000_000, "jti": "1", "client_id": "a", "scope": "orders:read",
    })
}

/// Tokens as text, and headers that the target encodes itself.
fn compact() -> Seeds {
    let (ec, rsa) = (TestKey::es256(), TestKey::rs256());
    let mut seeds: Seeds = tokens().into_iter().map(|(name, token)| (name, token.into_bytes())).collect();
    let issuer = TestIssuer::without_socket("https://id.fleet.test");
    let good = issuer.token("https://orders.fleet.test").scope("orders:read");
    let forged = Tamper::all().into_iter().filter(|tamper| {
        let attack = tamper.attack();
        matches!(attack, Attack::Extension | Attack::EmbeddedKey | Attack::Form | Attack::Signature)
    });
    let forged = forged.map(|tamper| (tamper.name(), tamper.apply(&good).into_bytes()));
    seeds.extend(forged.filter(|(_, token)| token.len() <= LONGEST));
    let headers = [
        ("header-es256", header(ec)),
        ("header-rs256", header(rsa)),
        ("header-crit", with(header(ec), "crit", json!(["b64"]))),
        ("header-jwk", with(header(ec), "jwk", json!(ec.jwk()))),
        ("header-kid-list", with(header(ec), "kid", json!(["a"]))),
        ("header-more", with(header(ec), "a", json!({ "b": [1, null, { "c": "\u{e9}" }] }))),
        ("header-array", json!(["ES256", ec.kid(), "at+jwt"])),
    ];
    seeds.extend(headers.map(|(name, header)| (name, header.to_string().into_bytes())));
    seeds
}

fn tokens() -> Vec<(&'static str, String)> {
    let (ec, rsa) = (TestKey::es256(), TestKey::rs256());
    let good = ec.access_token(&good_claims());
    let (signed, signature) = good.rsplit_once('.').expect("a token has dots");
    let claims = good_claims().to_string();
    vec![
        ("token-es256", good.clone()),
        ("token-rs256", rsa.access_token(&good_claims())),
        ("token-other-key", TestKey::es256_other().access_token(&good_claims())),
        ("token-other-kid", TestKey::es256_other().jws(header(ec), &claims)),
        ("token-none", ec.jws(with(header(ec), "alg", json!("none")), &claims)),
        ("token-id", ec.jws(with(header(ec), "typ", json!("JWT")), &claims)),
        ("token-empty-signature", format!("{signed}.")),
        ("token-padded", format!("{signed}.{signature}==")),
        ("token-four-parts", format!("{signed}.{signature}.{signature}")),
        ("token-json", json!({ "payload": "e30", "signatures": [{ "signature": signature }] }).to_string()),
        ("token-der", format!("{signed}.{}", base64url::encode(&[0x30, 6, 2, 1, 1, 2, 1, 1]))),
    ]
}

fn jwks() -> Seeds {
    let (ec, rsa) = (json!(TestKey::es256().jwk()), json!(TestKey::rs256().jwk()));
    let set = |keys: &[&Value]| json!({ "keys": keys }).to_string().into_bytes();
    vec![
        ("empty", set(&[])),
        ("both", set(&[&ec, &rsa])),
        ("ec", set(&[&ec])),
        ("rsa", set(&[&rsa])),
        ("rotating", set(&[&ec, &json!(TestKey::es256_other().jwk())])),
        ("duplicate", set(&[&ec, &ec])),
        ("private", set(&[&ec, &with(rsa.clone(), "d", json!("AA"))])),
        ("symmetric", set(&[&json!({ "kty": "oct", "k": "AA" })])),
        ("enc", set(&[&with(ec.clone(), "use", json!("enc")), &rsa])),
        ("key-ops", set(&[&with(ec.clone(), "key_ops", json!(["verify"]))])),
        ("other-alg", set(&[&with(rsa.clone(), "alg", json!("PS256"))])),
        ("other-kid", set(&[&with(ec.clone(), "kid", json!("2011-04-29"))])),
        ("off-curve", set(&[&with(ec.clone(), "y", ec["x"].clone())])),
        ("small-exponent", set(&[&with(rsa.clone(), "e", json!("Aw"))])),
        ("okp", set(&[&json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a" }), &ec])),
        ("certificates", set(&[&with(rsa, "x5c", json!(["MIIB"]))])),
        ("bare-key", ec.to_string().into_bytes()),
    ]
}

fn claims() -> Seeds {
    let good = good_claims;
    let seeds = [
        ("good", good()),
        ("audiences", with(good(), "aud", json!(["https://orders.fleet.test", "https://ledger.fleet.test"]))),
        ("no-audience", with(good(), "aud", json!([]))),
        ("not-before", with(good(), "nbf", json!(1_700_000_000))),
        ("fraction", with(good(), "exp", json!(1_700_000_300.75))),
        ("late", with(good(), "exp", json!(253_402_300_800_u64))),
        ("negative", with(good(), "iat", json!(-1))),
        ("text-date", with(good(), "exp", json!("1700000300"))),
        (
            "confirmation",
            with(good(), "cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })),
        ),
        ("null-confirmation", with(good(), "cnf", Value::Null)),
        ("scopes", with(good(), "scope", json!("orders:read orders:write openid"))),
        ("roles", with(good(), "realm_access", json!({ "roles": ["a", "b"] }))),
        ("empty-subject", with(good(), "sub", json!(""))),
        ("array", json!(["https://id.fleet.test", "client:a", "https://orders.fleet.test", 2, 1])),
    ];
    let mut seeds: Seeds = seeds.map(|(name, claims)| (name, claims.to_string().into_bytes())).into();
    let text = good().to_string();
    seeds.push(("repeated", format!(r#"{},"sub":"client:b"}}"#, &text[..text.len() - 1]).into_bytes()));
    seeds.push(("escaped", text.replacen("\"sub\"", r#""\u0073ub""#, 1).into_bytes()));
    seeds
}

/// A part of a proof behind the number of the part.
fn dpop() -> Seeds {
    let (header, claims) = (proof::good_header(), proof::good_claims());
    let text = TestKey::es256().jws(&header, &claims.to_string());
    let parts = [
        ("text", 0, text),
        ("text-list", 0, "a, b".to_owned()),
        ("header", 1, header.to_string()),
        ("header-private", 1, with(header.clone(), "jwk", json!({ "kty": "EC", "d": "AA" })).to_string()),
        ("header-rsa", 1, with(header.clone(), "jwk", json!(TestKey::rs256().jwk())).to_string()),
        ("header-kid", 1, with(header.clone(), "kid", json!("a")).to_string()),
        ("header-crit", 1, with(header, "crit", json!(["b64"])).to_string()),
        ("claims", 2, claims.to_string()),
        ("claims-nonce", 2, with(claims.clone(), "nonce", json!("a")).to_string()),
        ("claims-old", 2, with(claims.clone(), "iat", json!(1)).to_string()),
        ("claims-fraction", 2, with(claims, "iat", json!(1_700_000_000.5)).to_string()),
        ("url", 3, "https://orders.fleet.test/orders/1".to_owned()),
        ("url-port", 3, "HTTPS://ORDERS.fleet.test:443/orders/1?a=b#c".to_owned()),
        ("url-dots", 3, "https://orders.fleet.test/a/../orders/%31".to_owned()),
        ("url-user", 3, "https://orders.fleet.test@attacker.test/orders/1".to_owned()),
        ("url-host", 3, "https://[::1]:443/orders/1".to_owned()),
    ];
    parts.into_iter().map(|(name, part, text)| (name, [&[part], text.as_bytes()].concat())).collect()
}

/// The text of a token behind the number of its case, and short programs for the other case.
fn differential() -> Seeds {
    let text = |(name, token): (&'static str, String)| (name, [&[0; 4], token.as_bytes()].concat());
    let mut seeds: Seeds = tokens().into_iter().map(text).collect();
    let programs: [(&str, &[u32]); 6] = [
        ("good-es256", &[]),
        ("edited-header", &[1 << 30]),
        ("damaged-header", &[1 << 31]),
        ("edited-payload", &[0, 1 << 30]),
        ("damaged-payload", &[0, 1 << 31]),
        ("any-payload", &[0, 3 << 30]),
    ];
    for (name, choices) in programs {
        // The case, whether the key is RSA, and one number for each choice; then material for it.
        let mut program = vec![0xff, 0xff, 0xff, 0xff, 0];
        program.extend(choices.iter().flat_map(|choice| choice.to_le_bytes()));
        program.extend((0..48_u8).map(|byte| byte.wrapping_mul(37)));
        seeds.push((name, program));
    }
    seeds
}
