use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use zeroize::Zeroizing;

use super::file::read_text;

/// How long a command may take, in all.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of what it complains is shown, in characters.
const COMPLAINT: usize = 200;
/// How long its complaint is waited for after its end.
const GRACE: Duration = Duration::from_secs(1);
/// How often is asked whether it has ended.
const PERIOD: Duration = Duration::from_millis(10);

/// A command that writes a secret to its standard output. No shell reads it, and of the environment it gets `PATH`,
/// `HOME` and what is named: another secret in the environment is none of its business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretCommand {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The variables of the environment that it gets.
    pub environment: Vec<String>,
}

impl SecretCommand {
    pub(super) fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Runs it, in a process group of its own, which ends with it or with the time limit.
    pub(super) fn run(&self) -> Result<Zeroizing<String>, String> {
        self.run_within(LIMIT)
    }

    fn run_within(&self, limit: Duration) -> Result<Zeroizing<String>, String> {
        let deadline = Instant::now() + limit;
        let words = |error: io::Error| error.to_string();
        let mut child = self.start().map_err(words)?;
        let said = follow(&mut child, deadline);
        // Whatever it has started is ended too, or it could hold the secret for longer than anybody knows. The group
        // is still its own: it has not been waited for.
        let _ = rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL);
        let status = child.wait().map_err(words)?;
        let Some((said, complaint)) = said.map_err(words)? else {
            return Err(format!("it has not ended within {} s", limit.as_secs_f32()));
        };
        let said = said?;
        if status.success() {
            return Ok(said);
        }
        Err(refusal(status, &said, &complaint.recv_timeout(GRACE).unwrap_or_default()))
    }

    fn start(&self) -> io::Result<Child> {
        let (program, arguments) = self.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let names = ["PATH", "HOME"].into_iter().chain(self.environment.iter().map(String::as_str));
        let environment = names.filter_map(|name| Some((name, std::env::var_os(name)?)));
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

type Said = (Result<Zeroizing<String>, String>, Receiver<String>);

/// Reads what a command says until it ends, and goes on reading what it complains; `None` if it does not end in time.
fn follow(child: &mut Child, deadline: Instant) -> io::Result<Option<Said>> {
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    // Threads, because a reader cannot be told to give up; both end with the last process that can write.
    let (complained, complaint) = channel();
    thread::Builder::new().spawn(move || complained.send(first_line(&mut stderr)))?;
    let (wrote, said) = channel();
    thread::Builder::new().spawn(move || wrote.send(read_text(&mut stdout)))?;
    let left = || deadline.saturating_duration_since(Instant::now());
    let Ok(said) = said.recv_timeout(left()) else {
        return Ok(None);
    };
    // What has written too much may be blocked by it: it need not end by itself.
    while said.is_ok() && !has_ended(child)? {
        if left().is_zero() {
            return Ok(None);
        }
        thread::sleep(PERIOD.min(left()));
    }
    Ok(Some((said, complaint)))
}

/// Asks without waiting *for* it: while nobody has, its number is nobody else's.
fn has_ended(child: &Child) -> io::Result<bool> {
    let asked = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(Pid::from_child(child)), asked)?.is_some())
}

/// The beginning of the first line; the rest is read, so that nobody waits, and forgotten.
fn first_line(stderr: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stderr.take(4096).read_to_end(&mut bytes);
    let _ = io::copy(stderr, &mut io::sink());
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|character| !character.is_control()).take(COMPLAINT).collect()
}

/// What is said of a command that failed. A program that complains with the secret in its mouth is not quoted.
fn refusal(status: ExitStatus, said: &str, complaint: &str) -> String {
    let indiscreet = !said.trim().is_empty() && complaint.contains(said.trim());
    if complaint.is_empty() || indiscreet { format!("{status}") } else { format!("{status}: {complaint}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> SecretCommand {
        SecretCommand {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            environment: vec!["CARGO_MANIFEST_DIR".to_owned()],
        }
    }

    fn refusal_of(script: &str) -> String {
        let started = Instant::now();
        let refusal = shell(script).run_within(Duration::from_millis(500)).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(5), "{script}: {:?}", started.elapsed());
        refusal
    }

    // S-48
    #[test]
    fn what_a_command_writes_is_the_secret() {
        assert_eq!(*shell("echo secret").run().unwrap(), "secret\n");
        let environment = shell("env | cut -d= -f1 | sort | tr '\n' ' '").run().unwrap();
        let names: Vec<&str> = environment.split_whitespace().collect();
        assert!(names.contains(&"PATH") && names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
        let known = ["PATH", "HOME", "CARGO_MANIFEST_DIR", "PWD", "OLDPWD", "SHLVL", "_"];
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    }

    // S-48
    #[test]
    fn a_command_that_fails_hangs_or_floods_ends_in_words() {
        assert_eq!(refusal_of("exit 3"), "exit status: 3");
        assert_eq!(refusal_of("printf 'no\\033[2J way\\nmore' >&2; exit 1"), "exit status: 1: no[2J way");
        assert_eq!(refusal_of("echo top; echo 'the top secret' >&2; exit 1"), "exit status: 1");
        assert_eq!(refusal_of("sleep 30 >/dev/null & echo why >&2; exit 1"), "exit status: 1: why");
        assert_eq!(refusal_of("sleep 30"), "it has not ended within 0.5 s");
        assert_eq!(refusal_of("sleep 30 & echo secret"), "it has not ended within 0.5 s");
        assert_eq!(refusal_of("exec >&-; sleep 30"), "it has not ended within 0.5 s");
        assert_eq!(refusal_of("yes | head -c 1025"), "it is longer than 1024 bytes");
        assert_eq!(refusal_of("printf '\\377'"), "it is no text");
        let missing = SecretCommand { argv: vec!["/nowhere/vault".to_owned()], environment: Vec::new() };
        assert!(missing.run().unwrap_err().contains("No such file"));
    }

    // S-48
    #[test]
    fn what_a_command_has_started_ends_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 60 >/dev/null 2>&1 & echo $! >{}; echo secret", file.display());
        assert_eq!(*shell(&script).run().unwrap(), "secret\n");
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        // A process that has ended may be a zombie until somebody has asked for it.
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        while !gone() {
            assert!(Instant::now() < deadline, "it lives on");
            thread::sleep(PERIOD);
        }
    }
}
