use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    Process, Reply, binary, client, free_port,
    gate::{Address, Gate},
    postgres::Postgres,
    run, until,
};

/// Where an issuer keeps what it knows.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file in its data directory.
    Sqlite,
    /// This file.
    SqliteAt(PathBuf),
    /// A database of this URL, for one process.
    Postgres(String),
    /// A database of this URL, for several processes behind a [`Gate`].
    Replicated(String),
}

impl Database {
    /// What `CLAVIGER_E2E_DATABASE` asks for (`sqlite`, `postgres` or `replicated`), for stories that are the same on each.
    ///
    /// # Panics
    /// If it asks for PostgreSQL and there is none, or for something else.
    #[must_use]
    pub fn of_run() -> Self {
        let asked = std::env::var("CLAVIGER_E2E_DATABASE").unwrap_or_else(|_| "sqlite".to_owned());
        let database = || {
            let server = Postgres::shared().expect("PostgreSQL was asked for");
            server.create_database().expect("the server makes databases")
        };
        match asked.as_str() {
            "sqlite" => Self::Sqlite,
            "postgres" => Self::Postgres(database()),
            "replicated" => Self::Replicated(database()),
            other => panic!("CLAVIGER_E2E_DATABASE is `{other}`, none of sqlite, postgres, replicated"),
        }
    }

    /// The same for stories of a single process.
    ///
    /// # Panics
    /// As [`Database::of_run`].
    #[must_use]
    pub fn of_run_for_one() -> Self {
        match Self::of_run() {
            Self::Replicated(url) => Self::Postgres(url),
            other => other,
        }
    }

    /// How many processes serve it.
    #[must_use]
    pub fn replicas(&self) -> usize {
        if matches!(self, Self::Replicated(_)) { 3 } else { 1 }
    }
}

/// The data directory of an issuer, and the settings it runs with.
#[derive(Debug)]
pub struct IssuerHome {
    directory: TempDir,
    url: String,
    environment: Vec<(String, String)>,
    /// What stands at the issuer's URL, before its replicas.
    gate: Option<Gate>,
}

/// A command that has run to its end.
#[derive(Debug)]
pub struct Ran {
    /// Whether its exit code was 0.
    pub succeeded: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { succeeded: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// What a client asks the token endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenQuestion<'q> {
    /// The client.
    pub client_id: &'q str,
    /// Its secret.
    pub secret: &'q str,
    /// The audience, if it is named.
    pub resource: Option<&'q str>,
    /// The scope, if it is named.
    pub scope: Option<&'q str>,
}

impl IssuerHome {
    /// Makes a data directory with `claviger init`, on a free port. `settings` are given in the
    /// environment: `("ROTATION_LEAD", "3s")`.
    ///
    /// # Errors
    /// If `init` fails.
    pub async fn init(database: &Database, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let replicated = matches!(database, Database::Replicated(_));
        let gate = replicated.then(|| Gate::open(&[], true)).transpose()?;
        let address = match &gate {
            Some(gate) => gate.address().to_string(),
            None => format!("127.0.0.1:{}", free_port()?),
        };
        let url = format!("http://{address}");
        let settings = settings.iter().map(|(name, value)| (format!("CLAVIGER_{name}"), (*value).to_owned()));
        let home = Self { directory, url, environment: settings.collect(), gate };
        let database = match database {
            Database::Sqlite => "sqlite://claviger.db".to_owned(),
            Database::SqliteAt(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) | Database::Replicated(url) => url.clone(),
        };
        let ran =
            home.run(&["init", "--issuer", &home.url, "--listen", &address, "--database", &database]).await?;
        ensure!(ran.succeeded, "init failed: {}", ran.err);
        Ok(home)
    }

    /// The issuer identifier and base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The data directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The log of the serving process.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.path().join("issuer.log")
    }

    /// A `claviger` command on this data directory.
    ///
    /// # Errors
    /// If the binary was not built.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(binary("claviger")?);
        command.arg("--data-dir").arg(self.path()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Runs a `claviger` command to its end.
    ///
    /// # Errors
    /// If it does not run at all; a failure of its own is in the answer.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        Ok(run(self.command(arguments)?).await?.into())
    }

    /// The same, with a line for its standard input.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub async fn run_with(&self, arguments: &[&str], line: &str) -> anyhow::Result<Ran> {
        let mut command = self.command(arguments)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().context("standard input is piped")?;
        input.write_all(format!("{line}\n").as_bytes()).await?;
        drop(input);
        Ok(child.wait_with_output().await?.into())
    }

    /// What stands before the replicas of a replicated issuer.
    #[must_use]
    pub fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Starts serving and waits until tokens can be had.
    ///
    /// # Errors
    /// If the server does not become ready.
    pub async fn serve(&self) -> anyhow::Result<Process> {
        let process = self.listen(&[]).await?;
        ready(&process).await?;
        Ok(process)
    }

    /// Starts serving, with more in its environment, and waits until it listens.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn listen(&self, environment: &[(&str, &str)]) -> anyhow::Result<Process> {
        let mut command = self.command(&["serve"])?;
        command.env("CLAVIGER_ADMIN_LISTEN", "127.0.0.1:0");
        if self.gate.is_some() {
            command.env("CLAVIGER_LISTEN", "127.0.0.1:0");
        }
        command.envs(environment.iter().copied());
        let mut process = Process::spawn(command, &self.log_path())?;
        let address = process.address().await?;
        if let Some(gate) = &self.gate {
            gate.admit(Address::http(&address)?);
        }
        Ok(process)
    }

    /// Applies a fleet file and answers the secrets of its new clients, by client id.
    ///
    /// # Errors
    /// If the file is refused.
    pub async fn apply(&self, fleet: &str) -> anyhow::Result<Vec<(String, String)>> {
        let path = self.path().join("fleet.toml");
        tokio::fs::write(&path, fleet).await?;
        let ran = self.run(&["apply", &path.to_string_lossy()]).await?;
        ensure!(ran.succeeded, "apply failed: {}", ran.err);
        let secret = |line: &str| {
            let (client, secret) = line.strip_prefix("secret of ")?.split_once(" (shown only now): ")?;
            Some((client.to_owned(), secret.to_owned()))
        };
        Ok(ran.out.lines().filter_map(secret).collect())
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn ask_token(
        &self,
        http: &reqwest::Client,
        question: TokenQuestion<'_>,
    ) -> anyhow::Result<Reply> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(question.resource.map(|resource| ("resource", resource)));
        form.extend(question.scope.map(|scope| ("scope", scope)));
        let request = http.post(format!("{}/oauth2/token", self.url));
        Reply::of(request.basic_auth(question.client_id, Some(question.secret)).form(&form)).await
    }
}

/// Waits until tokens can be had of a process.
///
/// # Errors
/// If it does not become ready; its log is part of the message.
pub async fn ready(process: &Process) -> anyhow::Result<()> {
    let (http, url) = (client(), format!("{}/readyz", process.url()));
    let ready = || async { Reply::of(http.get(&url)).await.ok().filter(|reply| reply.status == 200) };
    until("it is ready", Duration::from_secs(45), ready).await.with_context(|| process.log())?;
    Ok(())
}
