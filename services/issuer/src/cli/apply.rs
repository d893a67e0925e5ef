use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use claviger_jose::NumericDate;
use claviger_store::{Act, Client, Outcome, Registry, RegistrySnapshot, StoredSecret, UnreadableMember};
use serde_json::json;

use super::clients::new_secret;
use crate::{
    actor::Actor,
    config::Config,
    fleet::{Change, difference, parse},
};

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The fleet file.
    file: PathBuf,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Allow that what the file no longer declares is removed, with the secrets of its clients.
    #[arg(long)]
    allow_removals: bool,
}

impl Apply {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let name = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file).with_context(|| name.clone())?;
        let declared = parse(&name, &text, config.policy.lifetimes().token, &config.issuer)?;
        let store = super::store(config).await?;
        let RegistrySnapshot { revision, registry: present } = store.load_registry().await?;
        let changes = difference(&present, &declared);
        for change in &changes {
            println!("{change}");
        }
        if changes.is_empty() {
            println!("nothing changes");
            return Ok(());
        }
        if self.dry_run {
            println!("nothing was changed (--dry-run)");
            return Ok(());
        }
        let removed = changes.iter().filter(|change| matches!(change, Change::Removed(_))).count();
        if removed > 0 && !self.allow_removals {
            bail!(
                "{removed} would be removed, with the secrets of clients; nothing was changed: see --allow-removals"
            );
        }
        let (registry, secrets) = with_secrets(declared, &present, store.now().await?);
        let acts = [applied(&name, revision, &changes, &secrets)];
        match store.replace_registry(revision, &registry, &acts).await? {
            Outcome::Applied => {}
            Outcome::AlreadyRotated => {
                bail!("somebody else changed the fleet at the same time; nothing was changed: try again")
            }
        }
        for (client, secret) in secrets {
            println!("secret of {client} (shown only now): {secret}");
        }
        Ok(())
    }
}

/// What the audit log says of it.
fn applied(file: &str, revision: u64, changes: &[Change], secrets: &[(String, String)]) -> Act {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let made: Vec<&str> = secrets.iter().map(|(client, _)| client.as_str()).collect();
    let detail = json!({
        "before": { "revision": revision },
        "after": { "revision": revision + 1 },
        "changes": changes,
        "secrets_made_for": made,
    });
    Actor::operator().act("registry.apply", file, detail)
}

/// The declared fleet with the secrets that are there, and a new one for each client that needs one and has none. A client
/// that proves itself otherwise keeps no secret: a forgotten one would be a second way in.
fn with_secrets(
    mut declared: Registry,
    present: &Registry,
    now: NumericDate,
) -> (Registry, Vec<(String, String)>) {
    let mut shown = Vec::new();
    let by_secret = |client: &&mut Client| client.method.has_secret();
    for client in declared.clients.iter_mut().filter(by_secret) {
        client.secrets = secrets_of(present, client);
        if client.secrets.is_empty() {
            let (secret, hash) = new_secret();
            client.add_secret(hash, now, now);
            shown.push((client.client_id.to_string(), secret));
        }
    }
    (declared, shown)
}

fn secrets_of(present: &Registry, client: &Client) -> Vec<StoredSecret> {
    if let Some(before) = present.clients.iter().find(|before| before.client_id == client.client_id) {
        return before.secrets.clone();
    }
    let mut unreadable = present.unreadable.iter();
    let before = unreadable.find(|member| member.client_id() == Some(client.client_id.as_str()));
    before.map(UnreadableMember::secrets).unwrap_or_default()
}
