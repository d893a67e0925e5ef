use e2e::{Database, Fleet, LEDGER, ORDERS, Reply, TokenQuestion};
use serde_json::json;

const TOO_LARGE: &str = "larger than 64 KiB";

// S-37 S-65
#[tokio::test]
async fn a_token_is_issued_and_verified_offline_by_the_services_of_two_teams() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    for (service, audience, alg) in [(&fleet.orders, ORDERS, "ES256"), (&fleet.ledger, LEDGER, "RS256")] {
        let token = fleet.token("batch", audience).await?;
        let whoami = service.get(&fleet.http, "/whoami", &token).await?;
        assert_eq!(whoami.status, 200, "{audience}");
        let principal = whoami.json();
        assert_eq!(principal["iss"], fleet.home.url());
        assert_eq!(principal["sub"], "client:batch");
        assert_eq!(principal["client_id"], "batch");
        assert_eq!(header(&token)["alg"], alg);
        assert_eq!(header(&token)["typ"], "at+jwt");
    }
    // What is published comes from the configuration, whatever the request calls the host.
    let document = format!("{}/.well-known/openid-configuration", fleet.home.url());
    let spoofed =
        fleet.http.get(&document).header("host", "evil.test").header("x-forwarded-host", "evil.test");
    let metadata = Reply::of(spoofed).await?;
    assert_eq!(metadata.json()["issuer"], fleet.home.url());
    assert!(!metadata.body.contains("evil"));

    let jwks = metadata.json()["jwks_uri"].as_str().unwrap_or_default().to_owned();
    let set = Reply::of(fleet.http.get(&jwks)).await?;
    assert_eq!(
        set.json()["keys"].as_array().map(Vec::len),
        Some(4),
        "an active and a prepared key per algorithm"
    );
    assert_eq!(set.header("cache-control"), "public, max-age=300, stale-if-error=86400");
    let again = Reply::of(fleet.http.get(&jwks).header("if-none-match", set.header("etag"))).await?;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    Ok(())
}

#[tokio::test]
async fn an_order_is_accepted_and_reaches_the_ledger_with_the_service_s_own_token() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let token = fleet.token("web", ORDERS).await?;
    let order =
        fleet.orders.post(&fleet.http, "/orders", &token, &json!({"item": "lamp", "amount": 3})).await?;
    assert_eq!(order.status, 201, "{}", order.body);
    let auditor = auditor_token(&fleet).await?;
    let entries = fleet.ledger.get(&fleet.http, "/entries", &auditor).await?;
    assert_eq!(entries.status, 200, "{}", entries.body);
    assert_eq!(entries.json()[0]["amount"], 3);
    assert_eq!(entries.json()[0]["posted_by"], "orders", "the ledger saw the service, not its caller");
    Ok(())
}

// S-6 S-14 S-15
#[tokio::test]
async fn a_token_is_good_at_its_own_audience_and_for_its_own_scope_only() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let for_orders = fleet.token("batch", ORDERS).await?;
    let at_ledger = fleet.ledger.get(&fleet.http, "/whoami", &for_orders).await?;
    assert_eq!(at_ledger.status, 401);
    assert_eq!(at_ledger.header("www-authenticate"), "Bearer error=\"invalid_token\"");

    let write =
        fleet.orders.post(&fleet.http, "/orders", &for_orders, &json!({"item": "x", "amount": 1})).await?;
    assert_eq!(write.status, 403);
    assert!(
        write.header("www-authenticate").contains("insufficient_scope"),
        "{}",
        write.header("www-authenticate")
    );
    assert!(write.header("www-authenticate").contains("orders:write"));

    let nothing = Reply::of(fleet.http.get(format!("{}/whoami", fleet.orders.url()))).await?;
    assert_eq!(nothing.status, 401);
    assert!(!nothing.header("www-authenticate").contains("error"), "no token is no error");
    Ok(())
}

/// Name, Basic user and secret, media type, body; status and error code of the answer.
type Question = (&'static str, Option<(String, String)>, &'static str, String, u16, &'static str);

// S-57 S-60 S-68 S-69
#[tokio::test]
async fn the_token_endpoint_answers_every_mistake_with_the_standard_s_code() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let form = "application/x-www-form-urlencoded";
    let secret = fleet.secret("web").to_owned();
    let basic = |user: &str, secret: &str| Some((user.to_owned(), secret.to_owned()));
    let web = || basic("web", &secret);
    let grant = "grant_type=client_credentials";
    let table: Vec<Question> = vec![
        ("good", web(), form, grant.into(), 200, ""),
        ("narrowed", web(), form, format!("{grant}&scope=orders:read"), 200, ""),
        ("no grant type", web(), form, "scope=orders:read".into(), 400, "invalid_request"),
        (
            "password grant",
            web(),
            form,
            "grant_type=password&username=a&password=b".into(),
            400,
            "unsupported_grant_type",
        ),
        (
            "not a form",
            web(),
            "application/json",
            "{\"grant_type\":\"client_credentials\"}".into(),
            400,
            "invalid_request",
        ),
        ("repeated", web(), form, format!("{grant}&{grant}"), 400, "invalid_request"),
        ("wider scope", web(), form, format!("{grant}&scope=orders:read+admin"), 400, "invalid_scope"),
        ("malformed scope", web(), form, format!("{grant}&scope=%22"), 400, "invalid_scope"),
        ("another's audience", web(), form, format!("{grant}&resource={LEDGER}"), 400, "invalid_target"),
        ("unknown audience", web(), form, format!("{grant}&resource=https://x.test"), 400, "invalid_target"),
        ("wrong secret", basic("web", "x"), form, grant.into(), 401, "invalid_client"),
        ("unknown client", basic("nobody", "x"), form, grant.into(), 401, "invalid_client"),
        ("no client", None, form, grant.into(), 401, "invalid_client"),
        (
            "wrong method",
            None,
            form,
            format!("{grant}&client_id=web&client_secret={secret}"),
            401,
            "invalid_client",
        ),
        ("two methods", web(), form, format!("{grant}&client_secret={secret}"), 400, "invalid_request"),
        ("two names", web(), form, format!("{grant}&client_id=auditor"), 400, "invalid_request"),
        ("over-long", web(), form, format!("{grant}&x={}", "a".repeat(9000)), 400, "invalid_request"),
        (TOO_LARGE, web(), form, format!("{grant}&{}", "x=1&".repeat(20_000)), 400, "invalid_request"),
    ];
    for (name, user, media_type, body, status, error) in table {
        let request = fleet.http.post(format!("{}/oauth2/token", fleet.home.url()));
        let request = request.header("content-type", media_type).body(body);
        let request = match user {
            Some((user, secret)) => request.basic_auth(user, Some(secret)),
            None => request,
        };
        let reply = match Reply::of(request).await {
            // Who does not read on may have closed before its answer was seen: refused all the same.
            Err(_) if name == TOO_LARGE => continue,
            reply => reply?,
        };
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        assert_eq!(reply.header("cache-control"), "no-store", "{name}");
        assert_eq!(reply.json()["error"].as_str().unwrap_or_default(), error, "{name}");
        if status == 401 {
            assert!(reply.header("www-authenticate").starts_with("Basic"), "{name}");
        }
    }
    // The issuer has closed the connection of what was too large, perhaps unseen yet by the pool of the client.
    let http = e2e::client();
    let get = Reply::of(http.get(format!("{}/oauth2/token", fleet.home.url()))).await?;
    assert_eq!(get.status, 405, "a token is never asked for by GET");
    let several =
        TokenQuestion { client_id: "batch", secret: fleet.secret("batch"), ..TokenQuestion::default() };
    let unnamed = fleet.home.ask_token(&http, several).await?;
    assert_eq!(unnamed.json()["error"], "invalid_target", "a client of two audiences names one");
    Ok(())
}

// S-56
#[tokio::test]
async fn two_secrets_live_at_once_for_a_change_over_and_a_running_issuer_notices() -> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::Sqlite, crate::BY_HAND).await?;
    let old = fleet.secret("web").to_owned();
    let ran = fleet.home.run(&["clients", "new-secret", "web", "--overlap", "1h"]).await?;
    let new = ran.out.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    let status = async |secret: &str| {
        let question = TokenQuestion { client_id: "web", secret, ..TokenQuestion::default() };
        fleet.home.ask_token(&fleet.http, question).await.map(|reply| reply.status).ok()
    };
    let patience = std::time::Duration::from_secs(10);
    e2e::until("the new secret works", patience, || async {
        (status(&new).await == Some(200)).then_some(())
    })
    .await?;
    assert_eq!(status(&old).await, Some(200), "the old one works until its end");

    let ran = fleet.home.run(&["clients", "new-secret", "web", "--overlap", "0s"]).await?;
    assert!(ran.succeeded, "{}", ran.err);
    e2e::until("the old secret ends", patience, || async { (status(&old).await == Some(401)).then_some(()) })
        .await?;
    assert_eq!(status(&new).await, Some(401));
    let dump = tokio::fs::read(fleet.home.path().join("claviger.db")).await?;
    let found = |secret: &str| dump.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(!found(&old) && !found(&new), "no secret is in the database");
    Ok(())
}

async fn auditor_token(fleet: &Fleet) -> anyhow::Result<String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "auditor"),
        ("client_secret", fleet.secret("auditor")),
    ];
    let reply = Reply::of(fleet.http.post(format!("{}/oauth2/token", fleet.home.url())).form(&form)).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    Ok(reply.json()["access_token"].as_str().unwrap_or_default().to_owned())
}

fn header(token: &str) -> serde_json::Value {
    let encoded = token.split('.').next().unwrap_or_default();
    let bytes = claviger_jose::base64url::decode(encoded).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
