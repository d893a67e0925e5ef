//! Attacks in the claims, truly signed.

use claviger_testkit::TestKey;
use serde_json::json;

use crate::{Bench, ORDERS, header_of, verifier_of};

// S-5
#[tokio::test]
async fn the_key_comes_from_the_issuer_that_the_token_names() {
    let bench = Bench::new().await;
    let other = Bench::new().await;
    other.issuer.set_keys(&[TestKey::es256_other()]);
    let verifier = verifier_of(&other.issuer).await;

    let claims_ours = bench.token().sign_with(TestKey::es256_other());
    bench.check(&claims_ours, "unknown_kid").await;
    let refusal = verifier.verify(&claims_ours).await.unwrap_err();
    assert_eq!(refusal.reason(), "wrong_issuer");
    bench.check(other.token().sign_with(TestKey::es256()), "wrong_issuer").await;
}

// S-5
#[tokio::test]
async fn an_issuer_is_a_string_and_the_very_one() {
    let bench = Bench::new().await;
    let url = bench.issuer.url().to_owned();
    for other in [format!("{url}/"), url.to_uppercase(), format!(" {url}"), url[..url.len() - 1].to_owned()] {
        bench.check_claim("iss", other.into(), "wrong_issuer").await;
    }
    for malformed in [json!([url]), json!({ "iss": url }), json!(null), json!(1), json!("")] {
        bench.check_claim("iss", malformed, "malformed_claims").await;
    }
    let token = bench.token().without("iss").sign_with(TestKey::es256());
    bench.check(token, "malformed_claims").await;
}

// S-6
#[tokio::test]
async fn a_token_for_another_service_is_refused() {
    let bench = Bench::new().await;
    for other in [
        json!("https://ledger.fleet.test"),
        json!(["https://ledger.fleet.test"]),
        json!(format!("{ORDERS}/")),
    ] {
        bench.check_claim("aud", other, "wrong_audience").await;
    }
    bench.check_claim("aud", json!([ORDERS, "https://ledger.fleet.test"]), "accepted").await;
    for malformed in
        [json!(null), json!(1), json!(true), json!({ "a": ORDERS }), json!([]), json!([ORDERS, 1]), json!("")]
    {
        bench.check_claim("aud", malformed, "malformed_claims").await;
    }
    bench.check(bench.token().without("aud").sign_with(TestKey::es256()), "malformed_claims").await;
}

// S-7
#[tokio::test]
async fn claims_are_complete_and_of_their_types() {
    let bench = Bench::new().await;
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        bench.check(bench.token().without(name).sign_with(TestKey::es256()), "malformed_claims").await;
        for value in [json!(null), json!(true), json!({}), json!([null])] {
            bench.check_claim(name, value, "malformed_claims").await;
        }
    }
    for name in ["sub", "jti", "client_id"] {
        for value in [json!(""), json!(7), json!(["client:a"])] {
            bench.check_claim(name, value, "malformed_claims").await;
        }
    }
    for name in ["exp", "iat", "nbf"] {
        for value in
            [json!("1700000000"), json!(-1), json!(1e300), json!(-1e300), json!(u64::MAX), json!([1])]
        {
            bench.check_claim(name, value, "malformed_claims").await;
        }
    }
    for value in [json!(null), json!(1), json!(["orders:read"]), json!({}), json!("a  b"), json!("a\"b")] {
        bench.check_claim("scope", value, "malformed_claims").await;
    }
}

// S-7 S-12
#[tokio::test]
async fn a_payload_has_one_meaning() {
    let bench = Bench::new().await;
    let key = TestKey::es256();
    let good = bench.token().claims().to_string();
    let members = good.trim_start_matches('{').trim_end_matches('}');
    let many = (0..64).map(|n| format!(",\"n{n}\":0")).collect::<Vec<_>>().concat();
    let deep = format!("{}1{}", "[".repeat(9), "]".repeat(9));
    for payload in [
        format!(r#"{{{members},"sub":"user:admin"}}"#),
        format!(r#"{{"sub":"user:admin",{members}}}"#),
        format!(r#"{{{members},"\u0073ub":"user:admin"}}"#),
        format!(r#"{{{members},"a":{{"b":1,"b":2}}}}"#),
        format!(r#"{{{members},"a":[{{"b":1,"\u0062":1}}]}}"#),
        format!(r#"{{{members},"exp":1e400}}"#),
        format!(r#"{{{members},"nbf":NaN}}"#),
        format!("{{{members}{many}}}"),
        format!(r#"{{{members},"a":{deep}}}"#),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good[..good.len() - 1].to_owned(),
        format!("\"{}\"", good.replace('"', "\\\"")),
        "null".to_owned(),
        "{}".to_owned(),
        String::new(),
    ] {
        bench.check(key.jws(header_of(key), &payload), "malformed_claims").await;
    }
    for header in [
        r#"{"alg":"ES256","alg":"none","kid":"KID","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","\u0061lg":"ES256","kid":"KID","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"KID","typ":"at+jwt","a":{"b":1,"b":1}}"#,
        r#"{"alg":"ES256","kid":"KID","typ":"at+jwt"} {}"#,
        r#"["ES256","KID","at+jwt"]"#,
        "null",
    ] {
        let header = header.replace("KID", key.kid().as_str());
        bench.check(key.jws(header, &good), "malformed_header").await;
    }
}

// S-8
#[tokio::test]
async fn a_token_that_is_not_of_this_time_is_refused() {
    let bench = Bench::new().await;
    let claims = bench.token().claims();
    let now = claims["iat"].as_u64().unwrap();
    let at = |iat: u64, lifetime: u64| {
        let token = bench.token().claim("iat", iat).claim("exp", iat + lifetime);
        token.sign_with(TestKey::es256())
    };
    bench.check(at(now - 1000, 300), "expired").await;
    bench.check(at(now + 1000, 300), "issued_in_future").await;
    bench.check(at(now, 315_360_000), "lifetime").await;
    bench.check(at(now, 0), "lifetime").await;
    bench.check_claim("exp", json!(now - 400), "lifetime").await;
    bench.check_claim("nbf", json!(now + 1000), "not_yet_valid").await;
    bench.check_claim("nbf", json!(now), "accepted").await;
}

// S-16
#[tokio::test]
async fn a_token_that_asks_for_a_proof_is_not_taken_without() {
    let bench = Bench::new().await;
    for cnf in [
        json!({ "jkt": "a" }),
        json!({ "x5t#S256": "a" }),
        json!({ "jwk": {} }),
        json!({ "new": [1] }),
        json!({}),
    ] {
        bench.check_claim("cnf", cnf, "sender_constrained").await;
    }
    for cnf in [json!(null), json!("jkt"), json!([]), json!(false)] {
        bench.check_claim("cnf", cnf, "malformed_claims").await;
    }
}

// S-15
#[tokio::test]
async fn a_service_and_a_person_are_told_apart() {
    let bench = Bench::new().await;
    let token = bench.token().sub("user:0190a6c4").client_id("client:0190a6c4").sign_with(TestKey::es256());
    let person = bench.verifier.verify(&token).await.unwrap();
    assert!(!person.is_client());
    assert_eq!((person.iss(), person.sub()), (bench.issuer.url(), "user:0190a6c4"));
}
