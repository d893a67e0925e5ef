//! `cargo xtask demo`: the main job, narrated.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Parser;
use e2e::{CodeFlow, Database, Fleet, LEDGER, ORDERS, PAGE, Person, Reply, until};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

/// Starts an issuer and two services on loopback, shows how a person signs in and out, a token's way between services, a
/// forgery and a rotation, and goes on until Ctrl-C.
#[derive(Debug, Parser)]
struct Demo {
    /// End after the narrated run.
    #[arg(long)]
    once: bool,
}

/// Time is compressed, so that a rotation need not be waited for; the inequalities between the numbers
/// hold all the same.
const SETTINGS: &[(&str, &str)] = &[
    ("ROTATION_PERIOD", "1h"),
    ("ROTATION_LEAD", "6s"),
    ("ROTATION_LEASE", "2s"),
    ("VERIFIERS_SKEW", "1s"),
    ("VERIFIERS_FRESHNESS", "2s"),
    ("VERIFIERS_FOREIGN", "false"),
    ("SERVER_DRAIN_DELAY", "0s"),
    ("TOKEN_LIFETIME", "1m"),
    ("VERIFIERS_POLL", POLL),
];
/// F: a revocation is known everywhere after one poll.
const POLL: &str = "5s";
const F: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Demo { once } = Demo::parse();
    let starting = Fleet::start(&Database::Sqlite, SETTINGS);
    let fleet = step("start an issuer and the services of two teams", starting).await?;
    let ann = Ann { page: fleet.admit_page().await?, password: fleet.home.add_person("ann", &[]).await? };
    sign_in_and_out(&fleet, &ann).await?;
    narrate(&fleet).await?;
    println!("\nEvery step went as expected.");
    if once {
        return Ok(());
    }
    invite(&fleet, &ann);
    tokio::signal::ctrl_c().await?;
    println!("\nstopping");
    Ok(())
}

/// A person, and where she signs in.
struct Ann {
    page: String,
    password: String,
}

async fn sign_in_and_out(fleet: &Fleet, ann: &Ann) -> anyhow::Result<()> {
    let issuer = fleet.home.url();
    let flow = CodeFlow::new(issuer, PAGE, &ann.page, "openid profile orders:read orders:write");
    let flow = flow.with("resource", ORDERS);
    let mut person = Person::new();
    let given =
        step("ann signs in on the issuer's page; the shop gets a code, and for the code tokens", async {
            let page = person.get(&flow.url()).await?;
            let page = person.follow(page, issuer).await?;
            let back = person.sign_in(&page, "ann", &ann.password).await?;
            tokens(&flow.redeem(&fleet.http, "", &flow.code(&back)?).await?)
        });
    let given = given.await?;
    let order =
        step("ann orders a kettle; orders knows her by the token", place_order(fleet, &given.access)).await?;
    tell(&format!("201 {order}"));
    let next = step("the shop refreshes: another access token, another refresh token", async {
        let next = tokens(&flow.refresh(&fleet.http, "", &given.refresh).await?)?;
        ensure!(next.access != given.access && next.refresh != given.refresh, "both are new");
        expect(&fleet.orders.get(&fleet.http, "/orders", &next.access).await?, 200)?;
        Ok(next)
    });
    let next = next.await?;
    let left = step("ann signs out", async {
        let goodbye = format!("{issuer}/oauth2/logout?client_id={PAGE}&id_token_hint={}", given.id);
        let back = person.get(&goodbye).await?;
        let back = person.follow(back, issuer).await?;
        ensure!(back.status == 200, "signed out: {} {}", back.status, back.body);
        let refused = flow.refresh(&fleet.http, "", &next.refresh).await?;
        expect(&refused, 400)?;
        Ok(Instant::now())
    });
    let left = left.await?;
    let dead = step("orders, which nobody has told, refuses her access token", async {
        let refused = || async {
            let reply = fleet.orders.get(&fleet.http, "/orders", &next.access).await.ok()?;
            (reply.status == 401).then(|| left.elapsed())
        };
        until("the token is refused", PATIENCE, refused).await
    });
    let dead = dead.await?;
    tell(&format!("401, {:.1} s after she left; F is {} s", dead.as_secs_f64(), F.as_secs()));
    // The poll itself takes a moment, and so does the ticker that signs the statement.
    ensure!(dead < F + Duration::from_secs(2), "it lived too long");
    Ok(())
}

/// What a client is given for a person.
struct Given {
    access: String,
    refresh: String,
    id: String,
}

fn tokens(reply: &Reply) -> anyhow::Result<Given> {
    expect(reply, 200)?;
    let answer = reply.json();
    let text = |name: &str| answer[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    let id = text("id_token").unwrap_or_default();
    Ok(Given { access: text("access_token")?, refresh: text("refresh_token")?, id })
}

async fn narrate(fleet: &Fleet) -> anyhow::Result<()> {
    let token = step("web asks the issuer for a token for orders", fleet.token("web", ORDERS)).await?;
    tell(&format!("{}... ({} characters)", &token[..24], token.len()));

    let order =
        step("web places an order; orders verifies the token offline", place_order(fleet, &token)).await?;
    tell(&format!("201 {order}"));
    let entry = step("orders got a token of its own and posted to ledger", read_entries(fleet)).await?;
    tell(&format!("200 {entry}"));

    step("a token for orders is refused at ledger", async {
        let reply = fleet.ledger.get(&fleet.http, "/entries", &token).await?;
        expect(&reply, 401)
    })
    .await?;
    let refusal = step("a forged token (one claim changed) is refused", async {
        let reply = fleet.orders.get(&fleet.http, "/orders", &forge(&token)?).await?;
        expect(&reply, 401)?;
        Ok(reply.header("www-authenticate").to_owned())
    });
    tell(&format!("401 {}", refusal.await?));

    let table =
        step("the keys rotate, as soon as every verifier must know the next ones", rotate(fleet)).await?;
    tell(table.trim_end());
    step("the token from before the rotation is still good", async {
        expect(&fleet.orders.get(&fleet.http, "/orders", &token).await?, 200)
    })
    .await?;
    step("a token signed by the new key is good", async {
        let next = until("the issuer signs with the next key", PATIENCE, || async {
            fleet.token("web", ORDERS).await.ok().filter(|next| next[..100] != token[..100])
        });
        expect(&fleet.orders.get(&fleet.http, "/orders", &next.await?).await?, 200)
    })
    .await
}

async fn place_order(fleet: &Fleet, token: &str) -> anyhow::Result<String> {
    let reply =
        fleet.orders.post(&fleet.http, "/orders", token, &json!({"item": "lamp", "amount": 3})).await?;
    expect(&reply, 201)?;
    Ok(reply.body)
}

async fn read_entries(fleet: &Fleet) -> anyhow::Result<String> {
    let token = fleet.token("batch", LEDGER).await?;
    let reply = fleet.ledger.get(&fleet.http, "/entries", &token).await?;
    expect(&reply, 200)?;
    ensure!(reply.json()[0]["posted_by"] == "orders", "the ledger saw {}", reply.body);
    Ok(reply.body)
}

async fn rotate(fleet: &Fleet) -> anyhow::Result<String> {
    let rotated = || async {
        let ran = fleet.home.run(&["keys", "rotate", "--now"]).await.ok()?;
        ran.succeeded.then_some(ran.out)
    };
    until("the lead has passed", PATIENCE, rotated).await
}

/// The same token with another scope and the old signature.
fn forge(token: &str) -> anyhow::Result<String> {
    let mut parts = token.split('.').map(str::to_owned);
    let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        anyhow::bail!("a token has three parts");
    };
    let claims = String::from_utf8(claviger_jose::base64url::decode(&payload)?)?;
    let forged = claviger_jose::base64url::encode(claims.replace("client:web", "client:bob").as_bytes());
    ensure!(forged != payload, "the claim was changed");
    Ok(format!("{header}.{forged}.{signature}"))
}

fn expect(reply: &Reply, status: u16) -> anyhow::Result<()> {
    ensure!(reply.status == status, "expected {status}, got {} {}", reply.status, reply.body);
    Ok(())
}

/// Shows a spinner while something happens, then a tick and what it was.
async fn step<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    spinner.set_style(ProgressStyle::with_template("  {spinner} {msg} {elapsed}")?);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let done = work.await.with_context(|| what.to_owned());
    spinner.finish_and_clear();
    println!("  {} {what}", if done.is_ok() { "✓" } else { "✗" });
    done
}

fn tell(detail: &str) {
    for line in detail.lines() {
        println!("      {line}");
    }
}

fn invite(fleet: &Fleet, ann: &Ann) {
    let (issuer, orders, ledger) = (fleet.home.url(), fleet.orders.url(), fleet.ledger.url());
    let (secret, directory) = (fleet.secret("web"), fleet.home.path().display());
    let Ann { page, password } = ann;
    println!(
        r#"
  Open    {page}
          and sign in as `ann` with `{password}` (shown only now): see the token's life, its refresh and its end.

  issuer  {issuer}    keys at {issuer}/.well-known/jwks.json
  orders  {orders}
  ledger  {ledger}

Try it:
  TOKEN=$(curl -s -u web:{secret} -d grant_type=client_credentials {issuer}/oauth2/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -i -H "Authorization: Bearer $TOKEN" {orders}/whoami
  curl -i -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"item":"lamp","amount":3}}' {orders}/orders
  curl -i -H "Authorization: Bearer $TOKEN" {ledger}/whoami
  cargo xtask keys list --data-dir {directory}
  cargo xtask rotate-keys --now --data-dir {directory}

Ctrl-C ends all three."#
    );
}
