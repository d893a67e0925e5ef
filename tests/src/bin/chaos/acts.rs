use anyhow::ensure;
use e2e::{Loading, Ran};

use crate::rig::{PATIENCE, Rig};

/// What an operator was told to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// This key is revoked.
    Revoked(String),
    /// This key has begun to sign.
    Promoted(String),
}

impl Rig {
    /// Revokes a key, noted in the account, and answers what the command said.
    pub(crate) async fn revoke(&self, loading: &Loading, kid: &str, flags: &[&str]) -> anyhow::Result<Ran> {
        loading.note_revoked(kid);
        let ran = self.fleet.home.run(&[&["keys", "revoke", kid][..], flags].concat()).await?;
        ensure!(ran.succeeded, "the key cannot be revoked: {} {}", ran.out, ran.err);
        self.acknowledge(Act::Revoked(kid.to_owned()));
        Ok(ran)
    }

    /// Rotates both algorithms as soon as that is possible.
    pub(crate) async fn rotate(&self) -> anyhow::Result<()> {
        self.fleet.home.rotate(PATIENCE).await?;
        self.acknowledge_promoted("ES256").await?;
        self.acknowledge_promoted("RS256").await
    }

    /// Notes which key signs, after an operator was told that it does.
    pub(crate) async fn acknowledge_promoted(&self, alg: &str) -> anyhow::Result<()> {
        let kid = self.fleet.home.kid(alg, "active").await?;
        self.acknowledge(Act::Promoted(kid));
        Ok(())
    }

    /// V5: how many acts were acknowledged, the last declaration of the fleet among them, and those of which nothing is
    /// known any more.
    pub(crate) async fn lost(&self) -> anyhow::Result<(usize, Vec<String>)> {
        let acts = self.acknowledged();
        let keys = self.fleet.home.keys().await?;
        let is_kept = |act: &Act| match act {
            Act::Revoked(kid) => keys.iter().any(|key| key.kid == *kid && key.state == "revoked"),
            Act::Promoted(kid) => keys.iter().any(|key| key.kid == *kid && key.state != "prepared"),
        };
        let mut lost: Vec<_> =
            acts.iter().filter(|act| !is_kept(act)).map(|act| format!("{act:?}")).collect();
        let declared = self.fleet.home.path().join("fleet.toml");
        let planned = self.fleet.home.run(&["apply", "--dry-run", &declared.to_string_lossy()]).await?;
        ensure!(planned.succeeded, "{} {}", planned.out, planned.err);
        lost.extend(planned.out.lines().filter(|line| line.starts_with(['+', '~'])).map(str::to_owned));
        Ok((acts.len() + 1, lost))
    }
}
