use std::path::Path;

use tokio::process::Command;

use crate::{Process, Reply, binary, ready};

/// A running resource service.
#[derive(Debug)]
pub struct Service {
    /// The process.
    pub process: Process,
}

impl Service {
    /// Starts `orders` or `ledger` on a free port; `arguments` are its flags and their values.
    ///
    /// # Errors
    /// If it does not come up. It need not be ready: the issuer may be away.
    pub async fn start(name: &str, arguments: &[(&str, &str)], state_dir: &Path) -> anyhow::Result<Self> {
        Self::start_in(&[], name, arguments, state_dir).await
    }

    /// The same, with more in its environment.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub async fn start_in(
        environment: &[(&str, &str)],
        name: &str,
        arguments: &[(&str, &str)],
        state_dir: &Path,
    ) -> anyhow::Result<Self> {
        tokio::fs::create_dir_all(state_dir).await?;
        let mut command = Command::new(binary(name)?);
        command.args(["--listen", "127.0.0.1:0", "--state-dir"]).arg(state_dir);
        command.envs(environment.iter().copied());
        for (flag, value) in arguments {
            match *flag {
                // A secret on a command line can be read by every user of the machine.
                "--client-secret" => command.env("CLIENT_SECRET", value),
                _ => command.args([flag, value]),
            };
        }
        let mut process = Process::spawn(command, &state_dir.join(format!("{name}.log")))?;
        process.address().await?;
        Ok(Self { process })
    }

    /// The base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.process.url()
    }

    /// Waits until it is ready to check tokens.
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn ready(&self) -> anyhow::Result<()> {
        ready(&self.process).await
    }

    /// Asks for a path with a bearer token.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, http: &reqwest::Client, path: &str, token: &str) -> anyhow::Result<Reply> {
        Reply::of(
            http.get(format!("{}{path}", self.url())).header("authorization", format!("Bearer {token}")),
        )
        .await
    }

    /// Posts JSON to a path with a bearer token.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(
        &self,
        http: &reqwest::Client,
        path: &str,
        token: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<Reply> {
        Reply::of(http.post(format!("{}{path}", self.url())).bearer_auth(token).json(body)).await
    }
}
