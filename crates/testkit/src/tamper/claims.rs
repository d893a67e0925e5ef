//! Attacks in single claims, truly signed.

use serde_json::{Value, json};

use super::{
    Attack::{Audience, Claims, Confirmation, Issuer, Size, Time},
    Tamper,
};

pub(super) const ROWS: &[Tamper] = &[
    Tamper::row("iss-another", Issuer, |m| m.claim("iss", "https://another-issuer.test")),
    Tamper::row("iss-with-a-slash", Issuer, |m| m.claim("iss", format!("{}/", m.issuer()))),
    Tamper::row("iss-in-upper-case", Issuer, |m| m.claim("iss", m.issuer().to_ascii_uppercase())),
    Tamper::row("iss-a-prefix", Issuer, |m| m.claim("iss", &m.issuer()[..m.issuer().len() - 1])),
    Tamper::row("iss-a-continuation", Issuer, |m| m.claim("iss", format!("{}.evil.test", m.issuer()))),
    Tamper::row("iss-in-an-array", Issuer, |m| m.claim("iss", json!([m.issuer()]))),
    Tamper::row("iss-null", Issuer, |m| m.claim("iss", Value::Null)),
    Tamper::row("iss-absent", Issuer, |m| m.without("iss")),
    Tamper::row("aud-another", Audience, |m| m.claim("aud", "https://another-service.test")),
    Tamper::row("aud-others", Audience, |m| m.claim("aud", json!(["https://a.test", "https://b.test"]))),
    Tamper::row("aud-with-a-slash", Audience, |m| m.claim("aud", format!("{}/", m.audience()))),
    Tamper::row("aud-in-upper-case", Audience, |m| m.claim("aud", m.audience().to_ascii_uppercase())),
    Tamper::row("aud-a-continuation", Audience, |m| m.claim("aud", format!("{}.evil.test", m.audience()))),
    Tamper::row("aud-empty", Audience, |m| m.claim("aud", "")),
    Tamper::row("aud-an-empty-array", Audience, |m| m.claim("aud", json!([]))),
    Tamper::row("aud-null", Audience, |m| m.claim("aud", Value::Null)),
    Tamper::row("aud-a-number", Audience, |m| m.claim("aud", 5)),
    Tamper::row("aud-true", Audience, |m| m.claim("aud", true)),
    Tamper::row("aud-an-object", Audience, |m| m.claim("aud", json!({ "0": m.audience() }))),
    Tamper::row("aud-beside-a-number", Audience, |m| m.claim("aud", json!([m.audience(), 1]))),
    Tamper::row("aud-absent", Audience, |m| m.without("aud")),
    Tamper::row("aud-of-nine", Size, |m| {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| format!("urn:{name}"));
        m.claim("aud", json!([&names[..], &[m.audience().to_owned()]].concat()))
    }),
    Tamper::row("expired", Time, |m| {
        m.claims(&[("iat", m.now().saturating_sub(1000).into()), ("exp", m.now().saturating_sub(700).into())])
    }),
    Tamper::row("expired-long-ago", Time, |m| m.claims(&[("iat", 1.into()), ("exp", 301.into())])),
    Tamper::row("exp-in-ten-years", Time, |m| m.claim("exp", m.now() + 315_360_000)),
    Tamper::row("exp-before-iat", Time, |m| m.claim("exp", m.now().saturating_sub(700))),
    Tamper::row("iat-in-the-future", Time, |m| {
        m.claims(&[("iat", (m.now() + 600).into()), ("exp", (m.now() + 900).into())])
    }),
    Tamper::row("nbf-in-the-future", Time, |m| m.claim("nbf", m.now() + 600)),
    Tamper::row("nbf-a-string", Time, |m| m.claim("nbf", m.now().to_string())),
    Tamper::row("exp-a-string", Time, |m| m.claim("exp", (m.now() + 300).to_string())),
    Tamper::row("exp-negative", Time, |m| m.claim("exp", -1)),
    Tamper::row("exp-huge", Time, |m| m.claim("exp", 1e300)),
    Tamper::row("exp-null", Time, |m| m.claim("exp", Value::Null)),
    Tamper::row("exp-in-an-array", Time, |m| m.claim("exp", json!([m.now() + 300]))),
    Tamper::row("exp-absent", Time, |m| m.without("exp")),
    Tamper::row("iat-a-string", Time, |m| m.claim("iat", m.now().to_string())),
    Tamper::row("iat-null", Time, |m| m.claim("iat", Value::Null)),
    Tamper::row("iat-absent", Time, |m| m.without("iat")),
    Tamper::row("sub-a-number", Claims, |m| m.claim("sub", 7)),
    Tamper::row("sub-empty", Claims, |m| m.claim("sub", "")),
    Tamper::row("sub-null", Claims, |m| m.claim("sub", Value::Null)),
    Tamper::row("sub-an-object", Claims, |m| m.claim("sub", json!({ "$ne": "" }))),
    Tamper::row("sub-absent", Claims, |m| m.without("sub")),
    Tamper::row("jti-a-number", Claims, |m| m.claim("jti", 7)),
    Tamper::row("jti-null", Claims, |m| m.claim("jti", Value::Null)),
    Tamper::row("jti-absent", Claims, |m| m.without("jti")),
    Tamper::row("client-id-in-an-array", Claims, |m| m.claim("client_id", json!(["test-client"]))),
    Tamper::row("client-id-null", Claims, |m| m.claim("client_id", Value::Null)),
    Tamper::row("client-id-absent", Claims, |m| m.without("client_id")),
    Tamper::row("scope-in-an-array", Claims, |m| m.claim("scope", json!(["admin"]))),
    Tamper::row("scope-an-object", Claims, |m| m.claim("scope", json!({ "admin": true }))),
    Tamper::row("scope-null", Claims, |m| m.claim("scope", Value::Null)),
    Tamper::row("scope-with-a-quote", Claims, |m| m.claim("scope", "a\"b")),
    Tamper::row("scope-too-long", Size, |m| m.claim("scope", vec!["a"; 1025].join(" "))),
    Tamper::row("cnf-of-a-dpop-key", Confirmation, |m| m.claim("cnf", json!({ "jkt": "A".repeat(43) }))),
    Tamper::row("cnf-of-a-certificate", Confirmation, |m| {
        m.claim("cnf", json!({ "x5t#S256": "A".repeat(43) }))
    }),
    Tamper::row("cnf-of-a-key", Confirmation, |m| m.claim("cnf", json!({ "jwk": m.key.jwk() }))),
    Tamper::row("cnf-of-something-new", Confirmation, |m| m.claim("cnf", json!({ "new": [1] }))),
    Tamper::row("cnf-a-string", Confirmation, |m| m.claim("cnf", "jkt")),
    Tamper::row("cnf-null", Confirmation, |m| m.claim("cnf", Value::Null)),
];
