//! Applications of the house itself, which ask for the password on a page of their own.

use std::time::Duration;

use anyhow::Context;
use axum::{Router, routing::post};
use claviger_verifier::{Cookies, Principal, Verifier};
use e2e::{CodeFlow, Database, Fleet, ORDERS, Reply, until};
use serde_json::{Value, json};

const PASSWORD: &str = "a kettle sings in an empty house";
/// A first-party client without a secret, in [`e2e::FLEET`].
const APP: &str = "shop-app";
const PATIENCE: Duration = Duration::from_secs(10);

struct House {
    fleet: Fleet,
}

impl House {
    async fn found() -> anyhow::Result<Self> {
        let settings = [("SERVER_DRAIN_DELAY", "0s"), ("VERIFIERS_POLL", "1s")];
        let fleet = Fleet::start(&Database::of_run(), &settings).await?;
        fleet.home.add_user("ann", PASSWORD).await?;
        Ok(Self { fleet })
    }

    fn issuer(&self) -> &str {
        self.fleet.home.url()
    }

    /// Posts JSON, with more headers.
    async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let mut request = self.fleet.http.post(format!("{}{path}", self.issuer())).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request).await
    }

    async fn log_in(&self) -> anyhow::Result<Value> {
        let reply = self.post("/login", &ann(), &[]).await?;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(
            reply.headers.get("set-cookie").is_none(),
            "nothing is kept in a browser that was not asked to"
        );
        Ok(reply.json())
    }

    async fn challenge(&self, flow: &CodeFlow, more: &[(&str, &str)]) -> anyhow::Result<Reply> {
        let mut form: Vec<(String, String)> = flow.parameters.clone();
        form.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Reply::of(self.fleet.http.post(format!("{}/oauth2/authorize-challenge", self.issuer())).form(&form))
            .await
    }

    /// A request for a code without anybody to send it to.
    fn flow(&self, client: &str) -> CodeFlow {
        let flow = CodeFlow::new(self.issuer(), client, "", "openid offline_access orders:read");
        flow.with("redirect_uri", "").with("state", "").with("resource", ORDERS)
    }
}

fn ann() -> Value {
    json!({ "username": "ann", "password": PASSWORD, "client_id": APP, "resource": ORDERS })
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_name_and_a_password_become_tokens_that_are_refreshed_and_ended() -> anyhow::Result<()> {
    let house = House::found().await?;
    let first = house.log_in().await?;
    let (orders, http) = (&house.fleet.orders, &house.fleet.http);
    assert_eq!(orders.get(http, "/orders", text(&first, "access_token")).await?.status, 200);
    assert!(text(&first, "refresh_token").starts_with("rt_"), "{first}");

    let refresh = |token: &str| json!({ "client_id": APP, "refresh_token": token });
    let next = house.post("/refresh", &refresh(text(&first, "refresh_token")), &[]).await?;
    assert_eq!(next.status, 200, "{}", next.body);
    let next = next.json();
    let access = text(&next, "access_token").to_owned();
    assert_eq!(orders.get(http, "/orders", &access).await?.status, 200);

    let held = refresh(text(&next, "refresh_token"));
    assert_eq!(house.post("/logout", &held, &[]).await?.status, 204);
    assert_eq!(house.post("/logout", &held, &[]).await?.status, 204, "who is gone is told the same");
    let refused = house.post("/refresh", &held, &[]).await?;
    assert_eq!((refused.status, text(&refused.json(), "error")), (401, "invalid_token"));
    let dead = || async { (orders.get(http, "/orders", &access).await.ok()?.status == 401).then_some(()) };
    until("the access token is refused", PATIENCE, dead).await
}

// S-61 S-68 S-71 S-89
#[tokio::test]
async fn what_is_malformed_what_is_wrong_and_what_is_not_allowed_are_told_apart() -> anyhow::Result<()> {
    let house = House::found().await?;
    let web = house.fleet.secret("shop-web").to_owned();
    let partner = house.fleet.secret("partner").to_owned();
    let mut without = ann();
    without.as_object_mut().context("an object")?.remove("password");
    let cases = [
        (without, 400, "invalid_request"),
        (with(ann(), "username", 7), 400, "invalid_request"),
        (with(ann(), "username", ""), 400, "invalid_request"),
        (with(ann(), "password", "p".repeat(1025)), 400, "invalid_request"),
        (with(ann(), "password", "with\0nul"), 400, "invalid_request"),
        (with(ann(), "password", "p".repeat(9000)), 400, "invalid_request"),
        (with(ann(), "resource", "https://ledger.fleet.test"), 400, "invalid_target"),
        (with(ann(), "scope", "ledger:post"), 400, "invalid_scope"),
        (with(ann(), "password", "wrong"), 401, "invalid_credentials"),
        (with(ann(), "username", "nobody"), 401, "invalid_credentials"),
        (with(ann(), "client_id", "no-such-client"), 401, "invalid_client"),
        (with(ann(), "client_id", "shop-web"), 401, "invalid_client"),
        (with(with(ann(), "client_id", "shop-cli"), "scope", "orders:read"), 403, "unauthorized_client"),
    ];
    for (body, status, error) in cases {
        let reply = house.post("/login", &body, &[]).await?;
        assert_eq!((reply.status, text(&reply.json(), "error")), (status, error), "{body}");
        assert!(!reply.body.contains(PASSWORD) && !reply.body.contains("access_token"), "{}", reply.body);
    }
    let wrong = house.post("/login", &with(ann(), "password", "wrong"), &[]).await?;
    let unknown = house.post("/login", &with(ann(), "username", "nobody"), &[]).await?;
    assert_eq!(wrong.body, unknown.body);

    // A client with a secret authenticates as at the token endpoint, and must be of the house all the same.
    let basic = |id: &str, secret: &str| {
        let pair = base64_simd::STANDARD.encode_to_string(format!("{id}:{secret}"));
        format!("Basic {pair}")
    };
    let of = |id: &str| with(ann(), "client_id", id);
    let sent = house.post("/login", &of("shop-web"), &[("authorization", &basic("shop-web", &web))]).await?;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let sent =
        house.post("/login", &of("partner"), &[("authorization", &basic("partner", &partner))]).await?;
    assert_eq!((sent.status, text(&sent.json(), "error")), (403, "unauthorized_client"));

    let first = house.log_in().await?;
    for token in [text(&first, "access_token"), "rt_", ""] {
        let refused =
            house.post("/refresh", &json!({ "client_id": APP, "refresh_token": token }), &[]).await?;
        assert_eq!((refused.status, text(&refused.json(), "error")), (401, "invalid_token"), "{token}");
    }
    // There is no password grant beside it.
    let form = [("grant_type", "password"), ("username", "ann"), ("password", PASSWORD), ("client_id", APP)];
    let request = house.fleet.http.post(format!("{}/oauth2/token", house.issuer()));
    let refused = Reply::of(request.form(&form)).await?;
    assert_eq!(text(&refused.json(), "error"), "unsupported_grant_type");
    Ok(())
}

/// What a browser has kept of an answer.
fn kept(reply: &Reply) -> Vec<(String, String)> {
    let lines = reply.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.filter_map(|line| line.split(';').next()?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn cookie(kept: &[(String, String)]) -> String {
    kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

fn value<'k>(kept: &'k [(String, String)], of: &str) -> &'k str {
    kept.iter().find(|(name, _)| name == of).map_or("", |(_, value)| value)
}

// S-94 S-95
#[tokio::test]
async fn a_browser_keeps_the_tokens_and_only_a_page_of_the_same_origin_uses_them() -> anyhow::Result<()> {
    let house = House::found().await?;
    let own = ("origin", house.issuer());
    let browser = with(ann(), "cookies", true);
    for foreign in ["https://evil.test", "null"] {
        let refused = house.post("/login", &browser, &[("origin", foreign)]).await?;
        assert_eq!((refused.status, text(&refused.json(), "error")), (403, "cross_site"), "{foreign}");
    }
    let entered = house.post("/login", &browser, &[own]).await?;
    assert_eq!(entered.status, 200, "{}", entered.body);
    assert!(!entered.body.contains("eyJ") && !entered.body.contains("rt_"), "{}", entered.body);
    let cookies = kept(&entered);
    for line in entered.headers.get_all("set-cookie") {
        let line = line.to_str()?;
        let for_scripts = line.starts_with("__Host-csrf_token=");
        assert!(line.contains("HttpOnly") != for_scripts, "{}", line.split('=').next().unwrap_or_default());
    }

    // A service that verifies takes them as they are.
    let verifier = Verifier::builder(house.issuer(), ORDERS).cookies(Cookies::default()).build()?;
    let app = Router::new().route("/", post(async |caller: Principal| caller.sub().to_owned()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let service = format!("http://{}/", listener.local_addr()?);
    let served = axum::serve(listener, app.with_state(verifier));
    tokio::spawn(async move { served.await });
    let csrf = value(&cookies, "__Host-csrf_token").to_owned();
    let ask = |csrf: String| {
        let request =
            house.fleet.http.post(&service).header("cookie", cookie(&cookies)).header("x-csrf-token", csrf);
        async { Reply::of(request).await.ok().filter(|reply| reply.status != 503) }
    };
    let taken = until("the service has the keys", PATIENCE, || ask(csrf.clone())).await?;
    assert_eq!((taken.status, taken.body.starts_with("user:")), (200, true), "{}", taken.body);
    assert_eq!(until("an answer", PATIENCE, || ask("x".repeat(43))).await?.status, 403);

    // Another person's value, none, or another origin: nothing is refreshed, and nothing is used up.
    let stranger = kept(&house.post("/login", &browser, &[own]).await?);
    let (held, body) = (cookie(&cookies), json!({ "client_id": APP }));
    let right = ("x-csrf-token", csrf.as_str());
    let of_stranger = ("x-csrf-token", value(&stranger, "__Host-csrf_token"));
    let evil = ("origin", "https://evil.test");
    for headers in [&[own][..], &[own, of_stranger], &[right], &[evil, right], &[own, right, right]] {
        for path in ["/refresh", "/logout"] {
            let refused = house.post(path, &body, &[&[("cookie", held.as_str())], headers].concat()).await?;
            assert_eq!(
                (refused.status, text(&refused.json(), "error")),
                (403, "cross_site"),
                "{path} {headers:?}"
            );
        }
    }
    let refreshed = house.post("/refresh", &body, &[("cookie", &held), own, right]).await?;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    let next = kept(&refreshed);
    assert_ne!(value(&next, "__Host-refresh_token"), value(&cookies, "__Host-refresh_token"));
    assert_eq!(value(&next, "__Host-csrf_token"), csrf, "the session is the same");

    let gone = house.post("/logout", &body, &[("cookie", &held), own, right]).await?;
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert!(kept(&gone).iter().all(|(_, value)| value.is_empty()), "all are forgotten");
    let session: Vec<_> = cookies.iter().filter(|(name, _)| name.contains("session")).cloned().collect();
    let after = cookie(&[session, next].concat());
    let refused = house.post("/refresh", &body, &[("cookie", &after), own, right]).await?;
    assert_eq!((refused.status, text(&refused.json(), "error")), (401, "invalid_token"));
    let again = house.post("/logout", &body, &[("cookie", &after), own, right]).await?;
    assert_eq!(again.status, 204, "who is logged out already is told the same: {}", again.body);
    Ok(())
}

// S-94
#[tokio::test]
async fn who_signs_in_once_more_in_the_same_browser_goes_on() -> anyhow::Result<()> {
    let house = House::found().await?;
    let own = ("origin", house.issuer());
    let browser = with(ann(), "cookies", true);
    let first = kept(&house.post("/login", &browser, &[own]).await?);
    let held = cookie(&first);
    // The same session goes on under a new secret.
    let second = kept(&house.post("/login", &browser, &[own, ("cookie", &held)]).await?);
    let session = |of: &[(String, String)]| {
        of.iter().filter(|(name, _)| name.contains("session")).cloned().collect::<Vec<_>>()
    };
    assert_ne!(session(&first), session(&second));
    let others: Vec<_> = first.iter().filter(|(name, _)| !name.contains("session")).cloned().collect();
    let after = cookie(&[session(&second), others].concat());
    let right = ("x-csrf-token", value(&first, "__Host-csrf_token"));
    let body = json!({ "client_id": APP });
    for path in ["/refresh", "/logout"] {
        let reply = house.post(path, &body, &[("cookie", after.as_str()), own, right]).await?;
        assert!([200, 204].contains(&reply.status), "{path} {} {}", reply.status, reply.body);
    }
    Ok(())
}

// S-60 S-62
#[tokio::test]
async fn a_challenge_is_answered_with_a_code_when_the_password_is_there() -> anyhow::Result<()> {
    let house = House::found().await?;
    let flow = house.flow(APP);
    let check = |reply: &Reply, status: u16, error: &str| {
        assert_eq!((reply.status, text(&reply.json(), "error")), (status, error), "{}", reply.body);
    };
    let name = ("username", "ann");
    check(&house.challenge(&flow, &[]).await?, 400, "insufficient_authorization");
    check(&house.challenge(&flow, &[name]).await?, 400, "insufficient_authorization");
    check(&house.challenge(&flow, &[name, ("password", "wrong")]).await?, 400, "insufficient_authorization");
    let right = [name, ("password", PASSWORD)];
    check(&house.challenge(&house.flow("shop-cli"), &right).await?, 400, "unauthorized_client");
    let bare = flow.clone().with("code_challenge", "");
    check(&house.challenge(&bare, &right).await?, 400, "invalid_request");

    let reply = house.challenge(&flow, &right).await?;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.body);
    let code = text(&reply.json(), "authorization_code").to_owned();
    let redeem = |verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", APP),
            ("code_verifier", verifier),
        ];
        Reply::of(house.fleet.http.post(format!("{}/oauth2/token", house.issuer())).form(&form))
    };
    let tokens = redeem(&flow.code_verifier).await?;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let tokens = tokens.json();
    assert!(!text(&tokens, "id_token").is_empty() && !text(&tokens, "refresh_token").is_empty(), "{tokens}");
    let orders = &house.fleet.orders;
    assert_eq!(orders.get(&house.fleet.http, "/orders", text(&tokens, "access_token")).await?.status, 200);
    check(&redeem(&flow.code_verifier).await?, 400, "invalid_grant");

    let metadata = format!("{}/.well-known/oauth-authorization-server", house.issuer());
    let metadata = Reply::of(house.fleet.http.get(metadata)).await?.json();
    let endpoint = format!("{}/oauth2/authorize-challenge", house.issuer());
    assert_eq!(metadata["authorization_challenge_endpoint"], endpoint);
    Ok(())
}

// S-90
#[tokio::test]
async fn guesses_count_together_whichever_way_they_come() -> anyhow::Result<()> {
    let house = House::found().await?;
    let flow = house.flow(APP);
    let mut evaluated = 0;
    let refused = loop {
        let (json, challenge) = (
            house.post("/login", &with(ann(), "password", "a guess"), &[]).await?,
            house.challenge(&flow, &[("username", "ANN"), ("password", "a guess")]).await?,
        );
        evaluated += [&json, &challenge].iter().filter(|reply| reply.status != 429).count();
        assert!(evaluated <= 10, "{evaluated} guesses");
        if json.status == 429 {
            break json;
        }
    };
    assert!(refused.header("retry-after").parse::<u64>()? > 60, "{refused:?}");
    assert_eq!(text(&refused.json(), "error"), "too_many_attempts");
    let right = house.post("/login", &ann(), &[]).await?;
    assert_eq!(right.status, 429, "nor does the right one say that it is right");
    Ok(())
}
