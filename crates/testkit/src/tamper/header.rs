//! Attacks in the header, truly signed where nothing else is said.

use claviger_jose::base64url;
use serde_json::{Value, json};

use super::{
    Attack::{Algorithm, Claims, EmbeddedKey, Extension, Issuer, Size, Type},
    Tamper,
};

pub(super) const ROWS: &[Tamper] = &[
    Tamper::row("alg-none", Algorithm, |m| m.header("alg", "none")),
    Tamper::row("alg-none-in-mixed-case", Algorithm, |m| m.header("alg", "nOnE")),
    Tamper::row("alg-none-with-an-empty-tag", Algorithm, |m| {
        let token = m.header("alg", "none");
        token[..=token.rfind('.').unwrap_or_default()].to_owned()
    }),
    Tamper::row("alg-hs256", Algorithm, |m| m.header("alg", "HS256")),
    Tamper::row("alg-hs256-keyed-with-the-jwk", Algorithm, |m| {
        m.tagged(json!(m.key.jwk()).to_string().as_bytes())
    }),
    Tamper::row("alg-hs256-keyed-with-the-der", Algorithm, |m| m.tagged(m.key.spki())),
    Tamper::row("alg-hs256-keyed-with-the-pem", Algorithm, |m| m.tagged(pem(m.key.spki()).as_bytes())),
    Tamper::row("alg-hs256-keyed-with-the-numbers", Algorithm, |m| {
        let jwk = json!(m.key.jwk());
        let text = jwk["n"].as_str().or(jwk["x"].as_str()).unwrap_or_default();
        m.tagged(&base64url::decode(text).unwrap_or_default())
    }),
    Tamper::row("alg-hs256-keyed-with-nothing", Algorithm, |m| m.tagged(b"")),
    Tamper::row("alg-ps256", Algorithm, |m| m.header("alg", "PS256")),
    Tamper::row("alg-rs512", Algorithm, |m| m.header("alg", "RS512")),
    Tamper::row("alg-es384", Algorithm, |m| m.header("alg", "ES384")),
    Tamper::row("alg-eddsa", Algorithm, |m| m.header("alg", "EdDSA")),
    Tamper::row("alg-in-lower-case", Algorithm, |m| {
        m.header("alg", m.key.alg().as_str().to_ascii_lowercase())
    }),
    Tamper::row("alg-of-the-other-family", Algorithm, |m| m.header("alg", m.other_key().alg().as_str())),
    Tamper::row("alg-and-signature-of-the-other-family", Algorithm, |m| {
        let header = m.header_with(&[("alg", m.other_key().alg().as_str().into())]);
        m.other_key().jws(header, &m.payload())
    }),
    Tamper::row("alg-empty", Algorithm, |m| m.header("alg", "")),
    Tamper::row("alg-null", Algorithm, |m| m.header("alg", Value::Null)),
    Tamper::row("alg-in-an-array", Algorithm, |m| m.header("alg", json!([m.key.alg().as_str()]))),
    Tamper::row("alg-absent", Algorithm, |m| m.without_header("alg")),
    Tamper::row("crit-empty", Extension, |m| m.header("crit", json!([]))),
    Tamper::row("crit-names-what-is-absent", Extension, |m| m.header("crit", json!(["https://a.test/x"]))),
    Tamper::row("crit-names-a-claim", Extension, |m| {
        m.headers(&[("crit", json!(["exp"])), ("exp", json!(1))])
    }),
    Tamper::row("crit-names-b64", Extension, |m| {
        m.headers(&[("crit", json!(["b64"])), ("b64", json!(false))])
    }),
    Tamper::row("crit-no-array", Extension, |m| m.header("crit", "exp")),
    Tamper::row("crit-null", Extension, |m| m.header("crit", Value::Null)),
    Tamper::row("b64-false", Extension, |m| m.header("b64", false)),
    Tamper::row("jku", EmbeddedKey, |m| m.header("jku", "http://127.0.0.1:1/keys")),
    Tamper::row("jku-and-the-key-there", EmbeddedKey, |m| {
        let header = m.header_with(&[("jku", "http://127.0.0.1:1/keys".into())]);
        m.strange_key().jws(header, &m.payload())
    }),
    Tamper::row("x5u", EmbeddedKey, |m| m.header("x5u", "http://127.0.0.1:1/certificate")),
    Tamper::row("x5c", EmbeddedKey, |m| m.header("x5c", json!(["MIIB"]))),
    Tamper::row("x5t", EmbeddedKey, |m| m.header("x5t", "AAAA")),
    Tamper::row("x5t-of-sha-256", EmbeddedKey, |m| m.header("x5t#S256", "AAAA")),
    Tamper::row("jwk-of-the-issuer", EmbeddedKey, |m| m.header("jwk", json!(m.key.jwk()))),
    Tamper::row("jwk-null", EmbeddedKey, |m| m.header("jwk", Value::Null)),
    Tamper::row("jwk-of-a-stranger", EmbeddedKey, |m| {
        let stranger = m.strange_key();
        let header = m.header_with(&[("jwk", json!(stranger.jwk()))]);
        stranger.jws(header, &m.payload())
    }),
    Tamper::row("jwk-and-kid-of-a-stranger", EmbeddedKey, |m| {
        let stranger = m.strange_key();
        let own = [("jwk", json!(stranger.jwk())), ("kid", json!(stranger.kid()))];
        stranger.jws(m.header_with(&own), &m.payload())
    }),
    Tamper::row("typ-absent", Type, |m| m.without_header("typ")),
    Tamper::row("typ-jwt", Type, |m| m.header("typ", "JWT")),
    Tamper::row("typ-of-a-revocation-statement", Type, |m| m.header("typ", "revocations+jwt")),
    Tamper::row("typ-of-an-audit-checkpoint", Type, |m| m.header("typ", "audit-checkpoint+jwt")),
    Tamper::row("typ-of-an-id-token", Type, |m| m.header("typ", "id+jwt")),
    Tamper::row("typ-of-a-logout-token", Type, |m| m.header("typ", "logout+jwt")),
    Tamper::row("typ-of-a-dpop-proof", Type, |m| m.header("typ", "dpop+jwt")),
    Tamper::row("typ-of-a-client-assertion", Type, |m| m.header("typ", "client-authentication+jwt")),
    Tamper::row("typ-of-a-status-list", Type, |m| m.header("typ", "statuslist+jwt")),
    Tamper::row("typ-of-the-revocation-feed", Type, |m| m.header("typ", "revocations+jwt")),
    Tamper::row("typ-of-an-introspection", Type, |m| m.header("typ", "token-introspection+jwt")),
    Tamper::row("typ-with-a-parameter", Type, |m| m.header("typ", "at+jwt;v=1")),
    Tamper::row("typ-empty", Type, |m| m.header("typ", "")),
    Tamper::row("typ-null", Type, |m| m.header("typ", Value::Null)),
    Tamper::row("typ-in-an-array", Type, |m| m.header("typ", json!(["at+jwt"]))),
    Tamper::row("kid-absent", Issuer, |m| m.without_header("kid")),
    Tamper::row("kid-null", Issuer, |m| m.header("kid", Value::Null)),
    Tamper::row("kid-empty", Issuer, |m| m.header("kid", "")),
    Tamper::row("kid-a-path", Issuer, |m| m.header("kid", "../../../../dev/null")),
    Tamper::row("kid-a-query", Issuer, |m| m.header("kid", "x' UNION SELECT 'key' --")),
    Tamper::row("kid-too-short", Issuer, |m| m.header("kid", &m.key.kid().as_str()[..42])),
    Tamper::row("kid-with-one-more", Issuer, |m| m.header("kid", format!("{}A", m.key.kid()))),
    Tamper::row("kid-too-long", Size, |m| m.header("kid", m.key.kid().as_str().repeat(2))),
    Tamper::row("kid-of-the-other-family", Issuer, |m| m.header("kid", m.other_key().kid().as_str())),
    Tamper::row("kid-of-nobody", Issuer, |m| m.header("kid", "A".repeat(43))),
    Tamper::row("alg-twice", Claims, |m| {
        m.header_text(r#"{"alg":"none","alg":"ALG","kid":"KID","typ":"at+jwt"}"#)
    }),
    Tamper::row("alg-twice-escaped", Claims, |m| {
        m.header_text(r#"{"alg":"ALG","\u0061lg":"ALG","kid":"KID","typ":"at+jwt"}"#)
    }),
    Tamper::row("member-twice-deep-in-the-header", Claims, |m| {
        m.header_text(r#"{"alg":"ALG","kid":"KID","typ":"at+jwt","a":{"b":1,"b":1}}"#)
    }),
    Tamper::row("header-an-array", Claims, |m| m.header_text(r#"["ALG","KID","at+jwt"]"#)),
    Tamper::row("header-null", Claims, |m| m.header_text("null")),
    Tamper::row("header-no-json", Claims, |m| m.header_text("alg=ALG,kid=KID,typ=at+jwt")),
    Tamper::row("header-with-a-second-document", Claims, |m| {
        m.header_text(r#"{"alg":"ALG","kid":"KID","typ":"at+jwt"}{}"#)
    }),
    Tamper::row("header-too-long", Size, |m| m.header("a", "a".repeat(1024))),
];

/// RFC 7468 section 13.
fn pem(spki: &[u8]) -> String {
    let text = base64url::encode(spki).replace('-', "+").replace('_', "/");
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let lines: Vec<&str> =
        padded.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
