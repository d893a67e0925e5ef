//! The settings of an issuer, checked as a whole before anything is opened.

mod brand;
mod sign_in;

use std::{
    fmt::Display,
    net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
    str::FromStr,
    time::Duration,
};

use claviger_keyring::{Lifetimes, RotationPolicy};
use claviger_oauth::{Audience, Issuer};

use crate::{
    admin,
    declared::{Document, Mistakes, Table},
    http::{ConnectionLimits, TrustedProxies},
    keys::KeySettings,
    pages::Brand,
};

pub use sign_in::SignInSettings;

/// The name of the configuration file in the data directory.
pub const CONFIG_FILE: &str = "claviger.toml";

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// F, where nothing else is said.
const POLL: Duration = Duration::from_secs(15);
/// Where operators are listened to, where nothing else is said.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

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
    /// F: how often verifiers ask for revocations.
    pub poll: Duration,
    /// How long a connection may wait, and how many there may be.
    pub limits: ConnectionLimits,
    /// Which proxies are believed when they say for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// Where the operators' listener is, if there is one.
    pub admin: Option<SocketAddr>,
    /// For how long people stay signed in, and what may be asked of their passwords.
    pub sign_in: SignInSettings,
    /// Whose pages they see.
    pub brand: Brand,
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

/// An address, or `off`.
struct AdminListen(Option<SocketAddr>);

impl FromStr for AdminListen {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        if text == "off" { Ok(Self(None)) } else { text.parse().map(|address| Self(Some(address))) }
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
        if issuer.as_ref().is_some_and(|issuer| issuer.join(admin::PATH).parse::<Audience>().is_err()) {
            let message = format!("`issuer` is too long: with {} it must be an audience", admin::PATH);
            self.document.note(root.line_of("issuer"), message);
        }
        let listen = self.required(root, "listen");
        let database = self.database(root, data_dir);
        let key_file = self.variable(root, "key_encryption_key");
        let keys = KeySettings::read(self.document, root, key_file, data_dir);
        let loopback = issuer.as_ref().is_some_and(Issuer::is_loopback);
        let verifiers = root.table("verifiers");
        let (policy, staleness) = self.policy(root, &verifiers, loopback);
        let poll = self.poll(&verifiers, loopback);
        verifiers.finish();
        let (limits, trusted_proxies) = self.server(root);
        let admin = self.admin(root);
        let sign_in = self.sign_in(root);
        let brand = self.brand(root, data_dir);
        Some(Config {
            issuer: issuer?,
            listen: listen?,
            database: database?,
            keys: keys?,
            policy: policy?,
            staleness,
            poll,
            limits,
            trusted_proxies,
            admin,
            sign_in,
            brand,
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

    fn policy(
        &self,
        root: &Table<'_, '_>,
        verifiers: &Table<'_, '_>,
        loopback: bool,
    ) -> (Option<RotationPolicy>, Duration) {
        let defaults = Lifetimes::default();
        let rotation = root.table("rotation");
        let foreign = verifiers.boolean("foreign");
        let lifetimes = Lifetimes {
            token: self.duration(root, "token_lifetime", defaults.token),
            period: self.duration(&rotation, "period", defaults.period),
            lead: self.duration(&rotation, "lead", defaults.lead),
            tail: self.duration(&rotation, "tail", defaults.tail),
            lease: self.duration(&rotation, "lease", defaults.lease),
            skew: self.duration(verifiers, "skew", defaults.skew),
            freshness: self.duration(verifiers, "freshness", defaults.freshness),
            foreign_verifiers: self
                .variable(verifiers, "foreign")
                .or(foreign)
                .unwrap_or(defaults.foreign_verifiers),
        };
        let staleness = self.duration(verifiers, "staleness", DAY);

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
        (policy.ok(), staleness)
    }

    fn poll(&self, verifiers: &Table<'_, '_>, loopback: bool) -> Duration {
        let poll = self.duration(verifiers, "poll", POLL);
        let bounds = Duration::from_secs(if loopback { 1 } else { 5 })..=Duration::from_mins(1);
        if !bounds.contains(&poll) {
            let message = format!("`verifiers.poll` must be {} s to 60 s", bounds.start().as_secs());
            self.document.note(verifiers.line_of("poll"), message);
        }
        poll
    }

    fn admin(&self, root: &Table<'_, '_>) -> Option<SocketAddr> {
        let admin = root.table("admin");
        let declared = admin.parsed("listen");
        let listen = self.variable(&admin, "listen").or(declared).unwrap_or(AdminListen(Some(ADMIN))).0;
        let declared = admin.boolean("allow_remote");
        let allow_remote = self.variable(&admin, "allow_remote").or(declared).unwrap_or(false);
        if let Some(address) = listen.filter(|address| !address.ip().to_canonical().is_loopback())
            && !allow_remote
        {
            let message = format!(
                "`admin.listen` = {address} can be reached from other machines: say `allow_remote = true` if that is meant"
            );
            self.document.note(admin.line_of("listen"), message);
        }
        admin.finish();
        listen
    }

    fn server(&self, root: &Table<'_, '_>) -> (ConnectionLimits, TrustedProxies) {
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
        let declared = server.list("trusted_proxies").into_iter().collect();
        let proxies = self.variable(&server, "trusted_proxies").unwrap_or(declared);
        server.finish();
        (limits, proxies)
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LEAST: &str = r#"
issuer = "http://127.0.0.1:8080"
listen = "127.0.0.1:8080"
database = "sqlite://claviger.db"
key_encryption_key = "kek"
"#;

    fn parsed(more: &str, environment: &[(&str, &str)]) -> Result<Config, Mistakes> {
        let value =
            |name: &str| environment.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
        Config::parse("claviger.toml", &format!("{LEAST}{more}"), Path::new("/data"), value)
    }

    #[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
    fn check_mistakes(more: &str, expected: Expect) {
        expected.assert_eq(&parsed(more, &[]).unwrap_err().to_string());
    }

    // S-98
    #[test]
    fn operators_are_listened_to_on_this_machine_unless_more_is_said() {
        let admin =
            |more, environment| parsed(more, environment).unwrap().admin.map(|address| address.to_string());
        assert_eq!(admin("", &[]).as_deref(), Some("127.0.0.1:8082"));
        assert_eq!(admin("[admin]\nlisten = \"off\"", &[]), None);
        assert_eq!(admin("", &[("CLAVIGER_ADMIN_LISTEN", "[::1]:0")]).as_deref(), Some("[::1]:0"));
        let remote = "[admin]\nlisten = \"10.0.0.7:8082\"\nallow_remote = true";
        assert_eq!(admin(remote, &[]).as_deref(), Some("10.0.0.7:8082"));
        check_mistakes(
            "[admin]\nlisten = \"0.0.0.0:8082\"",
            expect![
                "claviger.toml:7: `admin.listen` = 0.0.0.0:8082 can be reached from other machines: say `allow_remote = true` if that is meant"
            ],
        );
    }

    // S-104
    #[test]
    fn the_trusted_proxies_are_those_that_are_named_and_the_environment_names_them_all() {
        let trusted = |more, environment: &[(&str, &str)]| parsed(more, environment).unwrap().trusted_proxies;
        assert!(trusted("", &[]).is_empty());
        let two = "[server]\ntrusted_proxies = [\"10.0.0.7\", \"10.1.0.0/16\"]";
        assert_eq!(trusted(two, &[]), "10.0.0.7,10.1.0.0/16".parse().unwrap());
        let variable = |value| [("CLAVIGER_SERVER_TRUSTED_PROXIES", value)];
        assert_eq!(trusted(two, &variable("::1, 10.0.0.8")), "::1,10.0.0.8".parse().unwrap());
        assert!(trusted(two, &variable("")).is_empty());
        check_mistakes(
            "[server]\ntrusted_proxies = [\"proxy.test\", \"0.0.0.0/0\"]",
            expect![[r#"
                claviger.toml:7: `server.trusted_proxies` = "proxy.test": neither an address nor a prefix such as 10.0.0.0/24
                claviger.toml:7: `server.trusted_proxies` = "0.0.0.0/0": anybody could say to come from anywhere"#]],
        );
    }

    #[test]
    fn revocations_are_asked_for_often_enough_and_not_too_often() {
        assert_eq!(parsed("", &[]).unwrap().poll, POLL);
        assert_eq!(parsed("", &[("CLAVIGER_VERIFIERS_POLL", "1s")]).unwrap().poll, Duration::from_secs(1));
        check_mistakes(
            "[verifiers]\npoll = \"61s\"",
            expect!["claviger.toml:7: `verifiers.poll` must be 1 s to 60 s"],
        );
    }
}
