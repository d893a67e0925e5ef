//! What those are told who show the issuer a token: userinfo, introspection, revocation.

use std::time::Duration;

use claviger_testkit::TestKey;
use e2e::{CodeFlow, Database, Fleet, LEDGER, ORDERS, Person, Reply, until};
use serde_json::{Value, json};

const CALLBACK: &str = "https://shop.fleet.test/callback";
const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(fleet: &Fleet, path: &str, client: &str, form: &[(&str, &str)]) -> anyhow::Result<Reply> {
    let request = fleet.http.post(format!("{}/oauth2/{path}", fleet.home.url()));
    Reply::of(request.basic_auth(client, Some(fleet.secret(client))).form(form)).await
}

async fn introspect(fleet: &Fleet, client: &str, token: &str) -> anyhow::Result<Value> {
    let reply = ask(fleet, "introspect", client, &[("token", token)]).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), "no-store");
    Ok(reply.json())
}

async fn userinfo(fleet: &Fleet, token: &str) -> anyhow::Result<Reply> {
    let request = fleet.http.get(format!("{}/oauth2/userinfo", fleet.home.url()));
    Reply::of(if token.is_empty() { request } else { request.bearer_auth(token) }).await
}

// S-82
#[tokio::test]
async fn a_caller_learns_about_its_own_tokens_and_those_for_its_team_and_of_no_other() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let token = fleet.token("batch", ORDERS).await?;
    let inactive = json!({ "active": false });
    for (caller, sees) in [("batch", true), ("web", true), ("orders", true), ("auditor", false)] {
        let form =
            [("token", token.as_str()), ("client_id", caller), ("client_secret", fleet.secret(caller))];
        let said = match caller {
            // It authenticates in the body.
            "auditor" => {
                let url = format!("{}/oauth2/introspect", fleet.home.url());
                Reply::of(fleet.http.post(url).form(&form)).await?.json()
            }
            _ => introspect(&fleet, caller, &token).await?,
        };
        if sees {
            assert_eq!(said["active"], true, "{caller}: {said}");
            assert_eq!((&said["client_id"], &said["sub"]), (&json!("batch"), &json!("client:batch")));
            assert_eq!((&said["aud"], &said["iss"]), (&json!(ORDERS), &json!(fleet.home.url())));
            assert_eq!((&said["scope"], &said["token_type"]), (&json!("orders:read"), &json!("Bearer")));
        } else {
            assert_eq!(said, inactive, "{caller}");
        }
    }
    // For the other team it is the other way round.
    let for_ledger = fleet.token("batch", LEDGER).await?;
    assert_eq!(introspect(&fleet, "web", &for_ledger).await?, inactive);

    let stranger = TestKey::es256().access_token(&json!({ "sub": "client:web", "client_id": "web" }));
    let (head, signature) = token.rsplit_once('.').unwrap_or_default();
    let turned: String = signature.chars().rev().collect();
    for text in [stranger.as_str(), "x", "rt_x", &format!("{head}.{turned}"), &format!("{token}x")] {
        assert_eq!(introspect(&fleet, "web", text).await?, inactive, "{text}");
    }
    Ok(())
}

// S-82
#[tokio::test]
async fn nobody_asks_about_tokens_without_proving_who_asks() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let token = fleet.token("web", ORDERS).await?;
    let url = format!("{}/oauth2/introspect", fleet.home.url());
    let status = async |form: &[(&str, &str)]| {
        let reply = Reply::of(fleet.http.post(&url).form(form)).await?;
        anyhow::Ok((reply.status, reply.json()["error"].as_str().unwrap_or_default().to_owned()))
    };
    let refused = |code: &str, status| (status, code.to_owned());
    assert_eq!(status(&[("token", &token)]).await?, refused("invalid_client", 401));
    // A page cannot prove anything.
    assert_eq!(
        status(&[("token", &token), ("client_id", "shop-spa")]).await?,
        refused("invalid_client", 401)
    );
    let wrong =
        Reply::of(fleet.http.post(&url).basic_auth("web", Some("x")).form(&[("token", &token)])).await?;
    assert_eq!(wrong.status, 401);
    assert_eq!(ask(&fleet, "introspect", "web", &[]).await?.status, 400);
    assert_eq!(ask(&fleet, "introspect", "web", &[("token", "a"), ("token", "b")]).await?.status, 400);
    assert_eq!(Reply::of(fleet.http.get(&url)).await?.status, 405);
    Ok(())
}

// S-81
#[tokio::test]
async fn a_client_ends_its_own_token_and_nobody_else_s() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let (token, other) = (fleet.token("web", ORDERS).await?, fleet.token("web", ORDERS).await?);
    let revoke = async |client: &str, token: &str| ask(&fleet, "revoke", client, &[("token", token)]).await;

    // What is another's, or nothing at all, is answered alike, and nothing happens.
    for (client, text) in [("batch", token.as_str()), ("web", "nothing"), ("web", "rt_nothing")] {
        let reply = revoke(client, text).await?;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{client}");
    }
    assert_eq!(introspect(&fleet, "web", &token).await?["active"], true);
    assert_eq!(fleet.orders.get(&fleet.http, "/whoami", &token).await?.status, 200);

    for _ in 0..2 {
        let reply = ask(&fleet, "revoke", "web", &[("token", &token), ("token_type_hint", "refresh_token")]);
        let reply = reply.await?;
        assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"));
    }
    let ended = || async {
        let said = introspect(&fleet, "web", &token).await.ok()?;
        (said == json!({ "active": false })).then_some(())
    };
    until("the revoked token is not active", PATIENCE, ended).await?;
    assert_eq!(introspect(&fleet, "web", &other).await?["active"], true, "only that one");
    let refused = || async {
        let reply = fleet.orders.get(&fleet.http, "/whoami", &token).await.ok()?;
        (reply.status == 401).then_some(())
    };
    until("offline verifiers refuse it", PATIENCE, refused).await?;
    assert_eq!(fleet.orders.get(&fleet.http, "/whoami", &other).await?.status, 200);

    assert_eq!(ask(&fleet, "revoke", "web", &[]).await?.status, 400);
    let url = format!("{}/oauth2/revoke", fleet.home.url());
    let unproven = Reply::of(fleet.http.post(&url).form(&[("token", &other)])).await?;
    assert_eq!(unproven.status, 401);
    Ok(())
}

// S-69
#[tokio::test]
async fn userinfo_is_for_good_tokens_of_people_and_for_pages_of_registered_origins() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let nothing = userinfo(&fleet, "").await?;
    assert_eq!((nothing.status, nothing.header("www-authenticate")), (401, "Bearer"));
    let garbage = userinfo(&fleet, "garbage").await?;
    assert_eq!((garbage.status, garbage.header("www-authenticate")), (401, "Bearer error=\"invalid_token\""));
    let service = userinfo(&fleet, &fleet.token("web", ORDERS).await?).await?;
    assert_eq!(service.status, 403);
    assert!(service.header("www-authenticate").contains("insufficient_scope"));

    for (path, shared) in [("userinfo", true), ("revoke", true), ("introspect", false), ("authorize", false)]
    {
        let url = format!("{}/oauth2/{path}", fleet.home.url());
        for (origin, registered) in [("https://page.fleet.test", true), ("https://evil.test", false)] {
            let reply = Reply::of(fleet.http.post(&url).header("origin", origin)).await?;
            let allowed = reply.header("access-control-allow-origin") == origin;
            assert_eq!(allowed, shared && registered, "{path} from {origin}");
        }
    }
    Ok(())
}

fn payload(token: &Value) -> anyhow::Result<Value> {
    let part = token.as_str().and_then(|token| token.split('.').nth(1)).unwrap_or_default().to_owned();
    Ok(serde_json::from_slice(&claviger_jose::base64url::decode(&part)?)?)
}

// S-81 S-82
#[tokio::test]
async fn what_somebody_allowed_is_told_until_it_is_revoked() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let password = fleet.home.add_person("ann", &[]).await?;
    let scope = "openid profile offline_access orders:read";
    let claims = r#"{"id_token":{"preferred_username":null,"email":null}}"#;
    let mut ann = Person::new();
    let flow = CodeFlow::new(fleet.home.url(), "shop-web", CALLBACK, scope).with("claims", claims);
    let page = ann.get(&flow.url()).await?;
    let code = flow.code(&ann.sign_in(&page, "ann", &password).await?)?;
    let tokens = flow.redeem(&fleet.http, fleet.secret("shop-web"), &code).await?;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let tokens = tokens.json();
    let text = |name: &str| tokens[name].as_str().unwrap_or_default().to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));

    let told = userinfo(&fleet, &access).await?;
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(told.json()["preferred_username"], "ann");
    let (id, claims) = (payload(&tokens["id_token"])?, payload(&tokens["access_token"])?);
    assert_eq!((&id["sub"], &id["aud"]), (&told.json()["sub"], &json!("shop-web")));
    assert_eq!(id["preferred_username"], "ann", "asked for by name");
    assert_eq!(id["sid"], claims["sid"]);
    assert_eq!(claims["preferred_username"], Value::Null, "a service learns the subject alone");

    for token in [&access, &refresh] {
        let said = introspect(&fleet, "shop-web", token).await?;
        assert_eq!((&said["active"], &said["sub"]), (&json!(true), &id["sub"]), "{said}");
        assert_eq!(introspect(&fleet, "batch", token).await?, json!({ "active": false }));
    }
    assert_eq!(ask(&fleet, "revoke", "batch", &[("token", &refresh)]).await?.status, 200);
    assert_eq!(introspect(&fleet, "shop-web", &refresh).await?["active"], true, "batch cannot end it");

    assert_eq!(ask(&fleet, "revoke", "shop-web", &[("token", &refresh)]).await?.status, 200);
    assert_eq!(introspect(&fleet, "shop-web", &refresh).await?, json!({ "active": false }));
    let again = flow.refresh(&fleet.http, fleet.secret("shop-web"), &refresh).await?;
    assert_eq!((again.status, &again.json()["error"]), (400, &json!("invalid_grant")));
    let ended = || async {
        let told = userinfo(&fleet, &access).await.ok()?;
        (told.status == 401).then_some(())
    };
    until("the access tokens of the session have ended too", PATIENCE, ended).await?;
    Ok(())
}
