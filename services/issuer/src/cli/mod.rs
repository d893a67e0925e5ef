//! The command line of `claviger`.

mod apply;
mod audit;
mod clients;
mod horizons;
mod init;
mod keys;
mod migrate;
mod progress;
mod restored;
mod revoke;
mod rewrap;
mod serve;
mod users;
mod words;

use std::{
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use anyhow::ensure;
use clap::{Parser, Subcommand};
use claviger_store::{Store, StoreError};
use migrations::Migrator;
use rustix::{
    io::Errno,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
};

use crate::{config::Config, declared::Mistakes};

/// An identity provider for fleets of services: signs tokens, publishes its keys, rotates them.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, propagate_version = true)]
pub struct Cli {
    /// The data directory: configuration, key-encryption key and, by default, the database.
    #[arg(long, short = 'd', global = true, env = "CLAVIGER_DATA_DIR", default_value = "claviger-data")]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a data directory with configuration, key-encryption key and database.
    Init(init::Init),
    /// Serve tokens and keys until SIGTERM or Ctrl-C.
    ///
    /// Every setting of `claviger.toml` can be given in the environment: `CLAVIGER_ISSUER`,
    /// `CLAVIGER_LISTEN`, `CLAVIGER_DATABASE`, `CLAVIGER_ROTATION_LEAD`, ... `CLAVIGER_LOG` sets
    /// what is logged (default: info).
    ///
    /// It prints where it listens, and on a second line where it listens for operators (`admin.listen`, by default
    /// on this machine only).
    Serve,
    /// Make the registry say what a fleet file declares: teams, resource servers, clients.
    Apply(apply::Apply),
    /// Look at the signing keys and change them.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Revoke keys, tokens, sessions, subjects or clients: verifiers that work offline learn it within seconds.
    #[command(subcommand)]
    Revoke(revoke::Revoke),
    /// Read the audit log: who did what to keys, clients and revocations, and what was refused.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Look at the clients and change their secrets.
    #[command(subcommand)]
    Clients(clients::Clients),
    /// Look at the people who can sign in, add them, bring them from elsewhere, keep them out.
    #[command(subcommand)]
    Users(users::Users),
    /// Say that the database was restored from a backup, before anybody is served from it: everybody is signed out, and
    /// nothing that can be used once is left.
    Restored(restored::Restored),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, to be shown in one line; bad configuration and fleet files in one line
    /// per mistake.
    pub async fn run(self) -> anyhow::Result<()> {
        if let Err(error) = no_core_dumps() {
            eprintln!("core dumps could not be turned off: {error}");
        }
        match self.command {
            Command::Init(init) => init.run(&self.data_dir).await,
            Command::Serve => serve::run(config(&self.data_dir)?).await,
            Command::Apply(apply) => apply.run(&config(&self.data_dir)?).await,
            Command::Keys(keys) => keys.run(&config(&self.data_dir)?).await,
            Command::Revoke(revoke) => revoke.run(&config(&self.data_dir)?).await,
            Command::Audit(audit) => audit.run(&config(&self.data_dir)?).await,
            Command::Clients(clients) => clients.run(&config(&self.data_dir)?).await,
            Command::Users(users) => users.run(&config(&self.data_dir)?).await,
            Command::Restored(restored) => restored.run(&config(&self.data_dir)?).await,
        }
    }
}

/// A core file would hold the key-encryption key, and signing keys.
fn no_core_dumps() -> Result<(), Errno> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// The database of an issuer that `init` has made.
async fn store(config: &Config) -> Result<Store, StoreError> {
    let store = Store::open_existing::<Migrator>(&config.database).await?;
    store.bind_issuer(config.issuer.as_str()).await?;
    Ok(store)
}

/// Asks before something that cannot be undone, unless that was confirmed already.
fn ensure_meant(what: &str, confirmed: bool) -> anyhow::Result<()> {
    if confirmed {
        return Ok(());
    }
    ensure!(stdin().is_terminal(), "nothing was done: confirm with --yes where there is no terminal to ask");
    println!("{what}? Type \"yes\" to go on:");
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    ensure!(answer.trim() == "yes", "nothing was done");
    Ok(())
}

fn config(data_dir: &Path) -> Result<Config, Mistakes> {
    Config::load(data_dir, |name| std::env::var(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One thumbprint in 64 begins with a hyphen.
    #[test]
    fn a_name_that_begins_with_a_hyphen_is_no_option_and_what_follows_it_is_one() {
        let kid = "-zDJUP7sUQh4068ihezTd4psNWmfGydh5vKu-p0w5mk";
        for command in [
            &["keys", "revoke", kid, "--compromised"][..],
            &["keys", "revoke", "--compromised", kid],
            &["keys", "rotate", "--compromised", kid],
            &["revoke", "kid", kid, "--compromised"],
            &["revoke", "jti", "-a"],
            &["revoke", "sid", "-a"],
            &["revoke", "subject", "-a"],
        ] {
            let parsed = Cli::try_parse_from(["claviger"].iter().chain(command));
            let parsed = format!("{:?}", parsed.unwrap_or_else(|error| panic!("{command:?}: {error}")));
            assert!(!command.contains(&kid) || parsed.contains(kid), "{parsed}");
            assert!(
                !command.contains(&"--compromised") || !parsed.contains("compromised: false"),
                "{parsed}"
            );
        }
    }
}
