//! People with a real browser: they sign in, allow, deny, look at their sessions, and sign out.

mod application;
mod looks;
mod orders_page;
mod pages;
mod session;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use e2e::{Browser, CodeFlow, Database, FLEET, IssuerHome, Look, ORDERS, Process, client, until};

use self::application::Application;

const PATIENCE: Duration = Duration::from_secs(30);
const DESK: Look = Look { width: 1280, dark: false };
const PERSON: &str = "minji.kim";
/// What the application says.
const HOME: &str = "You are home.";

/// An issuer, an application that is not its own, and somebody who wants to use it.
struct House {
    home: IssuerHome,
    _issuer: Process,
    application: Application,
    secret: String,
    password: String,
}

impl House {
    async fn start() -> anyhow::Result<Self> {
        let application = Application::start().await?;
        let home = IssuerHome::init(&Database::Sqlite, crate::BY_HAND).await?;
        let secrets = home.apply(&declaration(&application)).await?;
        let secret = secrets.into_iter().find(|(id, _)| id == "shop").context("shop has a secret")?.1;
        let password = home.add_person(PERSON, &["--name", "Minji Kim"]).await?;
        let issuer = home.listen(&[]).await?;
        Ok(Self { home, _issuer: issuer, application, secret, password })
    }

    /// A browser of this person; there may be several.
    async fn browser(&self, name: &str) -> anyhow::Result<Option<Browser>> {
        Browser::start(&self.home.path().join(format!("{name}.log"))).await
    }

    /// The way of the application to this person.
    fn flow(&self) -> CodeFlow {
        let scope = "openid profile offline_access orders:read";
        CodeFlow::new(self.home.url(), "shop", &self.application.callback, scope)
    }

    /// Signs in with the password and allows what is asked, if it is asked.
    async fn sign_in(&self, browser: &Browser, flow: &CodeFlow) -> anyhow::Result<()> {
        browser.open(&flow.url(), DESK).await?;
        fill_in(browser, &self.password).await?;
        browser.click("button[value=allow]").await?;
        let after = until("the password is taken", PATIENCE, || async {
            let text = browser.text().await.ok()?;
            (text.contains("Allow Shop") || text == HOME).then_some(text)
        });
        if after.await? != HOME {
            browser.click("button[value=allow]").await?;
        }
        self.is_home(browser).await
    }

    /// Waits until the application has the person back: through its callback, on its other host.
    async fn is_home(&self, browser: &Browser) -> anyhow::Result<()> {
        says(browser, HOME).await?;
        assert_eq!(browser.address().await?, self.application.home);
        Ok(())
    }

    /// The code of the answer that the application has had to this flow.
    fn code(&self, flow: &CodeFlow) -> anyhow::Result<String> {
        let mut answer = self.application.answer()?;
        assert_eq!(answer.get("state"), Some(&flow.state), "{answer:?}");
        assert_eq!(answer.get("iss").map(String::as_str), Some(self.home.url()), "{answer:?}");
        answer.remove("code").with_context(|| format!("no code: {answer:?}"))
    }

    /// The tokens for a code.
    async fn redeem(&self, flow: &CodeFlow) -> anyhow::Result<serde_json::Value> {
        let reply = flow.redeem(&client(), &self.secret, &self.code(flow)?).await?;
        assert_eq!(reply.status, 200, "{}", reply.body);
        Ok(reply.json())
    }
}

fn declaration(application: &Application) -> String {
    let Application { callback, home, .. } = application;
    format!(
        r#"{FLEET}
[[client]]
id = "shop"
team = "shop"
kind = "web"
name = "Shop"
redirect_uris = ["{callback}"]
post_logout_redirect_uris = ["{home}"]
identity_scopes = ["openid", "profile", "email", "offline_access"]
grant_types = ["authorization_code", "refresh_token"]
access."{ORDERS}" = ["orders:read"]
"#
    )
}

/// Waits until the page says something: a click does not wait for all the places that it leads through.
async fn says(browser: &Browser, words: &str) -> anyhow::Result<()> {
    let said = || async { browser.text().await.ok()?.contains(words).then_some(()) };
    let Err(never) = until(&format!("the page says {words:?}"), PATIENCE, said).await else { return Ok(()) };
    Err(never.context(browser.text().await?))
}

/// Writes name and password into the log-in page.
async fn fill_in(browser: &Browser, password: &str) -> anyhow::Result<()> {
    browser.write("input[name=username]", PERSON).await?;
    browser.write("input[name=password]", password).await
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots")
}

/// What the browser complained of, but for the statuses of pages that tell of a problem.
async fn complaints(browser: &Browser) -> anyhow::Result<Vec<String>> {
    let all = browser.complaints().await?;
    Ok(all.into_iter().filter(|one| !one.contains("responded with a status of")).collect())
}
