use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use clap::Args;
use claviger_oauth::Issuer;
use claviger_store::Store;
use migrations::Migrator;

use super::config;
use crate::{config::CONFIG_FILE, keys::create_kek};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The issuer identifier: the URL at which clients and verifiers reach the issuer.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    issuer: Issuer,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The address to listen on for operators, or `off`.
    #[arg(long, default_value = "127.0.0.1:8082")]
    admin_listen: String,
    /// The database: `sqlite://` with a path, from the data directory if relative, or `postgres://`.
    #[arg(long, default_value = "sqlite://claviger.db")]
    database: String,
}

impl Init {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<()> {
        let path = data_dir.join(CONFIG_FILE);
        if path.exists() {
            bail!("{} exists: this data directory is in use", path.display());
        }
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .with_context(|| data_dir.display().to_string())?;
        let kek = data_dir.join("kek");
        if !kek.exists() {
            create_kek(&kek)?;
        }
        // A PostgreSQL URL may carry a password: the file is private too.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(self.configuration().as_bytes())?;
        let opened = async {
            let config = config(data_dir)?;
            let store = Store::open::<Migrator>(&config.database).await?;
            anyhow::Ok(store.bind_issuer(config.issuer.as_str()).await?)
        };
        if let Err(error) = opened.await {
            fs::remove_file(&path)?; // so that a corrected `init` can be run again
            return Err(error);
        }
        let directory = data_dir.display();
        println!("made {directory} with {CONFIG_FILE}, key-encryption key and database");
        println!("back up {} apart from the database: without it the signing keys are lost", kek.display());
        if self.issuer.as_str().starts_with("https://") {
            println!("name the proxy that terminates TLS in server.trusted_proxies of {CONFIG_FILE}");
        }
        println!(
            "next: claviger --data-dir {directory} apply fleet.toml && claviger --data-dir {directory} serve"
        );
        Ok(())
    }

    fn configuration(&self) -> String {
        let Self { issuer, listen, admin_listen, database } = self;
        format!(
            r##"# The issuer identifier, byte for byte as verifiers are configured.
issuer = "{issuer}"
listen = "{listen}"
# sqlite://PATH (from this directory if relative) or postgres://USER:PASSWORD@HOST/NAME
database = {database:?}
# A file that only its owner can read; or {{ command = ["vault", "read", ..] }}, which writes the key to its output and
# gets PATH, HOME and what `environment = [..]` names; or {{ env = "NAME", allow_environment = true }}: a variable cannot be
# taken back out of the environment of a process, and stays with whoever started it.
key_encryption_key = "kek"
# To change it, see `claviger keys rewrap --help`.
# previous_key_encryption_keys = []
# The longest lifetime of an access token; a resource server may have a shorter one.
token_lifetime = "5m"

[rotation]
# A key signs for the period; it is published for the lead before, and for the tail after.
period = "30d"
lead = "24h"
tail = "1h"
# How old this process's view of the keys may be while it signs.
lease = "60s"

# Where new signing keys are made: "local", or "pkcs11", in a token that they never leave.
# [keys]
# provider = "pkcs11"
# [keys.pkcs11]
# module = "/usr/lib/softhsm/libsofthsm2.so"
# token = "label"
# pin = {{ file = "pin" }}

[verifiers]
# How long a verifier holds a key set before it asks again, and for how long while nobody answers.
freshness = "5m"
staleness = "24h"
skew = "30s"
# How often a verifier asks for revocations, 5s to 60s: that soon a revoked key is dead everywhere.
poll = "15s"
# Verifiers other than Claviger's may look for new keys only once an hour.
foreign = true

[sign_in]
# When people must sign in again: after so long without use, and after so long in any case.
session_idle = "12h"
session_lifetime = "30d"
# The same for what applications hold for them.
refresh_idle = "14d"
refresh_lifetime = "30d"
# For how long an application whose answer was lost gets the same refresh token again, at most 60s.
refresh_grace = "10s"
# Characters of a new password, at least 15.
password_min = 15

# Whose pages people see.
# [brand]
# name = "Claviger"
# color = "#247a72"
# logo = "logo.svg"

[server]
connections = 1024
# One host may have so many of them; a trusted proxy may have all.
connections_per_address = 256
# The proxies that terminate TLS, as addresses or prefixes. From them alone X-Forwarded-For is believed, which they must
# append to. Where one is not named, its address stands for everybody's: what one guesses wrong locks all others out.
trusted_proxies = []
drain_delay = "5s"

[admin]
# For operators: their API, metrics and status, apart from everybody else's listener; or "off".
listen = {admin_listen:?}
# Another machine may reach it only if this says so.
allow_remote = false
"##
        )
    }
}
