//! What a proof of possession has to say (RFC 9449 section 4.3).

use std::time::Duration;

use axum::{Router, body::Body, http::Request, routing::get};
use claviger_testkit::TestKey;
use claviger_verifier::{Dpop, Principal};
use serde_json::json;
use tower::ServiceExt;

use crate::{Bench, NOW, ORDERS, Proof, request};

fn holder() -> &'static TestKey {
    TestKey::es256_other()
}

/// One holder, one token, and one mutation of a good proof at a time.
struct Proofs {
    bench: Bench,
    token: String,
    counter: std::cell::Cell<u32>,
}

impl Proofs {
    async fn new() -> Self {
        let bench = Bench::with_dpop().await;
        let token = bench.bound_to(holder());
        Self { bench, token, counter: std::cell::Cell::new(0) }
    }

    /// A proof that was never seen.
    fn fresh(&self) -> Proof {
        self.counter.set(self.counter.get() + 1);
        Proof::of(holder(), &self.token, &format!("proof-{}", self.counter.get()))
    }

    async fn ask(&self, proofs: &[&str]) -> &'static str {
        self.bench.ask(&request(&format!("DPoP {}", self.token), proofs)).await
    }

    async fn check(&self, mutate: impl FnOnce(Proof) -> Proof, expected: &str) {
        let proof = mutate(self.fresh());
        assert_eq!(self.ask(&[&proof.sign(holder())]).await, expected, "{} {}", proof.header, proof.claims);
    }
}

// S-17
#[tokio::test]
async fn a_good_proof_is_accepted_with_either_algorithm() {
    let bench = Bench::with_dpop().await;
    for holder in [TestKey::es256_other(), TestKey::rs256_other()] {
        let token = bench.bound_to(holder);
        let proof = Proof::of(holder, &token, "1").sign(holder);
        assert_eq!(bench.ask(&request(&format!("DPoP {token}"), &[&proof])).await, "accepted");
    }
}

// S-17
#[tokio::test]
async fn there_is_exactly_one_proof() {
    let proofs = Proofs::new().await;
    let [first, second] = [proofs.fresh(), proofs.fresh()].map(|proof| proof.sign(holder()));
    assert_eq!(proofs.ask(&[]).await, "proof_not_one");
    assert_eq!(proofs.ask(&[&first, &second]).await, "proof_not_one");
    assert_eq!(proofs.ask(&[&first, &first]).await, "proof_not_one");
    assert_eq!(proofs.ask(&[&first, ""]).await, "proof_not_one");
    assert_eq!(proofs.ask(&[&format!("{first},{second}")]).await, "proof_malformed");
    assert_eq!(proofs.ask(&[&first]).await, "accepted");
}

// S-17
#[tokio::test]
async fn a_proof_is_well_formed_and_signed_by_the_key_that_it_brings() {
    let proofs = Proofs::new().await;
    proofs.check(|proof| proof, "accepted").await;
    for typ in ["JWT", "at+jwt", "dpop"] {
        proofs.check(|proof| proof.header("typ", typ), "proof_malformed").await;
    }
    for alg in ["none", "HS256", "RS256"] {
        proofs.check(|proof| proof.header("alg", alg), "proof_malformed").await;
    }
    for private in ["d", "p", "q", "k"] {
        let with = |mut proof: Proof| {
            proof.header["jwk"][private] = "AQAB".into();
            proof
        };
        proofs.check(with, "proof_malformed").await;
    }
    proofs.check(|proof| proof.header("jwk", json!({ "kty": "oct", "k": "AQAB" })), "proof_malformed").await;
    proofs.check(|proof| proof.header("crit", json!(["exp"])), "proof_malformed").await;
    proofs.check(|proof| proof.header("jku", "https://evil.test/keys"), "proof_malformed").await;
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        proofs.check(|proof| proof.without(name), "proof_malformed").await;
        proofs.check(|proof| proof.claim(name, json!(null)), "proof_malformed").await;
        proofs.check(|proof| proof.claim(name, json!([1])), "proof_malformed").await;
    }
    proofs.check(|proof| proof.claim("jti", ""), "proof_malformed").await;
    for text in ["", "a", "a.b.c", &proofs.token] {
        assert_eq!(proofs.ask(&[text]).await, "proof_malformed");
    }
    let by_another = proofs.fresh().sign(TestKey::es256());
    assert_eq!(proofs.ask(&[&by_another]).await, "proof_malformed");
}

// S-17
#[tokio::test]
async fn a_proof_is_from_the_key_and_for_the_token_that_it_stands_beside() {
    let proofs = Proofs::new().await;
    let thief = TestKey::es256();
    let stolen = Proof::of(thief, &proofs.token, "theft").sign(thief);
    assert_eq!(proofs.ask(&[&stolen]).await, "proof_other_token");
    let other_token = proofs.bench.bound_to(holder());
    let for_another = Proof::of(holder(), &other_token, "another").sign(holder());
    assert_eq!(proofs.ask(&[&for_another]).await, "proof_other_token");
    proofs.check(|proof| proof.claim("ath", ""), "proof_other_token").await;
}

// S-17
#[tokio::test]
async fn a_proof_is_for_this_method() {
    let proofs = Proofs::new().await;
    for method in ["POST", "get", "GET ", "HEAD", ""] {
        proofs.check(|proof| proof.claim("htm", method), "proof_other_request").await;
    }
}

// S-17
#[tokio::test]
async fn a_proof_is_for_this_url() {
    let proofs = Proofs::new().await;
    for same in [
        "https://orders.fleet.test/orders",
        "HTTPS://ORDERS.fleet.test:443/orders",
        "https://orders.fleet.test/orders?page=9#top",
        "https://orders.fleet.test/%6Frders",
    ] {
        proofs.check(|proof| proof.claim("htu", same), "accepted").await;
    }
    for other in [
        "http://orders.fleet.test/orders",
        "https://ledger.fleet.test/orders",
        "https://orders.fleet.test:8443/orders",
        "https://orders.fleet.test/orders/",
        "https://orders.fleet.test/orders/1",
        "https://orders.fleet.test/Orders",
        "https://orders.fleet.test/",
        "https://orders.fleet.test",
        "https://a@orders.fleet.test/orders",
        "/orders",
        "*",
        "",
    ] {
        proofs.check(|proof| proof.claim("htu", other), "proof_other_request").await;
    }
}

// S-17
#[tokio::test]
async fn a_proof_is_from_now() {
    let proofs = Proofs::new().await;
    for (iat, expected) in [
        (NOW - 61, "proof_stale"),
        (NOW - 60, "proof_stale"),
        (NOW - 59, "accepted"),
        (NOW + 5, "accepted"),
        (NOW + 6, "proof_stale"),
        (NOW + 60, "proof_stale"),
        (0, "proof_stale"),
        (253_402_300_799, "proof_stale"),
        (253_402_300_800, "proof_malformed"),
    ] {
        proofs.check(|proof| proof.claim("iat", iat), expected).await;
    }
    // What is ahead is no further than either of the two bounds that the service has set.
    for (max_age, leeway, ahead) in [(5, 30, 5), (2, 30, 2), (60, 3, 3), (60, 0, 0)] {
        let dpop = Dpop::at(ORDERS).max_age(Duration::from_secs(max_age));
        let bench = Bench::new(|verifier| verifier.dpop(dpop).leeway(Duration::from_secs(leeway))).await;
        let token = bench.bound_to(holder());
        for (iat, expected) in [
            (NOW - max_age, "proof_stale"),
            (NOW, "accepted"),
            (NOW + ahead, "accepted"),
            (NOW + ahead + 1, "proof_stale"),
        ] {
            let jti = fastrand::u64(..).to_string();
            let proof = Proof::of(holder(), &token, &jti).claim("iat", iat).sign(holder());
            let reason = bench.ask(&request(&format!("DPoP {token}"), &[&proof])).await;
            assert_eq!(reason, expected, "{iat}: {max_age} {leeway}");
        }
    }
}

/// A router below another one sees only the rest of the path, and a proxy may have taken away the beginning.
// S-17
#[tokio::test]
async fn the_url_is_the_one_that_the_client_knows() {
    let bench = Bench::new(|verifier| verifier.dpop(Dpop::at("https://fleet.test/shop/"))).await;
    let inner = Router::new()
        .route("/list", get(async |_: Principal, again: Principal| again.sub().to_owned()))
        .with_state(bench.verifier.clone());
    let app = Router::new().nest("/orders", inner);
    let ask = async |jti: &str, htu: &str| {
        let token = bench.bound_to(holder());
        let proof = Proof::of(holder(), &token, jti).claim("htu", htu).sign(holder());
        let request = Request::get("/orders/list").header("dpop", proof);
        let request = request.header("authorization", format!("DPoP {token}")).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let challenges = answer.headers().get_all("www-authenticate");
        let challenges = challenges.iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        (answer.status().as_u16(), challenges)
    };
    assert_eq!(ask("1", "https://fleet.test/shop/orders/list").await, (200, Vec::new()));
    let refused = (401, vec![r#"DPoP error="invalid_dpop_proof", algs="ES256 RS256""#.to_owned()]);
    assert_eq!(ask("2", "https://fleet.test/orders/list").await, refused);
    assert_eq!(ask("3", "https://fleet.test/shop/list").await, refused);
}

// S-17
#[tokio::test]
async fn callers_are_told_that_proofs_are_taken() {
    let bench = Bench::with_dpop().await;
    let app = Router::new().route("/", get(async |_: Principal| ())).with_state(bench.verifier.clone());
    let answer = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    let challenges: Vec<_> = answer.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, [r#"Bearer realm="service""#, r#"DPoP realm="service", algs="ES256 RS256""#]);
}
