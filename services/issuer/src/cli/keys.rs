mod fleet;
mod follow;
mod list;
mod revoke;
mod rotate;
mod wait;

use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use claviger_jose::NumericDate;
use claviger_keyring::{FleetView, Keyring, Step};
use claviger_store::{ServingTime, Store, StoreError};

use super::{migrate, rewrap};
use crate::{
    actor::Actor,
    config::Config,
    keys::{Opened, Rotation, Taken, Vault},
    witnesses::Witnesses,
};

pub(super) use revoke::Revoke;

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Show every key, its state and its age, and the next step.
    List(Format),
    /// Show who holds which keys: the replicas of the issuer, and the services that verify its tokens.
    ///
    /// Verifiers name themselves and what they hold when they ask for keys; those of other products do not, and are not
    /// shown.
    Fleet(Format),
    /// Take the steps that are due by the policy; with `--now`, rotate ahead of the period.
    ///
    /// A running issuer takes due steps by itself. A rotation is refused before the next key has
    /// been published for as long as the lead: a verifier that has not learned the key would
    /// refuse good tokens. With `--wait` it comes as soon as all verifiers are known to hold the key.
    Rotate(rotate::Rotate),
    /// Declare a key dead: it leaves the published set at once, and the prepared key takes over.
    ///
    /// With `--compromised` the command then follows the fleet until the last verifier has dropped the key.
    Revoke(Revoke),
    /// Bring all keys under the current key-encryption key.
    ///
    /// To change it: name the new key among `previous_key_encryption_keys` of every replica, then make it the
    /// `key_encryption_key` and the old one a previous one, and then run this. Replicas go on all the while. When it
    /// says `stale_rows=0`, the old key can go.
    Rewrap(rewrap::Rewrap),
    /// Move an audience to another algorithm, as soon as all its verifiers hold the key.
    Migrate(migrate::Migrate),
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Format {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let keyroom = Keyroom::open(config).await?;
        match self {
            Self::List(format) => return list::run(&keyroom, format).await,
            Self::Fleet(format) => return fleet::run(&keyroom, format).await,
            Self::Rotate(rotate) => rotate.run(&keyroom).await?,
            Self::Revoke(revoke) => revoke.run(&keyroom).await?,
            Self::Rewrap(rewrap) => return rewrap.run(&keyroom.store, &keyroom.vault).await,
            Self::Migrate(migrate) => return migrate.run(config, &keyroom.store, &keyroom.vault).await,
        }
        // What was asked for is done, whether or not the keys can be shown.
        if let Err(error) = list::run(&keyroom, Format { json: false }).await {
            println!("the keys cannot be shown now: {error}");
        }
        Ok(())
    }
}

/// What the commands on keys work with.
pub(super) struct Keyroom<'c> {
    config: &'c Config,
    store: Store,
    vault: Arc<Vault>,
    rotation: Rotation,
}

impl<'c> Keyroom<'c> {
    pub(super) async fn open(config: &'c Config) -> anyhow::Result<Self> {
        let vault = Arc::new(Vault::unlock_without_module(config).await?);
        let store = super::store(config).await?;
        let rotation = Rotation::new(store.clone(), Arc::clone(&vault), config.policy, Actor::operator());
        Ok(Self { config, store, vault, rotation })
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    async fn opened(&self) -> anyhow::Result<Opened> {
        Ok(self.vault.read(&self.store.load_keys().await?))
    }

    /// The keys that are vouched for, and their revision.
    pub(super) async fn keyring(&self) -> anyhow::Result<(u64, Keyring)> {
        let opened = self.opened().await?;
        match opened.verify_only {
            Some(why) => bail!("verify-only: {why}"),
            None => Ok((opened.revision, opened.keyring)),
        }
    }

    /// Who holds what, and the time by which that is so.
    async fn fleet(&self) -> anyhow::Result<(FleetView, NumericDate)> {
        let witnesses = Witnesses::load(&self.store, &self.config.policy).await?;
        let now = self.store.now().await?;
        Ok((witnesses.view(&self.config.policy, now), now))
    }

    /// When some replica was ready, and the time by which that is so.
    async fn served(&self) -> anyhow::Result<(Option<ServingTime>, NumericDate)> {
        Ok((self.store.serving().await?, self.store.now().await?))
    }

    /// Makes the keys that are due, unless a running issuer does.
    async fn prepare_next(&self) -> anyhow::Result<()> {
        let (fleet, now) = self.fleet().await?;
        if fleet.live_replicas(&self.config.policy, now).next().is_some() {
            return Ok(());
        }
        if let Taken::Steps(steps) = self.rotation.take_due_steps().await? {
            tell(&steps);
        }
        Ok(())
    }
}

/// What was found; `None` while the database does not answer. Whoever waits for a fleet does not give up over that.
fn patiently<T>(found: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match found {
        Err(error) if error.downcast_ref().is_some_and(StoreError::is_transient) => Ok(None),
        found => found.map(Some),
    }
}

fn tell(steps: &[Step]) {
    for step in steps {
        println!("{}", describe(step));
    }
}

fn describe(step: &Step) -> String {
    match step {
        Step::Create { alg, active: true } => format!("a new {alg} key was made and signs at once"),
        Step::Create { alg, active: false } => format!("a new {alg} key was made and published"),
        Step::Activate { kid, .. } => format!("{kid} signs from now on"),
        Step::Remove { kid } => format!("{kid} left the published set"),
        Step::Revoke { kid } => format!("{kid} is revoked: it left the set and is named in the feed"),
    }
}
