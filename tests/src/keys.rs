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
        let ran = self.run(&["keys", "list"]).await?;
        ensure!(ran.succeeded, "keys cannot be listed: {}", ran.err);
        let key = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let (kid, alg, state) = (words.next()?, words.next()?, words.next()?);
            ["RS256", "ES256"].contains(&alg.as_str()).then_some(ListedKey { kid, alg, state })
        };
        Ok(ran.out.lines().filter_map(key).collect())
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
