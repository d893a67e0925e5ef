use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// How long a process may take for what it should do at once; generous, for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A child process. It is killed when this value goes, and nothing else ever is.
#[derive(Debug)]
pub struct Process {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    url: String,
}

impl Process {
    /// Starts a program; what it writes to standard error is appended to `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let errors: File = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let out = child.stdout.take().context("standard output is piped")?;
        Ok(Self { child, out: BufReader::new(out).lines(), log: log.to_owned(), url: String::new() })
    }

    /// Waits for the line in which a server tells its address, and answers the address.
    ///
    /// # Errors
    /// If the process ends first, or takes too long; its log is part of the message.
    pub async fn address(&mut self) -> anyhow::Result<String> {
        self.url = self.told("listening on ").await?;
        Ok(self.url.clone())
    }

    /// The address that it has told; empty before.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the line in which an issuer tells the address of its admin listener, which comes after its own.
    ///
    /// # Errors
    /// If there is none.
    pub async fn admin_address(&mut self) -> anyhow::Result<String> {
        self.told("admin on ").await
    }

    async fn told(&mut self, what: &str) -> anyhow::Result<String> {
        let line = timeout(PATIENCE, self.out.next_line()).await;
        let address = line.ok().and_then(Result::ok).flatten().and_then(|line| {
            let address = line.strip_prefix(what)?.split(' ').next()?;
            Some(address.to_owned())
        });
        address.with_context(|| format!("the server did not come up; its log:\n{}", self.log()))
    }

    /// What the process has written to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The memory of the process that is in RAM, in bytes.
    ///
    /// # Errors
    /// If it has ended.
    pub fn resident(&self) -> anyhow::Result<u32> {
        let pid = self.id().context("the process has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u32>()? * 1024)
    }

    /// Ends the process as a power cut would.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the process to stop, as an operator would.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Asks the process to stop and waits until it has.
    ///
    /// # Errors
    /// If it does not.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.terminate()?;
        self.ended().await.map(drop)
    }

    /// Holds the process up, as a machine does that has too much to do, until [`Process::thaw`].
    ///
    /// # Errors
    /// If it has ended already.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(kill_process(id.context("the process has ended")?, signal)?)
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(timeout(PATIENCE, self.child.wait()).await.context("the process goes on")??)
    }
}

/// Runs a program to its end.
///
/// # Errors
/// If it cannot be started or does not end.
pub async fn run(mut command: Command) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let shown = format!("{command:?}");
    timeout(PATIENCE, command.output()).await.with_context(|| format!("{shown} goes on"))?.context(shown)
}

/// The path of one of the workspace's binaries, beside the one that asks.
///
/// # Errors
/// If it was not built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let mut directory = here.parent().context("a program is in a directory")?;
    if directory.file_name() == Some(OsStr::new("deps")) {
        directory = directory.parent().context("deps is in a directory")?;
    }
    let path = directory.join(name);
    if !path.exists() {
        bail!(
            "{} is not built: run the stories with `cargo xtask test` or `cargo xtask e2e`",
            path.display()
        );
    }
    Ok(path)
}

/// A port that was free a moment ago.
///
/// # Errors
/// If the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
