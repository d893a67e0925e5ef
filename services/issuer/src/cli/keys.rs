use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{Keyring, RotationPolicy, Step, StepRefused};
use comfy_table::{Table, presets::NOTHING};

use crate::{
    clock::wall_clock,
    config::Config,
    keys::{Rotation, RotationError, Taken, Vault},
};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Show every key, its state and its age, and the next step.
    List,
    /// Take the steps that are due by the policy; with `--now`, rotate ahead of the period.
    ///
    /// A running issuer takes due steps by itself. A rotation is refused before the next key has
    /// been published for as long as the lead: a verifier that has not learned the key would
    /// refuse good tokens.
    Rotate(Rotate),
    /// Declare a key dead: it leaves the published set at once, and the prepared key takes over.
    Revoke {
        /// The key's identifier, as `keys list` shows it.
        kid: Kid,
    },
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Only this algorithm: RS256 or ES256.
    #[arg(long, requires = "now")]
    alg: Option<Algorithm>,
    /// Rotate now, although the period is not over.
    #[arg(long)]
    now: bool,
}

impl Keys {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let vault = Arc::new(Vault::unlock(config).await?);
        let store = super::store(config).await?;
        let rotation = Rotation::new(store.clone(), Arc::clone(&vault), config.policy);
        let taken = match self {
            Self::List => None,
            Self::Rotate(Rotate { now: false, .. }) => Some(rotation.take_due_steps().await?),
            Self::Rotate(Rotate { alg, .. }) => {
                let algs = alg.as_ref().map_or(&Algorithm::ALL[..], std::slice::from_ref);
                Some(rotation.rotate_now(algs).await.map_err(in_words)?)
            }
            Self::Revoke { kid } => Some(rotation.revoke(kid).await?),
        };
        match taken {
            None => {}
            Some(Taken::Nothing) => println!("nothing is due; `--now` rotates ahead of the period"),
            Some(Taken::AlreadyRotated) => println!("somebody else changed the keys at the same time:"),
            Some(Taken::Steps(steps)) => steps.iter().for_each(|step| println!("{}", describe(step))),
        }
        let opened = vault.open(&store.load_keys().await?, &[]);
        let now = store.now().await?;
        println!("{}", table(&opened.keyring, now));
        match opened.verify_only {
            Some(why) => println!("verify-only: {why}"),
            None => println!("{}", next_step(&opened.keyring, &config.policy, now)),
        }
        Ok(())
    }
}

/// A refusal for the clock's sake, with the time as people read it.
fn in_words(error: RotationError) -> anyhow::Error {
    let RotationError::Refused(StepRefused::TooEarly { alg, earliest }) = error else {
        return error.into();
    };
    let time = UNIX_EPOCH + Duration::from_secs(earliest.as_secs());
    let left = span(earliest.since(wall_clock()));
    anyhow!(
        "the next {alg} key may sign from {} on, in {left}: verifiers must have learned it first",
        humantime::format_rfc3339_seconds(time)
    )
}

fn describe(step: &Step) -> String {
    match step {
        Step::Create { alg, active: true } => format!("a new {alg} key was made and signs at once"),
        Step::Create { alg, active: false } => format!("a new {alg} key was made and published"),
        Step::Activate { kid, .. } => format!("{kid} signs from now on"),
        Step::Remove { kid } => format!("{kid} left the published set"),
        Step::Revoke { kid } => format!("{kid} left the set; verifiers drop it with their next refresh"),
    }
}

fn table(keyring: &Keyring, now: NumericDate) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["kid", "alg", "state", "for", "until"]);
    let mut keys: Vec<_> = keyring.keys().iter().collect();
    keys.sort_by_key(|key| (key.jwk.alg(), key.state.since()));
    for key in keys {
        let left = key.state.until().map(|until| format!("in {}", span(until.since(now))));
        table.add_row([
            key.jwk.kid().to_string(),
            key.jwk.alg().to_string(),
            key.state.name().to_owned(),
            span(now.since(key.state.since())),
            left.unwrap_or_default(),
        ]);
    }
    table
}

fn next_step(keyring: &Keyring, policy: &RotationPolicy, now: NumericDate) -> String {
    match keyring.next_due(policy) {
        Some((at, step)) if at > now => format!("next: {} in {}", announce(&step), span(at.since(now))),
        Some((_, step)) => {
            format!("next: {}, due now: a running issuer does it within a second", announce(&step))
        }
        None => "nothing will be due".to_owned(),
    }
}

fn announce(step: &Step) -> String {
    match step {
        Step::Create { alg, .. } => format!("a new {alg} key"),
        Step::Activate { kid, .. } => format!("{kid} begins to sign"),
        Step::Remove { kid } => format!("{kid} leaves the set"),
        Step::Revoke { kid } => format!("{kid} is revoked"),
    }
}

fn span(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
