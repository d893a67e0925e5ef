//! The settings of an issuer, checked as a whole before anything is opened.

use std::{fmt::Display, net::SocketAddr, num::NonZeroUsize, path::Path, str::FromStr, time::Duration};

use claviger_keyring::{Lifetimes, RotationPolicy};
use claviger_oauth::Issuer;

use crate::{
    declared::{Document, Mistakes, Table},
    http::ConnectionLimits,
    keys::KeySettings,
};

/// The name of the configuration file in the data directory.
pub const CONFIG_FILE: &str = "claviger.toml";

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The settings of one issuer: `claviger.toml` in its data directory, with the environment over it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The issuer identifier, in every token and in the metadata.
    pub issuer: Issuer,
    /// Where to listen.
    pub listen: SocketAddr,
    /// `sqlite://` or `postgres://`.
    pub database: String,
    /// Where the signing keys are kept, and under which key-encryption keys.
    pub keys: KeySettings,
    /// When keys change.
    pub policy: RotationPolicy,
    /// M: for how long verifiers may use the key set while the issuer is away.
    pub staleness: Duration,
    /// How long a connection may wait, and how many there may be.
    pub limits: ConnectionLimits,
}

impl Config {
    /// Reads the configuration of a data directory.
    ///
    /// # Errors
    /// All [`Mistakes`] of the file and the environment at once.
    pub fn load(data_dir: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Mistakes> {
        let path = data_dir.join(CONFIG_FILE);
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let hint = "`claviger init` makes a data directory";
            Mistakes(vec![crate::declared::Mistake {
                place: name.clone(),
                message: format!("{error}; {hint}"),
            }])
        })?;
        Self::parse(&name, &text, data_dir, environment)
    }

    /// Reads a configuration's text. `environment` answers the value of a variable by name; relative
    /// paths are taken from `data_dir`.
    ///
    /// # Errors
    /// All [`Mistakes`] at once.
    pub fn parse(
        name: &str,
        text: &str,
        data_dir: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Mistakes> {
        let document = Document::new(name, text);
        let root = document.root();
        let reader = Reader { document: &document, environment: &environment };
        let config = reader.config(&root, data_dir);
        root.finish();
        document.finish(config)
    }
}

/// Reads settings by name, the environment over the file: `CLAVIGER_ROTATION_LEAD` is
/// `rotation.lead`, and so on.
struct Reader<'r, 't> {
    document: &'r Document<'t>,
    environment: &'r dyn Fn(&str) -> Option<String>,
}

impl Reader<'_, '_> {
    fn config(&self, root: &Table<'_, '_>, data_dir: &Path) -> Option<Config> {
        let issuer: Option<Issuer> = self.required(root, "issuer");
        let listen = self.required(root, "listen");
        let database = self.database(root, data_dir);
        let key_file = self.variable(root, "key_encryption_key");
        let keys = KeySettings::read(self.document, root, key_file, data_dir);
        let loopback = issuer.as_ref().is_some_and(Issuer::is_loopback);
        let (policy, staleness) = self.policy(root, loopback);
        let limits = self.limits(root);
        Some(Config {
            issuer: issuer?,
            listen: listen?,
            database: database?,
            keys: keys?,
            policy: policy?,
            staleness,
            limits,
        })
    }

    fn database(&self, root: &Table<'_, '_>, data_dir: &Path) -> Option<String> {
        let url: String = self.required(root, "database")?;
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Some(format!("sqlite://{}", data_dir.join(path).display()));
        }
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            let message = "`database` must begin with sqlite:// or postgres://".to_owned();
            self.document.note(root.line_of("database"), message);
        }
        Some(url)
    }

    fn policy(&self, root: &Table<'_, '_>, loopback: bool) -> (Option<RotationPolicy>, Duration) {
        let defaults = Lifetimes::default();
        let (rotation, verifiers) = (root.table("rotation"), root.table("verifiers"));
        let foreign = verifiers.boolean("foreign");
        let lifetimes = Lifetimes {
            token: self.duration(root, "token_lifetime", defaults.token),
            period: self.duration(&rotation, "period", defaults.period),
            lead: self.duration(&rotation, "lead", defaults.lead),
            tail: self.duration(&rotation, "tail", defaults.tail),
            lease: self.duration(&rotation, "lease", defaults.lease),
            skew: self.duration(&verifiers, "skew", defaults.skew),
            freshness: self.duration(&verifiers, "freshness", defaults.freshness),
            foreign_verifiers: self
                .variable(&verifiers, "foreign")
                .or(foreign)
                .unwrap_or(defaults.foreign_verifiers),
        };
        let staleness = self.duration(&verifiers, "staleness", DAY);

        // Verifiers clamp what they are told; a loopback issuer is for development, where time is compressed.
        let floor = Duration::from_secs(if loopback { 1 } else { 60 });
        if !(floor..=HOUR).contains(&lifetimes.freshness) {
            let message = format!("`verifiers.freshness` must be {} s to 1 h", floor.as_secs());
            self.document.note(verifiers.line(), message);
        }
        if staleness > 3 * DAY {
            self.document.note(verifiers.line(), "`verifiers.staleness` must be at most 72h".to_owned());
        }
        let policy = RotationPolicy::new(lifetimes);
        for broken in policy.as_ref().err().into_iter().flatten() {
            self.document.note(rotation.line(), broken.to_string());
        }
        rotation.finish();
        verifiers.finish();
        (policy.ok(), staleness)
    }

    fn limits(&self, root: &Table<'_, '_>) -> ConnectionLimits {
        let server = root.table("server");
        let defaults = ConnectionLimits::default();
        let count = |name, default| {
            let declared = server.count(name);
            self.variable::<NonZeroUsize>(&server, name).or(declared).map_or(default, NonZeroUsize::get)
        };
        let limits = ConnectionLimits {
            connections: count("connections", defaults.connections),
            per_ip: count("connections_per_address", defaults.per_ip),
            drain_delay: self.duration(&server, "drain_delay", defaults.drain_delay),
            ..defaults
        };
        server.finish();
        limits
    }

    fn required<T: FromStr<Err: Display>>(&self, table: &Table<'_, '_>, name: &'static str) -> Option<T> {
        let over = self.variable(table, name);
        let declared = if over.is_some() { table.parsed(name) } else { table.required(name) };
        over.or(declared)
    }

    fn duration(&self, table: &Table<'_, '_>, name: &'static str, default: Duration) -> Duration {
        let declared = table.duration(name);
        let over = self.variable::<humantime::Duration>(table, name).map(Into::into);
        over.or(declared).unwrap_or(default)
    }

    fn variable<T: FromStr<Err: Display>>(&self, table: &Table<'_, '_>, name: &str) -> Option<T> {
        let variable = format!("CLAVIGER_{}{name}", table.prefix()).replace('.', "_").to_ascii_uppercase();
        let text = (self.environment)(&variable)?;
        let problem = match text.parse() {
            Ok(value) => return Some(value),
            Err(problem) => problem,
        };
        // A database URL may carry a password: the value is not repeated.
        self.document.note_variable(variable, format!("{problem}"));
        None
    }
}
