use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use e2e::{FLEET, Fleet, Reply, account::moment, until};
use tokio::time::sleep;

use crate::rig::PATIENCE;

/// P, as the rig has it, and a second of rounding.
const LEAD: u64 = 5;

/// The operators' way in: the admin listeners of all replicas, and a client that may use them.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    urls: Vec<String>,
    issuer: String,
    secret: String,
    http: reqwest::Client,
}

/// What an operator has seen, and his token.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    token: String,
    revision: String,
}

impl Admin {
    /// Declares an operator, and gets a token.
    pub(crate) async fn of(fleet: &mut Fleet) -> anyhow::Result<Self> {
        let mut urls = Vec::new();
        for replica in &mut fleet.issuers {
            urls.push(replica.process.admin_address().await?);
        }
        let audience = format!("{}/admin", fleet.home.url());
        let scopes = r#"["keys:read", "keys:rotate"]"#;
        let declared = format!(
            "{FLEET}\n[[client]]\nid = \"operator\"\nteam = \"shop\"\naccess.\"{audience}\" = {scopes}\n"
        );
        let secrets = fleet.home.apply(&declared).await?;
        let (_, secret) = secrets.into_iter().find(|(client, _)| client == "operator").context("a secret")?;
        let issuer = fleet.home.url().to_owned();
        let admin = Self { urls, issuer, secret, http: fleet.http.clone() };
        let known = || async { admin.token().await.ok() };
        until("the operator is known everywhere", PATIENCE, known).await?;
        Ok(admin)
    }

    /// A new one each time: they do not live long.
    async fn token(&self) -> anyhow::Result<String> {
        let audience = format!("{}/admin", self.issuer);
        let form = [("grant_type", "client_credentials"), ("resource", audience.as_str())];
        let asked = self.http.post(format!("{}/oauth2/token", self.issuer));
        let reply = Reply::of(asked.basic_auth("operator", Some(&self.secret)).form(&form)).await?;
        reply.json()["access_token"].as_str().map(str::to_owned).context("a token for the operator")
    }

    /// The revision of the keys in which the prepared key of this algorithm may sign; it is waited for.
    pub(crate) async fn rotatable(&self, alg: &str) -> anyhow::Result<Seen> {
        let start = Instant::now();
        loop {
            let found = self.rotatable_now(alg).await;
            if found.is_ok() || start.elapsed() > PATIENCE {
                return found;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn rotatable_now(&self, alg: &str) -> anyhow::Result<Seen> {
        let token = self.token().await?;
        let asked = self.http.get(format!("{}/admin/v1/keys", self.urls[0])).bearer_auth(&token);
        let reply = Reply::of(asked).await?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.body);
        let keys = reply.json();
        let keys = keys["keys"].as_array().context("keys")?;
        let mut prepared = keys.iter().filter(|key| key["alg"] == alg && key["state"] == "prepared");
        let since =
            prepared.next().and_then(|key| key["since"].as_u64()).context("a prepared key and its time")?;
        ensure!(moment().as_secs() > since + LEAD, "it is too early");
        Ok(Seen { token, revision: reply.header("etag").to_owned() })
    }

    /// What an operator who has seen this revision is answered; each asks one of the replicas.
    pub(crate) async fn rotate(&self, operator: usize, alg: &str, seen: &Seen) -> anyhow::Result<u16> {
        let url = &self.urls[operator % self.urls.len()];
        let asked = self.http.post(format!("{url}/admin/v1/keys/rotate")).bearer_auth(&seen.token);
        let body = serde_json::json!({ "alg": alg });
        Ok(Reply::of(asked.header("if-match", &seen.revision).json(&body)).await?.status)
    }
}
