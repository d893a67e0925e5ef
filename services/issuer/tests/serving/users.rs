//! People in the admin API.

use claviger_jose::Marked;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::issuer::{Issuer, answer, until};

const PASSWORD: &str = "the fog hums over tartu";

async fn change(issuer: &Issuer, id: &str, tag: &str, body: &Value) -> (u16, Value) {
    let request = issuer.ask(Method::PATCH, &format!("users/{id}"), "users:write").await;
    answer(request.header("if-match", tag).json(body).send().await.unwrap()).await
}

async fn add(issuer: &Issuer, body: &Value) -> Response {
    issuer.ask(Method::POST, "users", "users:write").await.json(body).send().await.unwrap()
}

/// What the API says of somebody, and the entity tag.
async fn shown(issuer: &Issuer, id: &str) -> (Value, String) {
    let answer = issuer.ask(Method::GET, &format!("users/{id}"), "users:read").await.send().await.unwrap();
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    (answer.json().await.unwrap(), tag)
}

// S-99
#[tokio::test]
async fn people_are_added_shown_and_changed_by_who_has_seen_them() {
    let issuer = Issuer::start("").await;
    let ada =
        json!({ "username": "Ada", "password": PASSWORD, "claims": { "name": "Ada" }, "roles": ["staff"] });
    let added = add(&issuer, &ada).await;
    assert_eq!(added.status(), 201);
    let place = added.headers()["location"].to_str().unwrap().to_owned();
    let tag = added.headers()["etag"].to_str().unwrap().to_owned();
    let added: Value = added.json().await.unwrap();
    let id = added["id"].as_str().unwrap();
    assert_eq!(place, format!("/admin/v1/users/{id}"));
    assert_eq!(added["sub"], format!("user:{id}"));
    assert_eq!((&added["has_password"], &added["disabled"]), (&json!(true), &json!(false)));
    assert_eq!(shown(&issuer, id).await, (added.clone(), tag.clone()));

    let (status, again) = answer(add(&issuer, &json!({ "username": "ADA" })).await).await;
    assert_eq!((status, again["error"].as_str()), (409, Some("exists")));
    let body = json!({ "roles": ["boss"] });
    let blind = issuer.ask(Method::PATCH, &format!("users/{id}"), "users:write").await.json(&body);
    assert_eq!(blind.send().await.unwrap().status(), 428);
    let (one, other) = tokio::join!(change(&issuer, id, &tag, &body), change(&issuer, id, &tag, &body));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {other:?}");
    let (after, _) = shown(&issuer, id).await;
    assert_eq!((&after["roles"], &after["claims"]), (&json!(["boss"]), &json!({ "name": "Ada" })));

    let (_, list) = issuer.admin(Method::GET, "users?limit=1", "users:read", &json!({})).await;
    assert_eq!((list["users"].as_array().unwrap().len(), &list["next"]), (1, &json!("Ada")));
    let (_, rest) = issuer.admin(Method::GET, "users?after=ada", "users:read", &json!({})).await;
    assert_eq!((&rest["users"], &rest["next"]), (&json!([]), &Value::Null));
    issuer.stop().await;
}

// S-83
#[tokio::test]
async fn who_is_disabled_or_gets_another_password_is_on_the_feed_at_once() {
    let issuer = Issuer::start("").await;
    let added: Value =
        add(&issuer, &json!({ "username": "ada", "password": PASSWORD })).await.json().await.unwrap();
    let id = added["id"].as_str().unwrap();
    let mark = claviger_jose::Mark::of(Marked::Sub, added["sub"].as_str().unwrap());
    for body in [json!({ "password": "a kestrel hovers at dusk" }), json!({ "disabled": true })] {
        let (_, tag) = shown(&issuer, id).await;
        let before = issuer.store.load_revocations().await.unwrap().sequence;
        let (status, changed) = change(&issuer, id, &tag, &body).await;
        assert_eq!(status, 200, "{changed}");
        let feed = issuer.store.load_revocations().await.unwrap();
        assert!(feed.sequence > before);
        let revoked = claviger_store::Revoked::Subject(mark);
        assert!(feed.revocations.iter().any(|revocation| revocation.revoked == revoked), "{feed:?}");
        until("the statement of the feed is served", async || {
            let statement = issuer.get("/.well-known/revocations").await;
            (statement.status() == 200).then_some(())
        })
        .await;
    }
    let log = format!("{:?}", issuer.store.audit_after(0, 1000).await.unwrap());
    assert!(log.contains("user.add") && log.contains("user.change"));
    assert!(!log.contains("kestrel") && !log.contains("argon2"), "no secret is in the log");
    issuer.stop().await;
}

// S-87
#[tokio::test]
async fn what_is_no_person_is_refused_and_not_repeated() {
    let issuer = Issuer::start("").await;
    for (body, error) in [
        (json!({ "username": "" }), "invalid_request"),
        (json!({ "username": "ada", "password": "short" }), "password_refused"),
        (json!({ "username": "ada", "password": "adaadaadaadaadaada" }), "password_refused"),
        (json!({ "username": "ada", "password": "x".repeat(1025) }), "password_refused"),
        (json!({ "username": "ada", "password_hash": "md5$in$secret" }), "invalid_request"),
        (json!({ "username": "ada", "password": PASSWORD, "password_hash": "x" }), "invalid_request"),
        (json!({ "username": "ada", "claims": { "sub": "x" } }), "invalid_request"),
        (json!({ "username": "ada", "admin": true }), "invalid_request"),
    ] {
        let (status, refused) = answer(add(&issuer, &body).await).await;
        assert_eq!((status, refused["error"].as_str()), (400, Some(error)), "{refused}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    assert!(issuer.store.users(None, 9).await.unwrap().is_empty());
    for path in ["users/nobody", "users/a%20b", "users/x%00"] {
        let (status, refused) = issuer.admin(Method::GET, path, "users:read", &json!({})).await;
        assert_eq!((status, refused["error"].as_str()), (404, Some("unknown_user")), "{path}");
    }
    for query in ["?limit=x", "?after=", "?more=1"] {
        let (status, _) = issuer.admin(Method::GET, &format!("users{query}"), "users:read", &json!({})).await;
        assert_eq!(status, 400, "{query}");
    }
    issuer.stop().await;
}
