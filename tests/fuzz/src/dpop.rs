//! Any bytes as a proof of possession beside a token that is good, through the whole verifier (RFC 9449).

use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use claviger_jose::{JwkSet, NumericDate, base64url};
use claviger_testkit::{TestClock, TestKey};
use claviger_verifier::{Dpop, JwksClient, Principal, Refusal, Verifier};
use hmac_sha256::Hash;
use http::{HeaderValue, Request, header::AUTHORIZATION, request::Parts};
use serde_json::{Value, json};

use crate::signed::sign;

const ISSUER: &str = "https://id.fleet.test";
const SERVICE: &str = "https://orders.fleet.test";
const PATH: &str = "/orders/1";
const NOW: u64 = 1_700_000_000;
/// Seconds that a proof may be from now.
const MAX_AGE: u64 = 60;

/// An issuer's key set in memory, shared by the verifiers, each of which sees one input.
static KEYS: LazyLock<JwksClient> = LazyLock::new(|| {
    let set = json!({ "keys": [TestKey::rs256().jwk()] }).to_string();
    let set = JwkSet::parse(set.as_bytes()).expect("the embedded key is acceptable");
    JwksClient::builder(ISSUER)
        .fixed_set(&set)
        .clock(clock())
        .build()
        .expect("a fixed set needs nothing else")
});

/// A good token, bound to the key of the caller.
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    TestKey::rs256().access_token(&json!({
        "iss": ISSUER, "sub": "client:a", "aud": SERVICE, "exp": NOW + 300, "iat": NOW, "jti": "1",
        "client_id": "a", "cnf": { "jkt": caller().kid() },
    }))
});

fn caller() -> &'static TestKey {
    TestKey::es256()
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(NumericDate::from_secs(NOW)))
}

/// Makes a proof of the bytes: the first says which part of it they are.
///
/// # Panics
/// If a proof is accepted that is not for this key, token, request and time; or one of them twice; or if a
/// verifier that holds the key has to wait.
pub fn run(data: &[u8]) {
    let Some((part, rest)) = data.split_first() else {
        return;
    };
    let proof = match part % 4 {
        0 => rest.to_vec(),
        1 => sign(caller(), rest, good_claims().to_string().as_bytes()).into_bytes(),
        2 => sign(caller(), good_header().to_string().as_bytes(), rest).into_bytes(),
        _ => {
            let mut claims = good_claims();
            claims["htu"] = String::from_utf8_lossy(rest).into();
            sign(caller(), good_header().to_string().as_bytes(), claims.to_string().as_bytes()).into_bytes()
        }
    };
    let (Ok(value), Ok(text)) = (HeaderValue::from_bytes(&proof), str::from_utf8(&proof)) else {
        return;
    };
    let verifier = Verifier::with_keys(KEYS.clone(), SERVICE)
        .clock(clock())
        .dpop(Dpop::at(SERVICE).remember(8))
        .build()
        .expect("the verifier is configured well");
    let request = request(value);
    if answer(&verifier, &request).is_ok() {
        assert_sound(text);
        assert!(answer(&verifier, &request).is_err(), "a proof was taken twice");
    }
}

/// The header of a good proof.
#[must_use]
pub fn good_header() -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": caller().jwk() })
}

/// The claims of a good proof.
#[must_use]
pub fn good_claims() -> Value {
    let ath = base64url::encode(&Hash::hash(TOKEN.as_bytes()));
    json!({ "jti": "p1", "htm": "GET", "htu": format!("{SERVICE}{PATH}"), "iat": NOW, "ath": ath })
}

fn request(proof: HeaderValue) -> Parts {
    let request = Request::get(PATH).header(AUTHORIZATION, format!("DPoP {}", *TOKEN)).header("dpop", proof);
    request.body(()).expect("the request is well-formed").into_parts().0
}

fn answer(verifier: &Verifier, request: &Parts) -> Result<Principal, Refusal> {
    match pin!(verifier.authenticate(request)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the key is held, and yet the request waits"),
    }
}

/// Read once more, by other code.
fn assert_sound(proof: &str) {
    let part = |at: usize| -> Value {
        let part = proof.split('.').nth(at).and_then(|part| base64url::decode(part).ok());
        serde_json::from_slice(&part.expect("what was accepted can be decoded")).expect("and read")
    };
    let (header, claims, good) = (part(0), part(1), good_claims());
    assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
    let (jwk, own) = (&header["jwk"], json!(caller().jwk()));
    assert_eq!((&jwk["x"], &jwk["y"]), (&own["x"], &own["y"]), "somebody else's key");
    assert!(jwk.get("d").is_none() && header.get("crit").is_none(), "{header}");
    assert_eq!((&claims["htm"], &claims["ath"]), (&good["htm"], &good["ath"]));
    assert_ne!(claims["jti"].as_str(), Some(""));
    let at = claims["iat"].as_f64().expect("a time");
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let (now, age) = (NOW as f64, MAX_AGE as f64 + 1.0);
    assert!((at - now).abs() < age, "{at} is not now");
    let url = claims["htu"].as_str().expect("a URL").to_ascii_lowercase();
    let authority = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    // Letters of a host may be percent-encoded (RFC 3986 section 6.2.2.2).
    let ours = |host: &str| host == "orders.fleet.test" || host.contains('%');
    let authority = authority.and_then(|authority| authority.split(':').next());
    assert!(authority.is_some_and(ours), "{url}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(header: &Value, claims: &Value) -> bool {
        let proof = sign(caller(), header.to_string().as_bytes(), claims.to_string().as_bytes());
        run(&[&[0], proof.as_bytes()].concat());
        let verifier = Verifier::with_keys(KEYS.clone(), SERVICE).clock(clock()).dpop(Dpop::at(SERVICE));
        let verifier = verifier.build().unwrap();
        answer(&verifier, &request(proof.parse().unwrap())).is_ok()
    }

    #[test]
    fn the_good_proof_is_good_and_reaches_every_check() {
        assert!(accepts(&good_header(), &good_claims()));
        for (name, value) in [
            ("htm", json!("POST")),
            ("htu", json!("https://ledger.fleet.test/orders/1")),
            ("iat", json!(NOW - 61)),
            ("ath", json!("")),
            ("jti", json!("")),
        ] {
            let mut claims = good_claims();
            claims[name] = value;
            assert!(!accepts(&good_header(), &claims), "{name}");
        }
        let mut header = good_header();
        header["jwk"] = json!(TestKey::es256_other().jwk());
        assert!(!accepts(&header, &good_claims()));
        for part in 0..=3 {
            run(&[part]);
        }
    }
}
