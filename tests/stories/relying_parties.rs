//! Clients that none of us wrote sign a person in: discovery, the code flow with PKCE, userinfo, refresh, revocation and
//! log-out, against a real issuer process.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use e2e::{App, Database, Fleet, ORDERS, Person};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::interop::{found, installed, script};

const PATIENCE: Duration = Duration::from_mins(1);
const PASSWORD: &str = "rain on a tin roof in october";
const CALLBACK: &str = "http://127.0.0.1:9797/callback";

/// Lets a foreign client sign a person in, and answers what it has told.
///
/// Each line `visit URL` of it is a way of the person's browser; it reads the address at which that ends.
async fn walk(app: App<'_>, client: impl FnOnce() -> Command) -> anyhow::Result<Vec<String>> {
    let fleet = Fleet::start(&Database::of_run(), &[("SERVER_DRAIN_DELAY", "0s")]).await?;
    let secrets = fleet.admit(&[app]).await?;
    fleet.home.add_user("ann", PASSWORD).await?;
    let secret = secrets.into_iter().find(|(client, _)| client == app.id).map(|(_, secret)| secret);
    let mut command = client();
    command.args([fleet.home.url(), app.id, app.redirect_uri, ORDERS]);
    command.env("CLIENT_SECRET", secret.unwrap_or_default());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut running = command.spawn()?;
    let (input, output) = (running.stdin.take(), running.stdout.take());
    let (mut input, output) = (input.context("standard input")?, output.context("standard output")?);

    let mut person = Person::new();
    let mut told = Vec::new();
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.context("the client goes on")?? {
        if let Some(url) = line.strip_prefix("visit ") {
            let arrived = arrive(&mut person, fleet.home.url(), url).await?;
            input.write_all(format!("{arrived}\n").as_bytes()).await?;
        } else {
            println!("{}: {line}", app.id);
            told.push(line);
        }
    }
    let status = timeout(PATIENCE, running.wait()).await??;
    ensure!(status.success(), "{} gave up: {status}", app.id);
    Ok(told)
}

/// Goes where the issuer leads, signs in and says yes where that is asked for, until another site is reached.
async fn arrive(person: &mut Person, issuer: &str, url: &str) -> anyhow::Result<String> {
    let mut reply = person.get(url).await?;
    for _ in 0..8 {
        reply = person.follow(reply, issuer).await?;
        let location = reply.header("location").to_owned();
        if !location.is_empty() {
            return Ok(location);
        }
        reply = if reply.body.contains(r#"name="password""#) {
            person.sign_in(&reply, "ann", PASSWORD).await?
        } else {
            person.consent(&reply, "allow").await?
        };
    }
    anyhow::bail!("no way out of {url}: {} {}", reply.status, reply.body)
}

#[expect(clippy::needless_pass_by_value, reason = "what was told is not needed afterwards")]
fn check(told: Vec<String>, more: &[&str]) {
    let common = ["ok discovery", "ok userinfo of ann", "ok refresh", "ok log-out"];
    for line in common.iter().chain(more) {
        assert!(told.iter().any(|told| told == line), "{line} is not in {told:?}");
    }
    assert!(told.last().is_some_and(|line| line.starts_with("sub user:")), "{told:?}");
}

#[tokio::test]
async fn openid_client_signs_a_person_in() -> anyhow::Result<()> {
    let Some(_) = found(installed().join("node_modules/openid-client"), "the node package openid-client")
    else {
        return Ok(());
    };
    let more = "name = \"Shop\"\nmethod = \"client_secret_post\"";
    let app = App { id: "node-shop", kind: "web", redirect_uri: CALLBACK, more };
    let told = walk(app, || {
        let mut command = Command::new("node");
        command.arg(script("openid_client.mjs")).arg(installed());
        command
    });
    check(told.await?, &["ok pushed request, code with PKCE, id token", "ok introspection, revocation"]);
    Ok(())
}

#[tokio::test]
async fn authlib_signs_a_person_in() -> anyhow::Result<()> {
    let Some(python) = found(installed().join("venv/bin/python"), "Authlib") else { return Ok(()) };
    let app = App { id: "python-shop", kind: "web", redirect_uri: CALLBACK, more: "name = \"Shop\"" };
    let told = walk(app, || {
        let mut command = Command::new(python);
        command.arg(script("authlib_client.py"));
        command
    });
    check(told.await?, &["ok code with PKCE, id token", "ok revocation"]);
    Ok(())
}

#[tokio::test]
async fn the_openidconnect_crate_signs_a_person_in() -> anyhow::Result<()> {
    let built = Path::new("relying-party/debug/relying-party");
    let Some(program) = found(installed().join(built), "tests/relying-party") else { return Ok(()) };
    let app = App { id: "rust-shop", kind: "native", redirect_uri: CALLBACK, more: "name = \"Shop\"" };
    let told = walk(app, || Command::new(program));
    check(told.await?, &["ok code with PKCE, id token", "ok revocation"]);
    Ok(())
}
