use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A data directory that `claviger init` has made.
pub(crate) struct Home(TempDir, bool);

impl Home {
    pub(crate) fn new() -> Self {
        Self::with(true)
    }

    /// With verifiers other than ours allowed for, or not.
    pub(crate) fn with(foreign: bool) -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"), foreign);
        let ran = home.run(&["init", "--issuer", "http://127.0.0.1:1"]);
        assert!(ran.status.success(), "{}", err(&ran));
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.env("CLAVIGER_VERIFIERS_FOREIGN", if self.1 { "true" } else { "false" });
        command.arg("--data-dir").arg(self.path()).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Runs a command that must succeed, and answers what it printed.
    pub(crate) fn out(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert!(ran.status.success(), "{arguments:?}: {}", err(&ran));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.out(arguments)).expect("JSON")
    }

    pub(crate) fn kid(&self, alg: &str, state: &str) -> String {
        let listed = self.json(&["keys", "list", "--json"]);
        let keys = listed["keys"].as_array().expect("a list");
        let found = keys.iter().find(|key| key["alg"] == alg && key["state"] == state);
        found.expect("there is one")["kid"].as_str().expect("a kid").to_owned()
    }

    pub(crate) fn log(&self) -> String {
        self.out(&["audit", "tail", "-n", "100", "--json"])
    }
}

pub(crate) fn err(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}
