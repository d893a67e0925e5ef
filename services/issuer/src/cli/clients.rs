use anyhow::{Context, bail};
use clap::Subcommand;
use claviger_jose::base64url;
use claviger_keyring::rand_core::RngCore;
use claviger_oauth::{ApplicationKind, ClientId};
use claviger_store::{Client, Outcome, RegistrySnapshot, SecretHash};
use comfy_table::{Table, presets::NOTHING};
use serde_json::{Value, json};

use crate::{actor::Actor, config::Config, rng::SystemRng};

#[derive(Debug, Subcommand)]
pub(super) enum Clients {
    /// Show every client, its team, and how many of its secrets are live.
    List,
    /// Give a client a new secret and show it, once. The older ones go on for the overlap.
    #[command(visible_alias = "rotate-secret")]
    NewSecret {
        /// The client.
        client_id: ClientId,
        /// For how long the older secrets can still be used.
        #[arg(long, default_value = "24h")]
        overlap: humantime::Duration,
    },
}

impl Clients {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let store = super::store(config).await?;
        let now = store.now().await?;
        let RegistrySnapshot { revision, mut registry } = store.load_registry().await?;
        match self {
            Self::List => {
                let mut table = Table::new();
                table.load_style(NOTHING).set_header([
                    "client",
                    "team",
                    "kind",
                    "method",
                    "live secrets",
                    "access",
                ]);
                for client in &registry.clients {
                    let live = client.secrets.iter().filter(|secret| secret.is_live(now)).count();
                    let access =
                        client.grants.iter().map(|grant| format!("{}: {}", grant.audience, grant.scopes));
                    table.add_row([
                        client.client_id.to_string(),
                        client.team.to_string(),
                        kind(client),
                        client.method.as_str().to_owned(),
                        live.to_string(),
                        access.collect::<Vec<_>>().join("\n"),
                    ]);
                }
                println!("{table}");
                for member in &registry.unreadable {
                    println!("{member} cannot be read and gets no tokens: {}", member.reason);
                }
            }
            Self::NewSecret { client_id, overlap } => {
                let client = registry.clients.iter_mut().find(|client| client.client_id == client_id);
                let client = client.with_context(|| format!("there is no client {client_id}"))?;
                if !client.method.has_secret() {
                    bail!("{client_id} has no secrets: its method is {}", client.method);
                }
                let (secret, hash) = new_secret();
                let before = secrets(client);
                client.add_secret(hash, now, now + *overlap);
                let detail = json!({ "before": before, "after": secrets(client) });
                let acts = [Actor::operator().act("client.secret", client_id.to_string(), detail)];
                match store.replace_registry(revision, &registry, &acts).await? {
                    Outcome::Applied => println!("secret of {client_id} (shown only now): {secret}"),
                    Outcome::AlreadyRotated => bail!(
                        "somebody else changed the fleet at the same time; nothing was changed: try again"
                    ),
                }
            }
        }
        Ok(())
    }
}

/// What it is to people, for a table.
fn kind(client: &Client) -> String {
    let Some(application) = &client.application else {
        return "service".to_owned();
    };
    let kind = match application.kind {
        ApplicationKind::Web => "web",
        ApplicationKind::Native => "native",
        ApplicationKind::Browser => "browser",
    };
    let of_whom = if application.first_party { ", first party" } else { "" };
    let disabled = if client.disabled { ", disabled" } else { "" };
    format!("{kind}{of_whom}{disabled}")
}

/// The secrets of a client as the audit log tells them: by when they were made.
fn secrets(client: &Client) -> Value {
    let secrets = client.secrets.iter();
    secrets
        .map(|secret| json!({ "created_at": secret.created_at, "expires_at": secret.expires_at }))
        .collect()
}

/// A secret of 256 random bits, and the hash that is kept of it.
pub(super) fn new_secret() -> (String, SecretHash) {
    let mut random = [0; 32];
    SystemRng.fill_bytes(&mut random);
    let secret = base64url::encode(&random);
    let hash = SecretHash::of(&secret);
    (secret, hash)
}
