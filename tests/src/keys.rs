use std::time::Duration;

use anyhow::{Context, ensure};

use crate::{IssuerHome, Ran, Reply, until};

/// A key as `claviger keys list` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its identifier.
    pub kid: String,
    /// `RS256` or `ES256`.
    pub alg: String,
    /// The name of its state.
    pub state: String,
}

impl IssuerHome {
    /// All keys, tombstones included.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn keys(&self) -> anyhow::Result<Vec<ListedKey>> {
        let ran = self.run(&["keys", "list", "--json"]).await?;
        ensure!(ran.succeeded, "keys cannot be listed: {}", ran.err);
        let listed: serde_json::Value = serde_json::from_str(&ran.out)?;
        let text = |key: &serde_json::Value, name: &str| key[name].as_str().unwrap_or_default().to_owned();
        let keys = listed["keys"].as_array().context("keys")?.iter();
        Ok(keys
            .map(|key| ListedKey { kid: text(key, "kid"), alg: text(key, "alg"), state: text(key, "state") })
            .collect())
    }

    /// The kid of the one key of an algorithm in a state.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub async fn kid(&self, alg: &str, state: &str) -> anyhow::Result<String> {
        let keys = self.keys().await?;
        let mut found = keys.into_iter().filter(|key| key.alg == alg && key.state == state);
        let kid = found.next().with_context(|| format!("no {state} {alg} key"))?.kid;
        ensure!(found.next().is_none(), "more than one {state} {alg} key");
        Ok(kid)
    }

    /// Rotates as soon as that is not refused any more, for at most `within`.
    ///
    /// # Errors
    /// If it is refused until then.
    pub async fn rotate(&self, within: Duration) -> anyhow::Result<Ran> {
        let rotated = || async {
            let ran = self.run(&["keys", "rotate", "--now"]).await.ok()?;
            (ran.succeeded && ran.out.contains("signs from now on")).then_some(ran)
        };
        until("the keys rotate", within, rotated).await
    }
}

/// The kids that an issuer, or one replica of it, publishes.
///
/// # Errors
/// If it publishes nothing.
pub async fn published(http: &reqwest::Client, base: &str) -> anyhow::Result<Vec<String>> {
    let set = Reply::of(http.get(format!("{base}/.well-known/jwks.json"))).await?;
    ensure!(set.status == 200, "the key set is answered with {}", set.status);
    let keys = set.json()["keys"].as_array().cloned().unwrap_or_default();
    Ok(keys.iter().filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect())
}
