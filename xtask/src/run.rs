use std::{
    path::{Path, PathBuf},
    process::{Command, exit},
};

use anyhow::{Context, bail};

/// Runs cargo in the workspace, with its output in sight.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    run(&mut command(env!("CARGO"), arguments))
}

/// A command that will run in the workspace's root.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command; it failing is an error that names it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{}", command.get_program().display()))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a binary of the workspace where the user stands. Its exit code becomes ours: its own
/// words have told what was wrong.
pub(crate) fn run_binary(profile: &str, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let path = target().join(profile).join(name);
    let status = Command::new(&path).args(arguments).status().with_context(|| path.display().to_string())?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => exit(code),
        None => bail!("{name} was ended: {status}"),
    }
}

pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
