//! The admin API against real sockets: who may do what, and what comes of it.

use claviger_issuer::admin::{SCOPES, endpoints};
use claviger_jose::Revocations;
use claviger_store::MAX_REFUSALS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::issuer::{ADMIN, Issuer, SHOP, SHORT, answer, until, verified};

/// A path of the table, as a request has it.
fn path(pattern: &str) -> String {
    pattern.replace("{kid}", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").replace("{id}", "nobody")
}

// S-98
#[tokio::test]
async fn each_scope_opens_its_endpoints_and_no_other() {
    let issuer = Issuer::start("").await;
    let url = |pattern: &str| format!("{}{}", issuer.admin, path(pattern));
    let foreign = issuer.token(SHOP, "shop:read").await;
    for (method, pattern, _) in endpoints() {
        let ask = || issuer.http.request(method.clone(), url(pattern));
        for refused in [ask(), ask().bearer_auth(&foreign), ask().bearer_auth("no.token.at-all")] {
            let refused = refused.send().await.unwrap();
            assert_eq!(refused.status(), 401, "{method} {pattern}");
            assert!(refused.headers().contains_key("www-authenticate"), "{method} {pattern}");
            assert!(refused.headers().contains_key("x-request-id"), "{method} {pattern}");
        }
    }
    for scope in SCOPES {
        let token = issuer.token(ADMIN, scope.as_str()).await;
        for (method, pattern, needed) in endpoints() {
            let request = issuer.http.request(method.clone(), url(pattern)).bearer_auth(&token);
            let (status, body) = answer(request.send().await.unwrap()).await;
            let case = format!("{method} {pattern} with {}: {status} {body}", scope.as_str());
            if needed == scope {
                assert!(![401, 403, 405, 500].contains(&status), "{case}");
            } else {
                assert_eq!((status, body["error"].as_str()), (403, Some("insufficient_scope")), "{case}");
            }
        }
    }
    issuer.stop().await;
}

// S-98
#[tokio::test]
async fn the_admin_api_is_not_on_the_listener_for_everybody() {
    let issuer = Issuer::start("").await;
    let token = issuer.token(ADMIN, "keys:read").await;
    let request = issuer.http.get(format!("{}/admin/v1/keys", issuer.url)).bearer_auth(token);
    assert_eq!(request.send().await.unwrap().status(), 404);
    for url in [&issuer.url, &issuer.admin] {
        assert_eq!(issuer.http.get(format!("{url}/readyz")).send().await.unwrap().status(), 200);
    }
    issuer.stop().await;
}

// S-99
#[tokio::test]
async fn of_two_hundred_rotations_at_once_one_is_made() {
    let issuer = Issuer::start("").await;
    let token = issuer.token(ADMIN, "keys:rotate").await;
    let revision = issuer.revision().await;
    let ask = |tag: String| {
        let url = format!("{}/admin/v1/keys/rotate", issuer.admin);
        let request = issuer.http.post(url).bearer_auth(&token).header("if-match", tag);
        async move { answer(request.json(&json!({ "alg": "ES256" })).send().await.unwrap()).await }
    };
    let (status, body) = ask(format!("\"{revision}\"")).await;
    assert_eq!((status, body["error"].as_str()), (409, Some("too_early")), "{body}");
    assert!(body["earliest"].as_u64().unwrap() > 1_700_000_000, "{body}");
    assert_eq!(body["state"]["revision"], revision, "{body}");
    issuer.stop().await;

    let issuer = Issuer::start(SHORT).await;
    let before = issuer.store.load_keys().await.unwrap();
    let ready = until("the next key has been published for the lead", async || {
        let now = issuer.store.now().await.unwrap();
        before.keys.iter().all(|key| now.since(key.state.since()).as_secs() >= 3).then_some(())
    });
    ready.await;
    let token = issuer.token(ADMIN, "keys:rotate").await;
    let mut asked = Vec::new();
    for _ in 0..200 {
        let url = format!("{}/admin/v1/keys/rotate", issuer.admin);
        let request = issuer.http.post(url).bearer_auth(&token);
        let request = request.header("if-match", format!("\"{}\"", before.revision));
        let request = request.json(&json!({ "alg": "ES256" })).send();
        asked.push(tokio::spawn(async move { answer(request.await.unwrap()).await }));
    }
    let mut statuses = Vec::new();
    for asked in asked {
        statuses.push(asked.await.unwrap().0);
    }
    statuses.sort_unstable();
    let mut expected = vec![409; 200];
    expected[0] = 200;
    assert_eq!(statuses, expected);
    let after = until("the next key is made", async || {
        let after = issuer.store.load_keys().await.unwrap();
        (after.keys.len() > before.keys.len()).then_some(after)
    });
    let after = after.await;
    assert_eq!(after.keys.len(), before.keys.len() + 1, "one rotation, one new key");
    let state = |name: &str| after.keys.iter().filter(|key| key.state.name() == name).count();
    assert_eq!((state("active"), state("retiring"), state("prepared")), (2, 1, 2));
    let log = issuer.store.audit_after(0, 1000).await.unwrap();
    let of = |act: &str| log.iter().filter(|record| record.act.act == act).count();
    let noted = usize::try_from(MAX_REFUSALS).unwrap();
    assert_eq!((of("key.retire"), of("keys.refused")), (1, noted), "and the log does not grow by repetition");
    issuer.stop().await;
}

// S-99
#[tokio::test]
async fn a_rotation_names_the_revision_that_its_operator_has_seen() {
    let issuer = Issuer::start("").await;
    let listed = issuer.ask(Method::GET, "keys", "keys:read").await.send().await.unwrap();
    let tag = listed.headers()["etag"].to_str().unwrap().to_owned();
    let keys: Value = listed.json().await.unwrap();
    assert_eq!(tag, format!("\"{}\"", keys["revision"]));
    assert_eq!(keys["keys"].as_array().unwrap().len(), 4, "{keys}");
    assert!(!keys.to_string().contains("\"d\""), "no private half is ever told");

    let rotate = issuer.ask(Method::POST, "keys/rotate", "keys:rotate").await;
    let (status, body) = answer(rotate.send().await.unwrap()).await;
    assert_eq!((status, body["error"].as_str()), (428, Some("precondition_required")));
    for tag in ["*", "7", "\"x\"", "\"1\", \"2\""] {
        let rotate = issuer.ask(Method::POST, "keys/rotate", "keys:rotate").await.header("if-match", tag);
        assert_eq!(rotate.send().await.unwrap().status(), 400, "{tag}");
    }
    let rotate = issuer.ask(Method::POST, "keys/rotate", "keys:rotate").await.header("if-match", "\"999\"");
    let (status, body) = answer(rotate.send().await.unwrap()).await;
    assert_eq!((status, body["error"].as_str()), (409, Some("changed")), "{body}");
    issuer.stop().await;
}

// S-42 S-43
#[tokio::test]
async fn a_key_that_an_operator_revokes_leaves_the_set_and_is_named_in_the_feed() {
    let issuer = Issuer::start("").await;
    let (_, keys) = issuer.admin(Method::GET, "keys", "keys:read", &json!({})).await;
    let active = |keys: &Value| {
        let keys = keys["keys"].as_array().unwrap().iter();
        let mut active = keys.filter(|key| key["state"] == "active" && key["alg"] == "ES256");
        active.next().unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let stolen = active(&keys);
    let path = format!("keys/{stolen}/revoke");
    let revoke = async || issuer.admin(Method::POST, &path, "keys:revoke", &json!({})).await;
    let (status, body) = revoke().await;
    assert_eq!(status, 200, "{body}");
    let again = until("the key that signed the operator's token is gone, another one signs", async || {
        let (status, body) = revoke().await;
        (status == 409).then_some(body)
    });
    assert_eq!(again.await["error"], "refused");
    let told = until("the feed names the key", async || {
        let (set, tag) = issuer.key_set().await;
        let jws = issuer.get("/.well-known/revocations").await.text().await.unwrap();
        let jws: Revocations = verified(&jws, &set)?;
        (jws.jwks == tag && jws.kid.iter().any(|kid| kid.as_str() == stolen)).then_some(set)
    });
    assert!(told.await.keys().iter().all(|key| key.kid().as_str() != stolen));
    let unknown = issuer.admin(Method::POST, "keys/short/revoke", "keys:revoke", &json!({})).await;
    assert_eq!((unknown.0, unknown.1["error"].as_str()), (404, Some("unknown_key")));
    issuer.stop().await;
}
