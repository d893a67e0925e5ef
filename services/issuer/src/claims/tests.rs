use claviger_jose::{Algorithm, NumericDate};
use claviger_oauth::{
    Application, AuthenticationMethod, ClaimRule, ClaimsRequest, ClientKeys, GrantType, UserId,
};
use claviger_store::{Client, Profile, ResourceServer, User};
use serde_json::{Map, Value, json};

use super::*;

fn user() -> User {
    let Value::Object(claims) = json!({
        "name": "Ann Lee", "email": "ann@fleet.test", "email_verified": true, "locale": null,
        "department": "sales", "cost_center": 42,
    }) else {
        panic!("no object");
    };
    User {
        id: UserId::from_random([7; 16]),
        username: "ann".parse().unwrap(),
        password_hash: None,
        password_changed_at: None,
        disabled: false,
        not_before: NumericDate::from_secs(0),
        profile: Profile {
            claims,
            roles: vec!["buyer".to_owned(), "approver".to_owned()],
            groups: vec!["emea".to_owned()],
        },
        created_at: NumericDate::from_secs(0),
        last_login_at: None,
    }
}

fn rules(rules: Value) -> Vec<ClaimRule> {
    serde_json::from_value(rules).unwrap()
}

fn client(claims: Value) -> Client {
    let application = Application {
        name: Some("The Shop".to_owned()),
        claims: rules(claims),
        first_party: true,
        ..Application::default()
    };
    Client {
        client_id: "shop".parse().unwrap(),
        team: "storefront".parse().unwrap(),
        method: AuthenticationMethod::ClientSecretBasic,
        disabled: false,
        grant_types: vec![GrantType::AuthorizationCode],
        keys: ClientKeys::None,
        application: Some(application),
        grants: Vec::new(),
        secrets: Vec::new(),
    }
}

fn server(claims: Value) -> ResourceServer {
    ResourceServer {
        audience: "urn:orders".parse().unwrap(),
        team: "orders".parse().unwrap(),
        alg: Algorithm::Es256,
        token_lifetime: std::time::Duration::from_mins(5),
        scopes: ScopeSet::default(),
        claims: rules(claims),
    }
}

fn scope(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

fn check(claims: Map<String, Value>, expected: &Value) {
    assert_eq!(&Value::Object(claims), expected);
}

#[test]
fn userinfo_tells_what_the_granted_scopes_stand_for_and_no_more() {
    let client = client(json!([]));
    let sub = Subject::of_user(&user().id).to_string();
    let told = |granted: &str| userinfo(&user(), &client, &scope(granted));
    check(told("openid"), &json!({ "sub": sub }));
    check(told("openid orders:read"), &json!({ "sub": sub }));
    check(told("openid email"), &json!({ "sub": sub, "email": "ann@fleet.test", "email_verified": true }));
    check(told("openid profile"), &json!({ "sub": sub, "name": "Ann Lee", "preferred_username": "ann" }));
    check(
        told("openid roles groups"),
        &json!({ "sub": sub, "roles": ["buyer", "approver"], "groups": ["emea"] }),
    );
}

#[test]
fn an_id_token_has_standard_claims_only_if_they_are_asked_for_and_granted() {
    let client = client(json!([]));
    let asked: ClaimsRequest =
        serde_json::from_value(json!({ "id_token": { "email": null, "name": null } })).unwrap();
    check(id_token_claims(&user(), &client, &scope("openid email profile"), None), &json!({}));
    let told = |granted: &str| id_token_claims(&user(), &client, &scope(granted), Some(&asked));
    check(told("openid email"), &json!({ "email": "ann@fleet.test" }));
    check(told("openid email profile"), &json!({ "email": "ann@fleet.test", "name": "Ann Lee" }));
    check(told("openid"), &json!({}));
}

#[test]
fn an_application_learns_what_it_has_declared_where_it_has_declared_it() {
    let client = client(json!([
        { "claim": "department", "from": { "user": "department" }, "in": ["id_token", "userinfo"] },
        { "claim": "cc", "from": { "user": "cost_center" }, "in": ["userinfo"], "scope": "profile" },
        { "claim": "app", "from": { "client": "name" }, "in": ["id_token"] },
        { "claim": "what", "from": "roles", "in": ["id_token"] },
        { "claim": "gone", "from": { "user": "no_such" }, "in": ["id_token", "userinfo"] },
        { "claim": "region", "from": { "constant": { "code": "eu" } }, "in": ["id_token"] },
    ]));
    check(
        id_token_claims(&user(), &client, &scope("openid"), None),
        &json!({
            "department": "sales", "app": "The Shop", "what": ["buyer", "approver"], "region": { "code": "eu" },
        }),
    );
    let sub = Subject::of_user(&user().id).to_string();
    check(userinfo(&user(), &client, &scope("openid")), &json!({ "sub": sub, "department": "sales" }));
    let with_profile = userinfo(&user(), &client, &scope("openid profile"));
    assert_eq!(with_profile["cc"], 42);
}

// S-70
#[test]
fn who_is_not_of_the_house_learns_only_what_people_are_asked_for() {
    let declared = json!([
        { "claim": "department", "from": { "user": "department" }, "in": ["id_token", "userinfo"] },
        { "claim": "mail", "from": { "user": "email" }, "in": ["id_token", "userinfo"], "scope": "openid" },
        { "claim": "what", "from": "roles", "in": ["id_token", "userinfo"] },
        { "claim": "app", "from": { "client": "name" }, "in": ["id_token", "userinfo"] },
    ]);
    let mut client = client(declared);
    if let Some(application) = &mut client.application {
        application.first_party = false;
    }
    let told = |granted: &str| {
        let mut answer = userinfo(&user(), &client, &scope(granted));
        let token = id_token_claims(&user(), &client, &scope(granted), None);
        answer.retain(|claim, _| token.contains_key(claim));
        assert_eq!(answer, token, "{granted}");
        token
    };
    check(told("openid"), &json!({ "app": "The Shop" }));
    check(told("openid profile"), &json!({ "app": "The Shop", "department": "sales" }));
    check(told("openid email"), &json!({ "app": "The Shop", "mail": "ann@fleet.test" }));
    check(told("openid roles"), &json!({ "app": "The Shop", "what": ["buyer", "approver"] }));
}

#[test]
fn an_access_token_says_what_its_resource_server_has_declared_and_not_what_a_client_has() {
    let client = client(json!([
        { "claim": "admin", "from": { "constant": true }, "in": ["access_token"] },
    ]));
    let server = server(json!([
        { "claim": "department", "from": { "user": "department" }, "in": ["access_token"] },
        { "claim": "team", "from": { "client": "team" }, "in": ["access_token"], "scope": "orders:write" },
        { "claim": "elsewhere", "from": "groups", "in": ["id_token", "userinfo"] },
    ]));
    let told = |granted: &str| access_token_claims(&user(), &client, Some(&server), &scope(granted));
    check(told("orders:read"), &json!({ "department": "sales" }));
    check(told("orders:write"), &json!({ "department": "sales", "team": "storefront" }));
    check(
        told("openid roles groups"),
        &json!({ "department": "sales", "roles": ["buyer", "approver"], "groups": ["emea"] }),
    );
    check(access_token_claims(&user(), &client, None, &scope("openid profile email")), &json!({}));
}

#[test]
fn whoever_is_in_too_many_groups_has_a_token_all_the_same() {
    let mut user = user();
    user.profile.groups = (0..400).map(|n| format!("group-{n}")).collect();
    let told = access_token_claims(&user, &client(json!([])), None, &scope("roles groups"));
    check(told, &json!({ "roles": ["buyer", "approver"] }));
    let answer = userinfo(&user, &client(json!([])), &scope("openid groups"));
    assert_eq!(answer["groups"].as_array().map(Vec::len), Some(400), "whoever asks learns them all");
}
