//! A client goes on acting for a person: what its refresh tokens are worth, to it and to a thief.

use std::time::Duration;

use anyhow::Context;
use e2e::{CodeFlow, Database, Fleet, Person, Reply, gate::Line, postgres::Postgres, until};

/// The shop's page: a public client of the house.
const CLIENT: &str = "shop-spa";
const REDIRECT_URI: &str = "http://127.0.0.1:9/page";
const SCOPE: &str = "openid orders:read orders:write";
/// F, and what a look takes on a busy machine.
const TOLD: Duration = Duration::from_secs(20);

/// Somebody who has signed in, and the client that acts for her.
struct SignedIn {
    fleet: Fleet,
    flow: CodeFlow,
    access_token: String,
    refresh_token: String,
}

impl SignedIn {
    async fn at(database: &Database) -> anyhow::Result<Self> {
        let settings = [("VERIFIERS_POLL", "1s"), ("VERIFIERS_FRESHNESS", "1s")];
        let fleet = Fleet::start(database, &settings).await?;
        let password = fleet.home.add_person("ann", &[]).await?;
        let flow = CodeFlow::new(fleet.home.url(), CLIENT, REDIRECT_URI, SCOPE);
        let mut person = Person::new();
        let page = person.get(&flow.url()).await?;
        let page = person.follow(page, fleet.home.url()).await?;
        let answer = person.sign_in(&page, "ann", &password).await?;
        let tokens = flow.redeem(&fleet.http, "", &flow.code(&answer)?).await?;
        let (access_token, refresh_token) = pair(&tokens)?;
        Ok(Self { fleet, flow, access_token, refresh_token })
    }

    async fn refresh(&self, token: &str) -> anyhow::Result<Reply> {
        self.flow.refresh(&self.fleet.http, "", token).await
    }

    async fn orders(&self, token: &str) -> anyhow::Result<u16> {
        Ok(self.fleet.orders.get(&self.fleet.http, "/orders", token).await?.status)
    }
}

/// The access and the refresh token of an answer.
fn pair(reply: &Reply) -> anyhow::Result<(String, String)> {
    let json = reply.json();
    let member = |name: &str| json[name].as_str().map(str::to_owned);
    let pair = member("access_token").zip(member("refresh_token"));
    pair.with_context(|| format!("{} {}", reply.status, reply.body))
}

#[track_caller]
fn refused(reply: &Reply, code: &str) {
    let json = reply.json();
    assert_eq!((reply.status, json["error"].as_str()), (400, Some(code)), "{}", reply.body);
    assert_eq!(reply.header("cache-control"), "no-store");
}

// S-71 S-74 S-75
#[tokio::test]
async fn who_lost_an_answer_gets_it_again_and_a_thief_ends_the_family() -> anyhow::Result<()> {
    let ann = SignedIn::at(&Database::of_run()).await?;
    assert_eq!(ann.orders(&ann.access_token).await?, 200);
    // Neither kind of token passes for the other.
    refused(&ann.refresh(&ann.access_token).await?, "invalid_grant");
    assert_eq!(ann.orders(&ann.refresh_token).await?, 401);

    let (first, second) = pair(&ann.refresh(&ann.refresh_token).await?)?;
    let (again, same) = pair(&ann.refresh(&ann.refresh_token).await?)?;
    assert_eq!(second, same, "the same child");
    assert_ne!(first, again, "and a fresh access token");
    let (fresh, third) = pair(&ann.refresh(&second).await?)?;
    assert_eq!(ann.orders(&fresh).await?, 200);

    // A grandparent, within the time of grace.
    refused(&ann.refresh(&ann.refresh_token).await?, "invalid_grant");
    refused(&ann.refresh(&third).await?, "invalid_grant");
    let dead = || async { (ann.orders(&fresh).await.ok()? == 401).then_some(()) };
    until("the access token is dead", TOLD, dead).await
}

// S-72 S-77
#[tokio::test]
async fn a_stranger_uses_nothing_up_and_a_client_only_asks_for_less() -> anyhow::Result<()> {
    let ann = SignedIn::at(&Database::of_run()).await?;
    let stranger = CodeFlow { client_id: "shop-web".to_owned(), ..ann.flow.clone() };
    let secret = ann.fleet.secret("shop-web");
    refused(&stranger.refresh(&ann.fleet.http, secret, &ann.refresh_token).await?, "invalid_grant");
    let ask = async |scope: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &ann.refresh_token),
            ("client_id", CLIENT),
            ("scope", scope),
        ];
        Reply::of(ann.fleet.http.post(format!("{}/oauth2/token", ann.flow.issuer)).form(&form)).await
    };
    refused(&ask("orders:read profile").await?, "invalid_scope");
    let narrow = ask("orders:read").await?;
    assert_eq!(narrow.json()["scope"], "orders:read", "{}", narrow.body);
    // What was asked for less by one token is not lost to the next.
    let (_, next) = pair(&narrow)?;
    let whole = ann.refresh(&next).await?;
    assert_eq!(whole.json()["scope"], SCOPE, "{}", whole.body);
    Ok(())
}

// S-62 S-66
#[tokio::test]
async fn a_code_is_good_once_whatever_is_shown_with_it() -> anyhow::Result<()> {
    let ann = SignedIn::at(&Database::of_run()).await?;
    let password = ann.fleet.home.add_person("bob", &[]).await?;
    let mut person = Person::new();
    let page = person.get(&ann.flow.url()).await?;
    let page = person.follow(page, ann.fleet.home.url()).await?;
    let answer = person.sign_in(&page, "bob", &password).await?;
    let code = ann.flow.code(&answer)?;
    let guess = CodeFlow { code_verifier: "a".repeat(43), ..ann.flow.clone() };
    refused(&guess.redeem(&ann.fleet.http, "", &code).await?, "invalid_grant");
    refused(&ann.flow.redeem(&ann.fleet.http, "", &code).await?, "invalid_grant");

    // Others on this machine could pretend to be a client without a secret: a session alone is no consent.
    let page = person.get(&ann.flow.url()).await?;
    let code = ann.flow.code(&person.consent(&page, "allow").await?)?;
    let (access_token, refresh_token) = pair(&ann.flow.redeem(&ann.fleet.http, "", &code).await?)?;
    assert_eq!(ann.orders(&access_token).await?, 200);
    refused(&ann.flow.redeem(&ann.fleet.http, "", &code).await?, "invalid_grant");
    refused(&ann.refresh(&refresh_token).await?, "invalid_grant");
    let dead = || async { (ann.orders(&access_token).await.ok()? == 401).then_some(()) };
    until("what the code has made is dead", TOLD, dead).await?;
    // Another person's sign-in is her own.
    pair(&ann.refresh(&ann.refresh_token).await?).map(drop)
}

// S-78
#[tokio::test]
async fn a_database_that_does_not_answer_is_no_refusal_and_no_token_is_lost() -> anyhow::Result<()> {
    let Some(server) = Postgres::shared() else { return Ok(()) };
    let ann = SignedIn::at(&Database::Replicated(server.create_database()?)).await?;
    let cut = |line: Line| {
        ann.fleet
            .issuers
            .iter()
            .filter_map(|replica| replica.database.as_ref())
            .for_each(|gate| gate.set(line));
    };
    cut(Line::Cut);
    let reply = ann.refresh(&ann.refresh_token).await?;
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (503, Some("temporarily_unavailable")),
        "{}",
        reply.body
    );
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    cut(Line::Open);
    let answered = || async {
        let reply = ann.refresh(&ann.refresh_token).await.ok()?;
        assert!([200, 503].contains(&reply.status), "{} {}", reply.status, reply.body);
        (reply.status == 200).then_some(reply)
    };
    let reply = until("the token is good again", TOLD, answered).await?;
    let (access_token, next) = pair(&reply)?;
    assert_eq!(ann.orders(&access_token).await?, 200);
    pair(&ann.refresh(&next).await?).map(drop)
}

// S-60 S-76
#[tokio::test]
async fn who_is_disabled_is_not_acted_for_any_more() -> anyhow::Result<()> {
    let ann = SignedIn::at(&Database::of_run()).await?;
    let (access_token, refresh_token) = pair(&ann.refresh(&ann.refresh_token).await?)?;
    let ran = ann.fleet.home.run(&["users", "disable", "ann"]).await?;
    anyhow::ensure!(ran.succeeded, "{} {}", ran.out, ran.err);
    refused(&ann.refresh(&refresh_token).await?, "invalid_grant");
    let dead = || async { (ann.orders(&access_token).await.ok()? == 401).then_some(()) };
    until("the access token is dead", TOLD, dead).await
}
