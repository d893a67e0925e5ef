//! What a browser and a client go through at the authorization endpoint, and what an attacker tries there.

use std::time::Duration;

use anyhow::Context;
use e2e::{CodeFlow, Database, FLEET, Fleet, ORDERS, Person, Reply, until};

/// A client that pushes its requests, beside those of [`FLEET`].
const PUSHY: &str = r#"
[[client]]
id = "pushy"
name = "Pushy"
team = "shop"
kind = "web"
require_pushed = true
redirect_uris = ["https://pushy.test/callback"]
"#;

/// Where `partner` is answered, whom people must allow what it wants.
const PARTNER: &str = "https://partner.test/callback";
/// Where `shop-web` is answered, which is of the house.
const SHOP: &str = "https://shop.fleet.test/callback";
const SCOPE: &str = "openid profile offline_access orders:read";

/// A fleet with people.
struct Town {
    fleet: Fleet,
    ada: String,
    bob: String,
}

impl Town {
    async fn found() -> anyhow::Result<Self> {
        let fleet = Fleet::start(&Database::of_run(), &[]).await?;
        let ada = fleet.home.add_person("ada", &[]).await?;
        let bob = fleet.home.add_person("bob", &[]).await?;
        Ok(Self { fleet, ada, bob })
    }

    fn issuer(&self) -> &str {
        self.fleet.home.url()
    }

    fn flow(&self, client: &str, redirect_uri: &str, scope: &str) -> CodeFlow {
        CodeFlow::new(self.issuer(), client, redirect_uri, scope)
    }

    fn partner(&self) -> CodeFlow {
        self.flow("partner", PARTNER, SCOPE)
    }

    fn shop(&self) -> CodeFlow {
        self.flow("shop-web", SHOP, "openid orders:read")
    }

    /// Somebody who has signed in for a client of the house.
    async fn signed_in(&self, name: &str, password: &str) -> anyhow::Result<Person> {
        let mut person = Person::new();
        let flow = self.shop();
        let page = person.get(&flow.url()).await?;
        let back = person.sign_in(&page, name, password).await?;
        flow.code(&back)?;
        Ok(person)
    }

    /// Registers a client that must push its requests; answers its secret.
    async fn admit_pushy(&self) -> anyhow::Result<String> {
        let secrets = self.fleet.home.apply(&format!("{FLEET}{PUSHY}")).await?;
        let flow = self.flow("pushy", "https://pushy.test/callback", "openid");
        let known = || async {
            let reply = Reply::of(self.fleet.http.get(flow.url())).await.ok()?;
            (reply.status == 303).then_some(())
        };
        until("the client is known", Duration::from_secs(10), known).await?;
        secrets
            .into_iter()
            .find(|(name, _)| name == "pushy")
            .map(|(_, secret)| secret)
            .context("it has a secret")
    }

    async fn push(&self, flow: &CodeFlow, secret: &str) -> anyhow::Result<Reply> {
        let request = self.fleet.http.post(format!("{}/oauth2/par", self.issuer()));
        Reply::of(request.basic_auth(&flow.client_id, Some(secret)).form(&flow.parameters)).await
    }

    /// Where a browser goes with a pushed request.
    fn pushed(&self, client: &str, pushed: &Reply) -> String {
        let uri = pushed.json()["request_uri"].as_str().unwrap_or_default().replace(':', "%3A");
        format!("{}/oauth2/authorize?client_id={client}&request_uri={uri}", self.issuer())
    }
}

#[tokio::test]
async fn somebody_signs_in_and_the_client_acts_for_her_until_it_has_refreshed() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let (mut ada, http) = (Person::new(), &town.fleet.http);
    let flow = town.partner();
    let page = ada.get(&flow.with("login_hint", "ada").url()).await?;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("A partner") && page.body.contains("value=\"ada\""), "{}", page.body);

    let flow = town.partner();
    let page = ada.get(&flow.url()).await?;
    let wrong = ada.sign_in(&page, "ada", "not the password of ada").await?;
    assert_eq!(wrong.status, 403);
    let consent = ada.sign_in(&wrong, "ada", &town.ada).await?;
    assert_eq!(consent.status, 200);
    assert!(consent.body.contains("orders:read") && consent.body.contains("ada"), "{}", consent.body);
    let back = ada.consent(&consent, "allow").await?;
    let code = flow.code(&back)?;

    let tokens = flow.redeem(http, town.fleet.secret("partner"), &code).await?;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    assert!(tokens.json()["id_token"].is_string());
    let refresh = tokens.json()["refresh_token"].as_str().unwrap_or_default().to_owned();
    let refreshed = flow.refresh(http, town.fleet.secret("partner"), &refresh).await?;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    for reply in [&tokens, &refreshed] {
        let token = reply.json()["access_token"].as_str().unwrap_or_default().to_owned();
        let whoami = town.fleet.orders.get(http, "/whoami", &token).await?;
        assert_eq!(whoami.status, 200, "{}", whoami.body);
        assert!(whoami.json()["sub"].as_str().is_some_and(|sub| sub.starts_with("user:")));
        assert_eq!(whoami.json()["aud"].as_str().unwrap_or(ORDERS), ORDERS);
    }

    // She has signed in and has said yes: no page is shown again, unless the client wants one.
    for prompt in ["", "none"] {
        let flow = town.partner().with("prompt", prompt);
        flow.code(&ada.get(&flow.url()).await?)?;
    }
    let again = ada.get(&town.partner().with("prompt", "login").url()).await?;
    assert!(again.body.contains("name=\"password\""), "{}", again.body);
    let consent = ada.get(&town.partner().with("prompt", "consent").url()).await?;
    assert!(consent.body.contains("value=\"deny\"") && !consent.body.contains("name=\"password\""));
    Ok(())
}

#[tokio::test]
async fn a_log_in_that_is_demanded_anew_keeps_the_session_under_another_cookie() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = town.signed_in("ada", &town.ada).await?;
    let before = ada.cookie(town.issuer(), "session").unwrap_or_default().to_owned();
    let flow = town.shop().with("max_age", "0");
    let page = ada.get(&flow.url()).await?;
    let back = ada.sign_in(&page, "ada", &town.ada).await?;
    flow.code(&back)?;
    let after = ada.cookie(town.issuer(), "session").unwrap_or_default().to_owned();
    assert!(!before.is_empty() && !after.is_empty() && before != after);

    // Whoever has seen the old cookie is nobody.
    let mut thief = Person::new();
    thief.plant(town.issuer(), "claviger-session", &before)?;
    let flow = town.shop().with("prompt", "none");
    let answer = flow.answer(&thief.get(&flow.url()).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("login_required"));
    thief.plant(town.issuer(), "claviger-session", &after)?;
    let flow = town.shop().with("prompt", "none");
    flow.code(&thief.get(&flow.url()).await?)?;

    // Somebody else in the same browser: the session before has ended.
    let flow = town.shop().with("prompt", "select_account");
    let page = ada.get(&flow.url()).await?;
    flow.code(&ada.sign_in(&page, "bob", &town.bob).await?)?;
    let flow = town.shop().with("prompt", "none");
    let answer = flow.answer(&thief.get(&flow.url()).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("login_required"));
    Ok(())
}

// S-63 S-64
#[tokio::test]
async fn whoever_cannot_be_proven_is_answered_by_a_page() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut eve = Person::new();
    let table = [
        ("no such client", town.flow("nobody", PARTNER, "openid")),
        ("a client that signs nobody in", town.flow("batch", PARTNER, "openid")),
        ("no client", town.partner().with("client_id", "")),
        ("no redirect URI", town.partner().with("redirect_uri", "")),
        ("another's redirect URI", town.flow("partner", SHOP, "openid")),
        ("a longer path", town.flow("partner", "https://partner.test/callback/", "openid")),
        ("another query", town.flow("partner", "https://partner.test/callback?tenant=2", "openid")),
        ("a fragment", town.flow("partner", "https://partner.test/callback#x", "openid")),
        ("another host", town.flow("partner", "https://partner.test.evil.test/callback", "openid")),
        ("userinfo", town.flow("partner", "https://partner.test@evil.test/callback", "openid")),
        ("upper case", town.flow("partner", "https://PARTNER.test/callback", "openid")),
        ("a traversal", town.flow("partner", "https://partner.test/x/../callback", "openid")),
        ("an escape", town.flow("partner", "https://partner.test/%63allback", "openid")),
        ("a script", town.flow("partner", "javascript:alert(1)", "openid")),
        (
            "a port that is not the loopback's",
            town.flow("partner", "https://partner.test:8443/callback", "openid"),
        ),
        ("another loopback path", town.flow("shop-cli", "http://127.0.0.1:7/other", "openid")),
        ("a loopback by name", town.flow("shop-cli", "http://localhost:7/callback", "openid")),
    ];
    for (what, flow) in table {
        let page = eve.get(&flow.url()).await?;
        assert_eq!((page.status, page.header("location")), (400, ""), "{what}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{what}");
        assert!(!page.body.contains("evil") && !page.body.contains("alert(1)"), "{what}");
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.test", town.partner().url());
    let page = eve.get(&twice).await?;
    assert_eq!((page.status, page.header("location")), (400, ""));
    let flow = town.flow("shop-cli", "http://127.0.0.1:49152/callback", "openid");
    assert_eq!(eve.get(&flow.url()).await?.status, 200, "a native application listens where it can");
    Ok(())
}

// S-61 S-62 S-64 S-65 S-68 S-69 S-70
#[tokio::test]
async fn every_other_fault_goes_back_to_the_client_with_its_state_and_our_name() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = Person::new();
    let table = [
        ("implicit", town.partner().with("response_type", "token"), "unsupported_response_type"),
        ("hybrid", town.partner().with("response_type", "code id_token"), "unsupported_response_type"),
        ("no response type", town.partner().with("response_type", ""), "invalid_request"),
        ("no PKCE", town.partner().with("code_challenge", ""), "invalid_request"),
        ("a challenge without method", town.partner().with("code_challenge_method", ""), "invalid_request"),
        ("plain", town.partner().with("code_challenge_method", "plain"), "invalid_request"),
        ("a short challenge", town.partner().with("code_challenge", "abc"), "invalid_request"),
        ("a request object", town.partner().with("request", "e30.e30."), "request_not_supported"),
        ("fragment mode", town.partner().with("response_mode", "fragment"), "invalid_request"),
        ("a prompt nobody has", town.partner().with("prompt", "create"), "invalid_request"),
        ("none and login", town.partner().with("prompt", "none login"), "invalid_request"),
        ("max_age", town.partner().with("max_age", "-1"), "invalid_request"),
        ("a scope nobody has", town.partner().with("scope", "openid admin"), "invalid_scope"),
        ("another's scope", town.partner().with("scope", "openid ledger:read"), "invalid_scope"),
        ("another's service", town.partner().with("resource", "https://ledger.fleet.test"), "invalid_target"),
        ("nobody there", town.partner().with("prompt", "none"), "login_required"),
        ("over-long", town.partner().with("nonce", &"n".repeat(600)), "invalid_request"),
    ];
    for (what, flow, error) in table {
        let reply = ada.get(&flow.url()).await?;
        let answer = flow.answer(&reply).map_err(|problem| problem.context(what))?;
        assert_eq!(answer.get("error").map(String::as_str), Some(error), "{what}");
        assert!(!answer.contains_key("code"), "{what}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{what}");
    }
    let flow = town.partner();
    for twice in ["scope=openid", "nonce=n", "x=1&x=1", "response_type=code"] {
        let answer = flow.answer(&ada.get(&format!("{}&{twice}", flow.url())).await?)?;
        assert_eq!(answer.get("error").map(String::as_str), Some("invalid_request"), "{twice}");
    }
    town.admit_pushy().await?;
    let flow = town.flow("pushy", "https://pushy.test/callback", "openid");
    let answer = flow.answer(&ada.get(&flow.url()).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("invalid_request"), "it pushes its requests");

    // By POST it is asked again by GET, for the cookies of a post from another site stay away.
    let flow = town.partner();
    let url = format!("{}/oauth2/authorize", town.issuer());
    let posted = ada.post_from(&url, &flow.parameters, &[("origin", "https://partner.test")]).await?;
    assert_eq!((posted.status, posted.header("access-control-allow-origin")), (303, ""));
    assert_eq!(ada.follow(posted, town.issuer()).await?.status, 200);
    Ok(())
}

// S-70 S-76
#[tokio::test]
async fn what_was_allowed_can_be_taken_back() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let (mut ada, http) = (Person::new(), &town.fleet.http);
    let (flow, secret) = (town.partner(), town.fleet.secret("partner"));
    let page = ada.get(&flow.url()).await?;
    let consent = ada.sign_in(&page, "ada", &town.ada).await?;
    let code = flow.code(&ada.consent(&consent, "allow").await?)?;
    let tokens = flow.redeem(http, secret, &code).await?;
    let refresh = tokens.json()["refresh_token"].as_str().unwrap_or_default().to_owned();

    let home = &town.fleet.home;
    let held = home.run(&["users", "consents", "ada"]).await?.out;
    assert!(held.contains("partner") && held.contains(&format!("{ORDERS} (orders:read)")), "{held}");
    let ran = home.run(&["users", "withdraw", "ada", "partner"]).await?;
    assert!(ran.out.contains("allowed nothing by ada any more"), "{} {}", ran.out, ran.err);
    assert!(!home.run(&["users", "consents", "ada"]).await?.out.contains("partner"));

    let refused = flow.refresh(http, secret, &refresh).await?;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_grant")));
    let silent = town.partner().with("prompt", "none");
    let answer = silent.answer(&ada.get(&silent.url()).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("consent_required"));
    Ok(())
}

#[tokio::test]
async fn somebody_who_is_not_the_one_that_the_client_means_is_asked_to_sign_in() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = Person::new();
    let flow = town.shop();
    let page = ada.get(&flow.url()).await?;
    let code = flow.code(&ada.sign_in(&page, "ada", &town.ada).await?)?;
    let tokens = flow.redeem(&town.fleet.http, town.fleet.secret("shop-web"), &code).await?;
    let hint = tokens.json()["id_token"].as_str().context("an ID token")?.to_owned();

    let silent = town.shop().with("id_token_hint", &hint).with("prompt", "none");
    silent.code(&ada.get(&silent.url()).await?)?;
    let mut bob = town.signed_in("bob", &town.bob).await?;
    let answer = silent.answer(&bob.get(&silent.url()).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("login_required"));
    let asked = bob.get(&town.shop().with("id_token_hint", &hint).url()).await?;
    assert!(asked.body.contains("name=\"password\""), "{}", asked.body);

    let forged = format!("{hint}x");
    for (flow, hint) in [(town.shop(), forged.as_str()), (town.shop(), "x"), (town.partner(), &hint)] {
        let flow = flow.with("id_token_hint", hint);
        let answer = flow.answer(&ada.get(&flow.url()).await?)?;
        assert_eq!(answer.get("error").map(String::as_str), Some("invalid_request"), "{hint}");
    }
    Ok(())
}

#[tokio::test]
async fn somebody_may_say_no() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = Person::new();
    let flow = town.partner();
    let page = ada.get(&flow.url()).await?;
    let mut form = ada.form(&page)?;
    form.fill("decision", "deny");
    let answer = flow.answer(&ada.submit(&form).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("access_denied"), "on the log-in page");

    let flow = town.partner();
    let page = ada.get(&flow.url()).await?;
    let consent = ada.sign_in(&page, "ada", &town.ada).await?;
    let answer = flow.answer(&ada.consent(&consent, "deny").await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("access_denied"), "on the consent page");
    let flow = town.partner().with("prompt", "none");
    let answer = flow.answer(&ada.get(&flow.url()).await?)?;
    assert_eq!(
        answer.get("error").map(String::as_str),
        Some("consent_required"),
        "and nothing is remembered"
    );
    Ok(())
}

// S-70
#[tokio::test]
async fn an_application_that_others_could_pretend_to_be_is_allowed_each_time() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = town.signed_in("ada", &town.ada).await?;
    for redirect_uri in ["test.fleet.shop:/callback", "http://127.0.0.1:4711/callback"] {
        for _ in 0..2 {
            let flow = town.flow("shop-cli", redirect_uri, "openid");
            let consent = ada.get(&flow.url()).await?;
            assert_eq!(consent.status, 200, "{redirect_uri}");
            flow.code(&ada.consent(&consent, "allow").await?)?;
        }
        let flow = town.flow("shop-cli", redirect_uri, "openid").with("prompt", "none");
        let answer = flow.answer(&ada.get(&flow.url()).await?)?;
        assert_eq!(answer.get("error").map(String::as_str), Some("consent_required"));
    }
    Ok(())
}

// S-67
#[tokio::test]
async fn a_pushed_request_is_good_once_and_for_its_client_alone() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = town.signed_in("ada", &town.ada).await?;
    for prompt in ["", "none"] {
        let flow = town.shop().with("prompt", prompt);
        let pushed = town.push(&flow, town.fleet.secret("shop-web")).await?;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        assert_eq!(
            (pushed.json()["expires_in"].as_u64(), pushed.header("cache-control")),
            (Some(90), "no-store")
        );
        let stolen = ada.get(&town.pushed("partner", &pushed)).await?;
        assert_eq!((stolen.status, stolen.header("location")), (400, ""), "another client's");
        let url = town.pushed("shop-web", &pushed);
        flow.code(&ada.get(&url).await?)?;
        let again = ada.get(&url).await?;
        assert_eq!((again.status, again.header("location")), (400, ""), "a second time");
    }
    let secret = town.admit_pushy().await?;
    let flow = town.flow("pushy", "https://pushy.test/callback", "openid");
    let pushed = town.push(&flow, &secret).await?;
    assert_eq!(ada.get(&town.pushed("pushy", &pushed)).await?.status, 200, "who must push, may");

    let refused = [
        ("another's redirect URI", town.shop().with("redirect_uri", PARTNER), "invalid_request"),
        ("a request of a request", town.shop().with("request_uri", "https://evil.test/r"), "invalid_request"),
        ("another client", town.shop().with("client_id", "partner"), "invalid_request"),
        ("implicit", town.shop().with("response_type", "token"), "unsupported_response_type"),
        ("no PKCE", town.shop().with("code_challenge", ""), "invalid_request"),
        ("a scope nobody has", town.shop().with("scope", "admin"), "invalid_scope"),
    ];
    for (what, flow, error) in refused {
        let flow = CodeFlow { client_id: "shop-web".to_owned(), ..flow };
        let reply = town.push(&flow, town.fleet.secret("shop-web")).await?;
        assert_eq!(
            (reply.status, reply.json()["error"].as_str()),
            (400, Some(error)),
            "{what}: {}",
            reply.body
        );
    }
    let request = town.fleet.http.post(format!("{}/oauth2/par", town.issuer()));
    let nobody = Reply::of(request.basic_auth("shop-web", Some("x")).form(&town.shop().parameters)).await?;
    assert_eq!((nobody.status, nobody.json()["error"].as_str()), (401, Some("invalid_client")));
    for by_value in ["https://evil.test/request.jwt", "urn:ietf:params:oauth:request_uri:guess"] {
        let flow = town.shop().with("request_uri", by_value);
        let answer = flow.answer(&ada.get(&flow.url()).await?)?;
        assert!(answer.contains_key("error") && !answer.contains_key("code"), "{answer:?}");
    }
    Ok(())
}

// S-94 S-95
#[tokio::test]
async fn a_form_is_posted_by_the_page_and_the_browser_that_it_was_made_for() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let (mut ada, mut eve) = (Person::new(), Person::new());
    let flow = town.partner();
    let page = ada.get(&flow.url()).await?;
    let mut form = ada.form(&page)?;
    for (name, value) in [("username", "ada"), ("password", &town.ada), ("decision", "allow")] {
        form.fill(name, value);
    }
    let url = form.action.to_string();
    let issuer = town.issuer().to_owned();
    let foreign: [&[(&str, &str)]; 6] = [
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[("origin", &issuer), ("sec-fetch-site", "cross-site")],
        &[("origin", &issuer), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "same-origin")],
        &[],
    ];
    for headers in foreign {
        let reply = ada.post_from(&url, &form.fields, headers).await?;
        assert_eq!((reply.status, reply.header("location")), (403, ""), "{headers:?}");
        assert_eq!(ada.cookie(&issuer, "session"), None, "{headers:?}");
    }
    // Log-in CSRF: the attacker's own page, posted by the victim's browser.
    eve.get(&flow.url()).await?;
    let reply = eve.post(&url, &form.fields).await?;
    assert_eq!((reply.status, eve.cookie(&issuer, "session")), (403, None));
    for field in ["csrf_token", "interaction"] {
        let mut forged = form.clone();
        forged.fill(field, "AAAA");
        let reply = ada.post(&url, &forged.fields).await?;
        assert!(matches!(reply.status, 400 | 403), "{field}: {}", reply.status);
        assert_eq!(ada.cookie(&issuer, "session"), None, "{field}");
    }

    // Fixation: what a browser has held before a log-in is worth nothing after it.
    let visit = ada.cookie(&issuer, "visit").unwrap_or_default().to_owned();
    ada.plant(&issuer, "claviger-session", &format!("ss_{}", "A".repeat(43)))?;
    let consent = ada.submit(&form).await?;
    assert_eq!(consent.status, 200, "{}", consent.body);
    assert!(ada.cookie(&issuer, "session").is_some_and(|secret| !secret.contains("AAAA")));
    assert_eq!(ada.cookie(&issuer, "visit"), None);
    eve.plant(&issuer, "claviger-visit", &visit)?;
    let none = town.partner().with("prompt", "none");
    let answer = none.answer(&eve.get(&none.url()).await?)?;
    assert_eq!(answer.get("error").map(String::as_str), Some("login_required"));

    // The consent page is as well guarded.
    let mut form = ada.form(&consent)?;
    form.fill("decision", "allow");
    for headers in foreign {
        let reply = ada.post_from(form.action.as_str(), &form.fields, headers).await?;
        assert_eq!((reply.status, reply.header("location")), (403, ""), "{headers:?}");
    }
    let mut forged = form.clone();
    forged.fill("csrf_token", "AAAA");
    assert_eq!(ada.post(form.action.as_str(), &forged.fields).await?.status, 403);
    let mut bob = town.signed_in("bob", &town.bob).await?;
    let reply = bob.post(form.action.as_str(), &form.fields).await?;
    assert_eq!((reply.status, reply.header("location")), (403, ""), "another's page");
    flow.code(&ada.submit(&form).await?)?;
    Ok(())
}

#[tokio::test]
async fn an_answer_may_be_posted_to_the_client_in_a_form() -> anyhow::Result<()> {
    let town = Town::found().await?;
    let mut ada = town.signed_in("ada", &town.ada).await?;
    let flow = town.shop().with("response_mode", "form_post");
    let page = ada.get(&flow.url()).await?;
    let form = ada.form(&page)?;
    assert_eq!((page.status, form.action.as_str()), (200, SHOP));
    assert_eq!((form.field("state"), form.field("iss")), (flow.state.as_str(), town.issuer()));
    let tokens = flow.redeem(&town.fleet.http, town.fleet.secret("shop-web"), form.field("code")).await?;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    Ok(())
}
