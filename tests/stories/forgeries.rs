use claviger_jose::base64url;
use claviger_testkit::{TestIssuer, TestKey};
use e2e::{LEDGER, Service, client};
use serde_json::{Value, json};

/// A forgery and its name. Where the attack is in the content, the signature is a valid one.
type Row = (&'static str, String);

// S-1 S-2 S-3 S-4 S-5 S-6 S-7 S-8 S-9 S-10 S-12 S-16
#[tokio::test]
async fn every_forged_token_is_refused_by_a_running_service_with_the_same_answer() -> anyhow::Result<()> {
    let issuer = TestIssuer::start().await;
    let state = tempfile::tempdir()?;
    let arguments = [("--issuer", issuer.url()), ("--audience", LEDGER)];
    let service = Service::start("ledger", &arguments, state.path()).await?;
    service.ready().await?;
    let http = client();
    for key in [TestKey::rs256(), TestKey::es256()] {
        let good = issuer.token(LEDGER).scope("ledger:read").sign(key);
        assert_eq!(service.get(&http, "/entries", &good).await?.status, 200, "the model is good");
    }

    let rows = rows(&issuer);
    assert!(rows.len() >= 40, "{} rows", rows.len());
    let constant = service.get(&http, "/entries", "a.b.c").await?;
    for (name, token) in rows {
        let reply = service.get(&http, "/entries", &token).await?;
        assert_eq!(reply.status, 401, "{name}: {}", reply.body);
        assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{name}");
        assert_eq!(reply.body, constant.body, "{name}: the answer tells nothing");
    }
    let good = issuer.token(LEDGER).scope("ledger:read").sign(TestKey::es256());
    assert_eq!(service.get(&http, "/entries", &good).await?.status, 200, "the service is unharmed");
    Ok(())
}

fn rows(issuer: &TestIssuer) -> Vec<Row> {
    let mut rows = Vec::new();
    for key in [TestKey::es256(), TestKey::rs256()] {
        rows.extend(header_rows(issuer, key));
    }
    rows.extend(claim_rows(issuer));
    rows.extend(form_rows(issuer));
    rows.extend(signature_rows(issuer));
    rows
}

fn claims(issuer: &TestIssuer) -> Value {
    issuer.token(LEDGER).scope("ledger:read").claims()
}

/// The header attacks, each signed by the true key.
fn header_rows(issuer: &TestIssuer, key: &TestKey) -> Vec<Row> {
    let payload = claims(issuer).to_string();
    let base = json!({"typ": "at+jwt", "alg": key.alg().as_str(), "kid": key.kid().as_str()});
    let with = |name: &str, value: Value| {
        let mut header = base.clone();
        header[name] = value;
        key.jws(header, &payload)
    };
    let without = |name: &str| {
        let mut header = base.clone();
        header.as_object_mut().map(|members| members.remove(name));
        key.jws(header, &payload)
    };
    let other = if key.kid() == TestKey::es256().kid() { TestKey::rs256() } else { TestKey::es256() };
    let repeated = format!(r#"{{"typ":"at+jwt","alg":"none","alg":"{}","kid":"{}"}}"#, key.alg(), key.kid());
    vec![
        ("alg none", with("alg", "none".into())),
        ("alg noNE", with("alg", "noNE".into())),
        ("alg HS256", with("alg", "HS256".into())),
        ("alg PS256", with("alg", "PS256".into())),
        ("alg of the other family", with("alg", other.alg().as_str().into())),
        ("no alg", without("alg")),
        ("no kid", without("kid")),
        ("kid of another key", with("kid", other.kid().as_str().into())),
        ("kid of a key that is not published", with("kid", TestKey::es256_other().kid().as_str().into())),
        ("kid is a path", with("kid", "../../dev/null".into())),
        ("no typ", without("typ")),
        ("typ JWT", with("typ", "JWT".into())),
        ("typ of an ID token", with("typ", "id+jwt".into())),
        ("typ of a log-out token", with("typ", "logout+jwt".into())),
        ("typ of a DPoP proof", with("typ", "dpop+jwt".into())),
        ("typ of the revocation feed", with("typ", "revocations+jwt".into())),
        ("crit empty", with("crit", json!([]))),
        ("crit names b64", with("crit", json!(["b64"]))),
        ("crit null", with("crit", Value::Null)),
        ("b64 false", with("b64", false.into())),
        ("jku", with("jku", "http://127.0.0.1:1/keys".into())),
        ("x5u", with("x5u", "http://127.0.0.1:1/cert".into())),
        ("x5c", with("x5c", json!(["MIIB"]))),
        ("embedded jwk", with("jwk", serde_json::to_value(TestKey::es256_other().jwk()).unwrap_or_default())),
        ("alg twice", key.jws(repeated, &payload)),
    ]
}

/// The claim attacks, each signed by the true key.
fn claim_rows(issuer: &TestIssuer) -> Vec<Row> {
    let key = TestKey::es256();
    let token = || issuer.token(LEDGER).scope("ledger:read");
    let with = |name: &str, value: Value| token().claim(name, value).sign(key);
    let without = |name: &str| token().without(name).sign(key);
    let now = claims(issuer)["iat"].as_u64().unwrap_or_default();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid().as_str()});
    let text = claims(issuer).to_string();
    let twice = format!(r#"{{"sub":"user:admin",{}"#, &text[1..]);
    let escaped = format!(r#"{{"\u0073ub":"user:admin",{}"#, &text[1..]);
    vec![
        ("another issuer", with("iss", "https://evil.test".into())),
        ("issuer with a slash", with("iss", format!("{}/", issuer.url()).into())),
        ("issuer in an array", with("iss", json!([issuer.url()]))),
        ("no issuer", without("iss")),
        ("another audience", with("aud", "https://orders.fleet.test".into())),
        ("audience as a prefix", with("aud", format!("{LEDGER}/x").into())),
        ("audience null", with("aud", Value::Null)),
        ("audience a number", with("aud", 5.into())),
        ("audience an object", with("aud", json!({"0": LEDGER}))),
        ("audiences of the world", with("aud", json!(["a", "b", "c", "d", "e", "f", "g", "h", LEDGER]))),
        ("no audience", without("aud")),
        ("expired", token().claim("iat", now - 400).claim("exp", now - 100).sign(key)),
        ("expires in ten years", with("exp", (now + 315_360_000).into())),
        ("issued in the future", token().claim("iat", now + 600).claim("exp", now + 900).sign(key)),
        ("not yet valid", with("nbf", (now + 600).into())),
        ("exp a string", with("exp", (now + 300).to_string().into())),
        ("exp negative", with("exp", (-1).into())),
        ("exp null", with("exp", Value::Null)),
        ("no exp", without("exp")),
        ("no iat", without("iat")),
        ("no sub", without("sub")),
        ("sub a number", with("sub", 7.into())),
        ("no jti", without("jti")),
        ("no client_id", without("client_id")),
        ("scope an array", with("scope", json!(["ledger:read"]))),
        ("bound to a DPoP key", with("cnf", json!({"jkt": "x"}))),
        ("bound to a certificate", with("cnf", json!({"x5t#S256": "x"}))),
        ("bound to something unknown", with("cnf", json!({"new": 1}))),
        ("exp beyond numbers", key.jws(&header, &text.replace(&(now + 300).to_string(), "1e400"))),
        ("sub twice", key.jws(&header, &twice)),
        ("sub twice, escaped", key.jws(&header, &escaped)),
        ("payload an array", key.jws(&header, "[]")),
        ("payload empty", key.jws(&header, "")),
        ("payload deep", key.jws(&header, &format!("{}{}", "[".repeat(3000), "]".repeat(3000)))),
    ]
}

/// Attacks on the compact form.
fn form_rows(issuer: &TestIssuer) -> Vec<Row> {
    let good = issuer.token(LEDGER).scope("ledger:read").sign(TestKey::es256());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let admin =
        base64url::encode(claims(issuer).to_string().replace("ledger:read", "ledger:post").as_bytes());
    vec![
        ("padded", format!("{header}.{payload}.{signature}==")),
        ("standard alphabet", format!("{header}.{payload}.{}+/", &signature[..84])),
        ("four parts", format!("{good}.x")),
        ("a JWE", format!("{good}.x.y")),
        ("two parts", format!("{header}.{payload}")),
        ("no signature", format!("{header}.{payload}.")),
        ("another payload", format!("{header}.{admin}.{signature}")),
        ("too long", format!("{header}.{}.{signature}", "A".repeat(8192))),
        ("header too long", format!("{}.{payload}.{signature}", "A".repeat(1025))),
    ]
}

/// Attacks on the signature.
fn signature_rows(issuer: &TestIssuer) -> Vec<Row> {
    let text = claims(issuer).to_string();
    let forged = |claimed: &TestKey, signer: &TestKey| {
        let header = json!({"typ": "at+jwt", "alg": claimed.alg().as_str(), "kid": claimed.kid().as_str()});
        signer.jws(header, &text)
    };
    let good = issuer.token(LEDGER).scope("ledger:read").sign(TestKey::es256());
    let (signing_input, signature) = good.rsplit_once('.').unwrap_or_default();
    let raw = base64url::decode(signature).unwrap_or_default();
    let resigned = |signature: &[u8]| format!("{signing_input}.{}", base64url::encode(signature));
    // r and s as DER integers, as X.509 has them and JWS has not.
    let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
    let der = [vec![0x30, 70], integer(&raw[..32]), integer(&raw[32..])].concat();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> =
        (0..32).filter_map(|byte| u8::from_str_radix(&order[byte * 2..byte * 2 + 2], 16).ok()).collect();
    let mut flipped = raw.clone();
    flipped[40] ^= 1;
    vec![
        ("signed by a foreign EC key", forged(TestKey::es256(), TestKey::es256_other())),
        ("signed by a foreign RSA key", forged(TestKey::rs256(), TestKey::rs256_other())),
        ("RSA signature under an EC kid", forged(TestKey::es256(), TestKey::rs256())),
        ("EC signature under an RSA kid", forged(TestKey::rs256(), TestKey::es256())),
        ("all zero", resigned(&[0; 64])),
        ("r is the order", resigned(&[&order[..], &raw[32..]].concat())),
        ("s is the order", resigned(&[&raw[..32], &order[..]].concat())),
        ("63 bytes", resigned(&raw[..63])),
        ("65 bytes", resigned(&[&raw[..], &[0]].concat())),
        ("DER", resigned(&der)),
        ("one bit off", resigned(&flipped)),
    ]
}
