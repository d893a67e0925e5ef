use std::{fmt::Write, time::Duration};

use anyhow::{Context, ensure};

use crate::{CodeFlow, FLEET, Fleet, IssuerHome, ORDERS, PAGE, Reply, until};

/// How long a replica may take to notice what was applied.
const PATIENCE: Duration = Duration::from_secs(10);

/// An application that signs people in, as `fleet.toml` declares it.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// Its client id.
    pub id: &'a str,
    /// `web`, `native` or `browser`.
    pub kind: &'a str,
    /// Where people come back to, with a code and after they have signed out.
    pub redirect_uri: &'a str,
    /// More lines of its declaration.
    pub more: &'a str,
}

impl App<'_> {
    /// The declaration: it may read and write orders for people, and refresh.
    #[must_use]
    pub fn declaration(&self) -> String {
        let Self { id, kind, redirect_uri, more } = self;
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            r#"
[[client]]
id = "{id}"
team = "shop"
kind = "{kind}"
redirect_uris = ["{redirect_uri}"]
post_logout_redirect_uris = ["{redirect_uri}"]
identity_scopes = ["openid", "profile", "email", "offline_access"]
grant_types = ["authorization_code", "refresh_token"]
access."{ORDERS}" = ["orders:read", "orders:write"]
{more}"#
        );
        text
    }
}

impl Fleet {
    /// Lets applications sign people in, beside the clients that there are, and waits until each replica knows them; answers the
    /// secrets of those that have one.
    ///
    /// # Errors
    /// If the issuer refuses the declaration.
    pub async fn admit(&self, apps: &[App<'_>]) -> anyhow::Result<Vec<(String, String)>> {
        let declared: String = apps.iter().map(App::declaration).collect();
        let secrets = self.home.apply(&format!("{FLEET}{declared}")).await?;
        for replica in &self.issuers {
            for app in apps {
                let page = CodeFlow::new(replica.process.url(), app.id, app.redirect_uri, "openid").url();
                let known = || async {
                    Some(Reply::of(self.http.get(&page)).await.ok()?.status).filter(|status| *status == 200)
                };
                until("the application is known", PATIENCE, known).await?;
            }
        }
        Ok(secrets)
    }

    /// Lets people sign in on the page of `orders`; answers its address.
    ///
    /// # Errors
    /// If the issuer refuses the declaration.
    pub async fn admit_page(&self) -> anyhow::Result<String> {
        let (origin, page) = (self.orders.url(), format!("{}/", self.orders.url()));
        let more = format!("name = \"Orders\"\nfirst_party = true\norigins = [\"{origin}\"]");
        self.admit(&[App { id: PAGE, kind: "browser", redirect_uri: &page, more: &more }]).await?;
        Ok(page)
    }
}

impl IssuerHome {
    /// Adds a person who can sign in.
    ///
    /// # Errors
    /// If the command for it fails.
    pub async fn add_user(&self, username: &str, password: &str) -> anyhow::Result<()> {
        let ran = self.run_with(&["users", "add", username, "--password-stdin"], password).await?;
        ensure!(ran.succeeded, "users add failed: {}", ran.err);
        Ok(())
    }

    /// Adds a person, with more flags of the command; answers the password that it makes up and shows once.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_person(&self, username: &str, more: &[&str]) -> anyhow::Result<String> {
        let ran = self.run(&[&["users", "add", username], more].concat()).await?;
        ensure!(ran.succeeded, "users add failed: {}", ran.err);
        let shown = format!("password of {username} (shown only now): ");
        let password = ran.out.lines().find_map(|line| line.strip_prefix(&shown));
        password.map(str::to_owned).with_context(|| format!("a password is shown: {}", ran.out))
    }
}
