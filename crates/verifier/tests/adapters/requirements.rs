use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    routing::{MethodRouter, get},
};
use claviger_testkit::{TestClock, TestIssuer, TestKey};
use claviger_verifier::{
    Authorized, Clock, Principal, Refusal, Rejection, Requirement, TrustedIssuer, Verifier,
    required_authentication, required_claim, required_role,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Answer, Bench, ORDERS, OrdersRead, OrdersWrite, bearer, own_answer};

required_role!(Admin = "admin");
required_claim!(InEurope = "region": "eu");
required_authentication!(Recent = within 300 seconds);
required_authentication!(TwoFactors = acr "mfa", "hwk");

const FORBIDDEN: &str = r#"Bearer error="insufficient_scope""#;

/// Asks one guarded route with a token of these claims.
async fn ask(route: MethodRouter<Verifier>, claims: Value) -> Answer {
    let bench = Bench::new().await;
    let app = Router::new().route("/", route).with_state(bench.verifier.clone());
    let token = claims.as_object().unwrap().iter();
    let token = token.fold(bench.token(), |token, (name, value)| token.claim(name, value.clone()));
    crate::get(&app, "/", &[("authorization", &bearer(&token))]).await
}

async fn check(route: MethodRouter<Verifier>, claims: Value, expected: (u16, &str)) {
    let shown = claims.to_string();
    let answer = ask(route, claims).await;
    assert_eq!((answer.status, answer.challenge()), expected, "{shown}");
}

// S-14
#[tokio::test]
async fn a_scope_is_required_and_two_at_once() {
    let route = || get(async |_: Authorized<(OrdersRead, OrdersWrite)>| "in");
    check(route(), json!({ "scope": "orders:write orders:read" }), (200, "")).await;
    let missing = r#"Bearer error="insufficient_scope", scope="orders:write""#;
    check(route(), json!({ "scope": "orders:read" }), (403, missing)).await;
}

// S-14
#[tokio::test]
async fn a_role_is_required() {
    let route = || get(async |_: Authorized<Admin>| "in");
    check(route(), json!({ "roles": ["guest", "admin"] }), (200, "")).await;
    for claims in [
        json!({}),
        json!({ "roles": [] }),
        json!({ "roles": "admin" }),
        json!({ "roles": ["administrator", "Admin"] }),
        json!({ "roles": [["admin"], { "admin": true }] }),
        json!({ "role": ["admin"], "groups": ["admin"], "scope": "admin" }),
        json!({ "realm_access": { "roles": ["admin"] } }),
    ] {
        check(route(), claims, (403, FORBIDDEN)).await;
    }
}

#[tokio::test]
async fn a_claim_is_required() {
    let route = || get(async |_: Authorized<InEurope>| "in");
    check(route(), json!({ "region": "eu" }), (200, "")).await;
    check(route(), json!({ "region": ["us", "eu"] }), (200, "")).await;
    for region in
        [json!("us"), json!("eu us"), json!(["EU"]), json!({ "eu": true }), json!(null), json!(true)]
    {
        check(route(), json!({ "region": region }), (403, FORBIDDEN)).await;
    }
}

#[tokio::test]
async fn a_recent_authentication_is_required_as_rfc_9470_says() {
    let route = || get(async |_: Authorized<Recent>| "in");
    let now =
        TestIssuer::without_socket("https://id.fleet.test").token(ORDERS).claims()["iat"].as_u64().unwrap();
    let step_up = r#"Bearer error="insufficient_user_authentication", max_age="300""#;
    check(route(), json!({ "auth_time": now - 60 }), (200, "")).await;
    check(route(), json!({ "auth_time": now - 600 }), (401, step_up)).await;
    check(route(), json!({}), (401, step_up)).await;
    let answer = ask(route(), json!({})).await;
    assert_eq!(answer.body, r#"{"error":"insufficient_user_authentication"}"#);
}

#[tokio::test]
async fn a_kind_of_authentication_is_required_as_rfc_9470_says() {
    let route = || get(async |_: Authorized<TwoFactors>| "in");
    let step_up = r#"Bearer error="insufficient_user_authentication", acr_values="mfa hwk""#;
    check(route(), json!({ "acr": "hwk" }), (200, "")).await;
    check(route(), json!({ "acr": "pwd" }), (401, step_up)).await;
    check(route(), json!({ "acr": "mfa hwk" }), (401, step_up)).await;
    check(route(), json!({}), (401, step_up)).await;
}

#[derive(Deserialize)]
struct Tenant {
    tenant: String,
    #[serde(default)]
    beta: bool,
}

#[tokio::test]
async fn claims_of_the_service_s_own_have_types() {
    let route = || {
        get(async |caller: Authorized<OrdersRead, Tenant>| {
            let Tenant { tenant, beta } = caller.claims();
            Json(json!({ "sub": caller.sub(), "tenant": tenant, "beta": beta }))
        })
    };
    let answer = ask(route(), json!({ "tenant": "acme" })).await;
    let expected = json!({ "sub": "client:test-client", "tenant": "acme", "beta": false });
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), expected);
    for claims in [json!({}), json!({ "tenant": 7 }), json!({ "tenant": "acme", "beta": "no" })] {
        check(route(), claims, (401, r#"Bearer error="invalid_token""#)).await;
    }
    let open = get(async |caller: Option<Principal<Tenant>>| {
        caller.map_or_else(String::new, |it| it.sub().to_owned())
    });
    check(open, json!({}), (401, r#"Bearer error="invalid_token""#)).await;
}

#[tokio::test]
async fn a_handler_passes_a_refusal_on() {
    async fn plain(caller: Principal) -> Result<&'static str, Refusal> {
        caller.require(&Requirement::Role("admin"))?;
        Ok("in")
    }
    async fn own(State(verifier): State<Verifier>, caller: Principal) -> Result<&'static str, Rejection> {
        caller.require(&Requirement::Role("admin")).map_err(|refusal| verifier.refuse(refusal))?;
        Ok("in")
    }
    let bench = Bench::with(|builder| builder.answer_with(own_answer)).await;
    let app =
        Router::new().route("/plain", get(plain)).route("/own", get(own)).with_state(bench.verifier.clone());
    let token = bench.bearer();
    let answer = crate::get(&app, "/plain", &[("authorization", &token)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (403, r#"{"error":"insufficient_scope"}"#));
    let answer = crate::get(&app, "/own", &[("authorization", &token)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "no: insufficient_role"));
}

#[tokio::test]
async fn an_extractor_answers_in_the_service_s_own_way() {
    let bench = Bench::with(|builder| builder.answer_with(own_answer)).await;
    let app = Router::new().route("/", get(async |_: Principal| "in")).with_state(bench.verifier.clone());
    let answer = crate::get(&app, "/", &[("authorization", "Bearer a.b")]).await;
    assert_eq!((answer.status, answer.header("x-refused")), (401, "malformed_jws"));
    assert_eq!(answer.body, "no: malformed_jws");
}

#[tokio::test]
async fn roles_of_keycloak_count_for_the_realm_and_for_this_client_alone() {
    let issuer = TestIssuer::start().await;
    let keycloak = TrustedIssuer::keycloak(issuer.url()).audience("orders");
    let verifier = Verifier::builder(keycloak, ORDERS).build().unwrap();
    assert!(verifier.ready_within(Duration::from_secs(10)).await);
    let roles_of = async |claims: Value| {
        let token = issuer.token("orders").claim("typ", "Bearer");
        let token = claims
            .as_object()
            .unwrap()
            .iter()
            .fold(token, |token, (name, value)| token.claim(name, value.clone()));
        let principal = verifier.verify(&token.sign_with(TestKey::es256())).await.unwrap();
        ["admin", "clerk"].map(|role| principal.has_role(role))
    };
    let of_clients = |client: &str| json!({ "resource_access": { client: { "roles": ["clerk"] } } });
    assert_eq!(roles_of(json!({ "realm_access": { "roles": ["admin"] } })).await, [true, false]);
    assert_eq!(roles_of(of_clients("orders")).await, [false, true]);
    for other in ["account", "ledger", ORDERS, "Orders", "roles", ""] {
        assert_eq!(roles_of(of_clients(other)).await, [false, false], "{other}");
    }
    assert_eq!(roles_of(json!({ "resource_access": ["orders"], "roles": ["admin"] })).await, [false, false]);
}

// S-5
#[tokio::test]
async fn issuers_side_by_side_vouch_for_their_own_tokens_only() {
    let (ours, theirs, stranger) =
        (TestIssuer::start().await, TestIssuer::start().await, TestIssuer::start().await);
    ours.set_keys(&[TestKey::es256()]);
    theirs.set_keys(&[TestKey::es256_other()]);
    let verifier = Verifier::builder(ours.url(), ORDERS).also_trust(theirs.url()).build().unwrap();
    for keys in verifier.key_sets() {
        assert!(keys.ready_within(Duration::from_secs(10)).await);
    }
    let app =
        Router::new().route("/", get(async |caller: Principal| caller.iss().to_owned())).with_state(verifier);
    let check = async |issuer: &TestIssuer, key: &TestKey, status: u16| {
        let token = format!("Bearer {}", issuer.token(ORDERS).sign_with(key));
        let answer = crate::get(&app, "/", &[("authorization", &token)]).await;
        assert_eq!(answer.status, status);
        if status == 200 {
            assert_eq!(answer.body, issuer.url());
        }
    };
    check(&ours, TestKey::es256(), 200).await;
    check(&theirs, TestKey::es256_other(), 200).await;
    check(&ours, TestKey::es256_other(), 401).await;
    check(&theirs, TestKey::es256(), 401).await;
    // Nobody asks a stranger for its keys.
    check(&stranger, TestKey::es256(), 401).await;
    assert_eq!(stranger.requests().len(), 0);
}

#[tokio::test]
async fn who_will_have_authenticated_has_not() {
    let clock = TestClock::at_system_time();
    let bench = Bench::with(|builder| builder.clock(Arc::new(clock.clone()))).await;
    let now = clock.now().as_secs();
    let within = Requirement::AuthenticatedWithin(Duration::from_mins(5));
    for (auth_time, expected) in [
        (now - 301, false),
        (now - 300, true),
        (now, true),
        (now + 60, true),
        (now + 61, false),
        (now + 86_400, false),
        (253_402_300_799, false),
    ] {
        let token = bench.token().issued_at(clock.now()).claim("auth_time", auth_time);
        let caller = bench.verifier.verify(&token.sign_with(TestKey::es256())).await.unwrap();
        assert_eq!(caller.require(&within).is_ok(), expected, "{auth_time} at {now}");
    }
}
