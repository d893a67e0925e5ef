//! The revocation feed as a verifier meets it.

use claviger_jose::{Mark, Marked, Revocations};
use claviger_store::Revoked;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::issuer::{ADMIN, ISSUER, Issuer, SHORT, until, verified};

const FEED: &str = "/.well-known/revocations";

/// The statement, once it is `good`.
async fn statement(issuer: &Issuer, what: &str, good: impl Fn(&Revocations) -> bool) -> Revocations {
    let ask = async || {
        let (set, _) = issuer.key_set().await;
        let answer = issuer.get(FEED).await;
        verified(&answer.text().await.unwrap(), &set).filter(&good)
    };
    until(what, ask).await
}

// S-43
#[tokio::test]
async fn the_feed_is_there_from_the_start_and_asked_for_conditionally() {
    let issuer = Issuer::start("verifiers.poll = \"7s\"").await;
    let answer = issuer.get(FEED).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/revocations+jwt");
    assert_eq!(header("cache-control"), "public, max-age=7, s-maxage=0, no-transform");
    let etag = header("etag");
    let conditional = issuer.http.get(format!("{}{FEED}", issuer.url)).header("if-none-match", &etag);
    let unchanged = conditional.send().await.unwrap();
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(unchanged.headers()["etag"].to_str().unwrap(), etag);

    let told = statement(&issuer, "a statement", |_| true).await;
    assert_eq!((told.iss.as_str(), told.jwks), (ISSUER, issuer.key_set().await.1));
    assert_eq!(told.exp.since(told.iat).as_secs(), 600);
    issuer.stop().await;
}

// S-21
#[tokio::test]
async fn a_key_set_says_how_long_ago_the_database_confirmed_it() {
    let issuer = Issuer::start("").await;
    let set = issuer.get("/.well-known/jwks.json").await;
    let age: u64 = set.headers()["age"].to_str().unwrap().parse().unwrap();
    assert!(age <= 5, "it looks once a second");
    let etag = set.headers()["etag"].clone();
    let conditional =
        issuer.http.get(format!("{}/.well-known/jwks.json", issuer.url)).header("if-none-match", etag);
    let unchanged = conditional.send().await.unwrap();
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    assert!(unchanged.headers().contains_key("age"));
    issuer.stop().await;
}

// S-43
#[tokio::test]
async fn whatever_an_operator_revokes_is_in_the_feed() {
    let issuer = Issuer::start("").await;
    let mark = Mark::of;
    let before = statement(&issuer, "a statement", |_| true).await.seq;
    for (body, told) in [
        (json!({ "jti": "token" }), told(|feed| feed.jti.contains(&Mark::of(Marked::Jti, "token")))),
        (json!({ "jti": "2", "sub": "user:a" }), told(|feed| feed.jti.contains(&Mark::of(Marked::Jti, "2")))),
        (
            json!({ "sid": "s" }),
            told(|feed| feed.sid.iter().any(|(sid, _)| *sid == Mark::of(Marked::Sid, "s"))),
        ),
        (
            json!({ "sub": "user:b" }),
            told(|feed| feed.sub.iter().any(|(sub, _)| *sub == Mark::of(Marked::Sub, "user:b"))),
        ),
        (
            json!({ "client": "web" }),
            told(|feed| feed.client.iter().any(|(id, _)| *id == Mark::of(Marked::Client, "web"))),
        ),
    ] {
        let (status, answer) = issuer.admin(Method::POST, "revocations", "revocations:write", &body).await;
        assert_eq!(status, 200, "{body}: {answer}");
        assert!(answer["sequence"].as_u64().unwrap() > before, "{answer}");
        let feed = statement(&issuer, "the revocation", told).await;
        assert!(feed.seq >= answer["sequence"].as_u64().unwrap());
    }
    for body in [
        json!({}),
        json!({ "jti": "1", "sid": "2" }),
        json!({ "client": "no such:name" }),
        json!({ "sub": "" }),
        json!({ "kid": "x" }),
        json!([]),
    ] {
        let (status, answer) = issuer.admin(Method::POST, "revocations", "revocations:write", &body).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_request")), "{body}");
    }
    let kept = issuer.store.load_revocations().await.unwrap();
    let of = |revoked: Revoked| kept.revocations.iter().any(|entry| entry.revoked == revoked);
    assert!(of(Revoked::Client(mark(Marked::Client, "web"))));
    let acts = issuer.store.audit_tail(1).await.unwrap();
    let act = &acts[0].act;
    assert_eq!(
        (act.actor.as_str(), act.act.as_str(), act.subject.as_str()),
        ("client:operator", "revoke.client", "web")
    );
    assert!(act.request_id.is_some() && act.origin.starts_with("admin 127.0.0.1:"), "{act:?}");
    issuer.stop().await;
}

fn told(told: fn(&Revocations) -> bool) -> fn(&Revocations) -> bool {
    told
}

// S-43
#[tokio::test]
async fn a_revoked_client_is_no_longer_let_in_by_the_issuer_itself() {
    let issuer = Issuer::start("").await;
    let token = issuer.token(ADMIN, "keys:read").await;
    let url = format!("{}/admin/v1/keys", issuer.admin);
    let ask = async || issuer.http.get(&url).bearer_auth(&token).send().await.unwrap().status();
    assert_eq!(ask().await, 200);
    let body = json!({ "client": "operator" });
    let (status, answer) = issuer.admin(Method::POST, "revocations", "revocations:write", &body).await;
    assert_eq!(status, 200, "{answer}");
    until("the operator's token is refused", async || (ask().await == 401).then_some(())).await;
    issuer.stop().await;
}

#[tokio::test]
async fn the_feed_names_the_next_key_set_after_a_rotation() {
    let issuer = Issuer::start(SHORT).await;
    let before = statement(&issuer, "a statement", |_| true).await.jwks;
    until("a rotation", async || {
        let tag = format!("\"{}\"", issuer.revision().await);
        let rotate = issuer.ask(Method::POST, "keys/rotate", "keys:rotate").await.header("if-match", tag);
        let rotated = rotate.json(&json!({ "alg": "ES256" })).send().await.unwrap();
        (rotated.status() == 200).then_some(())
    })
    .await;
    let after = statement(&issuer, "the next set", |feed| feed.jwks != before).await;
    until("both agree", async || (issuer.key_set().await.1 == after.jwks).then_some(())).await;
    // The key that was rotated away tells until when it signs.
    let (set, _) = issuer.key_set().await;
    assert_eq!(set.keys().iter().filter(|key| key.sign_until().is_some()).count(), 1);
    issuer.stop().await;
}
