//! Attacks in the header, and on the choice of key and algorithm.

use std::{io, net::TcpListener};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use claviger_testkit::TestKey;
use serde_json::json;

use crate::{Bench, header_of, with_signature};

// S-1
#[tokio::test]
async fn the_header_does_not_choose_the_algorithm() {
    let bench = Bench::new().await;
    for alg in ["none", "noNE", "NONE", "hs256", "HS256", "rs256", "ES384", "ES512", "EdDSA", "RSA-OAEP", ""]
    {
        bench.check_header("alg", alg.into(), "wrong_algorithm").await;
    }
    for alg in [json!(null), json!(1), json!(["ES256"]), json!({})] {
        bench.check_header("alg", alg, "malformed_header").await;
    }
    let (rsa, ec) = (TestKey::rs256(), TestKey::es256());
    let mut header = header_of(ec);
    header["alg"] = "RS256".into();
    bench.check(bench.under(rsa, &header), "wrong_algorithm").await;
    header = header_of(rsa);
    header["alg"] = "ES256".into();
    bench.check(bench.under(ec, &header), "wrong_algorithm").await;

    let unsigned =
        with_signature(&bench.under(ec, json!({ "alg": "none", "kid": ec.kid(), "typ": "at+jwt" })), b"");
    bench.check(unsigned, "malformed_jws").await;
}

// S-1
#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let bench = Bench::new().await;
    for key in [TestKey::es256(), TestKey::rs256()] {
        let jwk = json!(key.jwk());
        let parameter = jwk["n"].as_str().or(jwk["x"].as_str()).unwrap();
        let decoded = claviger_jose::base64url::decode(parameter).unwrap();
        for secret in [jwk.to_string().as_bytes(), parameter.as_bytes(), &decoded, b""] {
            let mut header = header_of(key);
            header["alg"] = "HS256".into();
            let token = bench.under(key, header);
            let (signed, _) = token.rsplit_once('.').unwrap();
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
            bench.check(with_signature(&token, tag.as_ref()), "wrong_algorithm").await;
        }
    }
}

// S-1
#[tokio::test]
async fn a_key_works_with_its_one_algorithm_only() {
    let bench = Bench::new().await;
    let key = TestKey::rs256();
    let pair = RsaKeyPair::from_pkcs8(key.pkcs8()).unwrap();
    for (alg, expected) in [("PS256", "wrong_algorithm"), ("RS256", "bad_signature")] {
        let mut header = header_of(key);
        header["alg"] = alg.into();
        let token = bench.under(key, header);
        let (signed, _) = token.rsplit_once('.').unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        bench.check(with_signature(&token, &signature), expected).await;
    }
}

// S-2
#[tokio::test]
async fn an_extension_is_refused_in_any_form() {
    let bench = Bench::new().await;
    for crit in
        [json!([]), json!(["exp"]), json!(["b64"]), json!("exp"), json!(null), json!({}), json!(false)]
    {
        bench.check_header("crit", crit, "critical_extension").await;
    }
    bench.check_header("b64", json!(false), "critical_extension").await;
    bench.check_header("b64", json!(true), "critical_extension").await;
    let header = json!({
        "alg": "ES256", "kid": TestKey::es256().kid(), "typ": "at+jwt", "crit": ["b64"], "b64": false,
    });
    bench.check(bench.under(TestKey::es256(), header), "critical_extension").await;
}

// S-3
#[tokio::test]
async fn a_token_brings_no_key_and_sends_nobody_for_one() {
    let bench = Bench::new().await;
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let place = json!(format!("http://{}/keys", canary.local_addr().unwrap()));
    let attacker = json!(TestKey::es256_other().jwk());
    for (name, value) in [
        ("jku", place.clone()),
        ("x5u", place),
        ("jwk", attacker),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("a")),
        ("x5t#S256", json!("a")),
        ("jwk", json!(null)),
    ] {
        bench.check_header(name, value.clone(), "embedded_key").await;
        let mut header = header_of(TestKey::es256());
        header[name] = value;
        bench.check(bench.under(TestKey::es256_other(), header), "embedded_key").await;
    }
    assert_eq!(canary.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

// S-4
#[tokio::test]
async fn a_token_of_another_kind_is_no_access_token() {
    let bench = Bench::new().await;
    for typ in [
        "JWT",
        "jwt",
        "",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        "client-authentication+jwt",
        "statuslist+jwt",
        "revocations+jwt",
        "token-introspection+jwt",
        "at+jwt ",
        " at+jwt",
        "application/application/at+jwt",
        "text/at+jwt",
        "at+jwt;v=1",
    ] {
        bench.check_header("typ", typ.into(), "wrong_type").await;
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"]), json!({})] {
        bench.check_header("typ", typ, "malformed_header").await;
    }
    let untyped = json!({ "alg": "ES256", "kid": TestKey::es256().kid() });
    bench.check(bench.under(TestKey::es256(), untyped), "wrong_type").await;
}
