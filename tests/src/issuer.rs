use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Process, Reply, binary, client, free_port, run, until};

/// Where an issuer keeps what it knows.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file in its data directory.
    Sqlite,
    /// A database of this URL.
    Postgres(String),
}

/// The data directory of an issuer, and the settings it runs with.
#[derive(Debug)]
pub struct IssuerHome {
    directory: TempDir,
    url: String,
    environment: Vec<(String, String)>,
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
        let address = format!("127.0.0.1:{}", free_port()?);
        let url = format!("http://{address}");
        let settings = settings.iter().map(|(name, value)| (format!("CLAVIGER_{name}"), (*value).to_owned()));
        let home = Self { directory, url, environment: settings.collect() };
        let database = match database {
            Database::Sqlite => "sqlite://claviger.db",
            Database::Postgres(url) => url,
        };
        let ran =
            home.run(&["init", "--issuer", &home.url, "--listen", &address, "--database", database]).await?;
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
        let output = run(self.command(arguments)?).await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ran { succeeded: output.status.success(), out: text(output.stdout), err: text(output.stderr) })
    }

    /// Starts serving and waits until tokens can be had.
    ///
    /// # Errors
    /// If the server does not become ready.
    pub async fn serve(&self) -> anyhow::Result<Process> {
        let process = self.listen(&[]).await?;
        let url = format!("{}/readyz", self.url);
        let http = client();
        let ready = || async { Reply::of(http.get(&url)).await.ok().filter(|reply| reply.status == 200) };
        until("the issuer is ready", Duration::from_secs(30), ready).await.with_context(|| process.log())?;
        Ok(process)
    }

    /// Starts serving, with more in its environment, and waits until it listens.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn listen(&self, environment: &[(&str, &str)]) -> anyhow::Result<Process> {
        let mut command = self.command(&["serve"])?;
        command.envs(environment.iter().copied());
        let mut process = Process::spawn(command, &self.log_path())?;
        process.address().await?;
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
