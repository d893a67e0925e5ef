use std::sync::{Arc, Mutex};

use axum::{Router, extract::FromRef, routing::get};
use claviger_verifier::{Authorized, CurrentUser, Users};

use crate::{Bench, ORDERS, OrdersRead, bearer, own_answer};

/// A user of the service.
#[derive(Debug, Clone)]
struct User {
    name: String,
}

/// Knows Alice; its storage fails for Mallory.
fn users(bench: &Bench) -> Users<User> {
    let issuer = bench.issuer.url().to_owned();
    bench.verifier.users(move |principal| {
        let ours = principal.iss() == issuer;
        async move {
            match principal.sub() {
                "user:alice" if ours => Ok(Some(User { name: "Alice".to_owned() })),
                "user:mallory" => Err("the password of the storage is canary"),
                _ => Ok(None),
            }
        }
    })
}

fn app(bench: &Bench) -> Router {
    Router::new()
        .route(
            "/me",
            get(async |user: CurrentUser<User>| format!("{} is {}", user.principal().sub(), user.name)),
        )
        .route(
            "/orders",
            get(async |_: Authorized<OrdersRead>, user: CurrentUser<User>| user.into_user().name),
        )
        .with_state(users(bench))
}

#[tokio::test]
async fn a_handler_is_given_the_service_s_own_user() {
    let bench = Bench::new().await;
    let app = app(&bench);
    let alice = bearer(&bench.token().sub("user:alice"));
    let answer = crate::get(&app, "/me", &[("authorization", &alice)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "user:alice is Alice"));
    assert_eq!(crate::get(&app, "/orders", &[("authorization", &alice)]).await.body, "Alice");
    assert_eq!(crate::get(&app, "/me", &[]).await.challenge(), r#"Bearer realm="service""#);
}

#[tokio::test]
async fn a_subject_that_the_service_does_not_know_is_refused_like_any_bad_token() {
    let bench = Bench::new().await;
    let bob = bearer(&bench.token().sub("user:bob"));
    let unknown = crate::get(&app(&bench), "/me", &[("authorization", &bob)]).await;
    assert_eq!(unknown, crate::get(&app(&bench), "/me", &[("authorization", "Bearer a")]).await);
    assert_eq!(unknown.challenge(), r#"Bearer error="invalid_token""#);
}

#[tokio::test]
async fn a_look_up_that_fails_is_503_and_tells_nothing() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let reasons = Arc::clone(&seen);
    let bench = Bench::with(move |builder| {
        builder.answer_with(move |refusal, answer| {
            reasons.lock().unwrap().push(refusal.reason());
            answer
        })
    })
    .await;
    let mallory = bearer(&bench.token().sub("user:mallory"));
    let answer = crate::get(&app(&bench), "/me", &[("authorization", &mallory)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"error":"temporarily_unavailable"}"#));
    assert_eq!((answer.challenge(), answer.header("retry-after")), ("", "5"));
    let bob = bearer(&bench.token().sub("user:bob"));
    crate::get(&app(&bench), "/me", &[("authorization", &bob)]).await;
    assert_eq!(*seen.lock().unwrap(), ["users_unavailable", "unknown_subject"]);
}

#[tokio::test]
async fn it_may_be_a_part_of_the_state() {
    #[derive(Clone)]
    struct Shop {
        users: Users<User>,
    }
    impl FromRef<Shop> for Users<User> {
        fn from_ref(shop: &Shop) -> Self {
            shop.users.clone()
        }
    }
    let bench = Bench::with(|builder| builder.answer_with(own_answer)).await;
    let app = Router::new()
        .route("/me", get(async |user: CurrentUser<User>| user.name.clone()))
        .with_state(Shop { users: users(&bench) });
    let alice = bearer(&bench.token().sub("user:alice"));
    assert_eq!(crate::get(&app, "/me", &[("authorization", &alice)]).await.body, "Alice");
    assert_eq!(crate::get(&app, "/me", &[]).await.body, "no: no_token");
    assert!(format!("{:?}", users(&bench)).contains(ORDERS));
}
