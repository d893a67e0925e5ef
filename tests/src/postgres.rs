//! A PostgreSQL server for tests, from installed binaries, gone with the process that asked for it.
//!
//! It listens on a socket in a directory of its own, so it needs no port and nobody else sees it. A shell watches over
//! it and holds the other end of a pipe: when the test process ends, however it ends, the pipe closes and the shell stops
//! the server and removes the directory.
//!
//! Where `CLAVIGER_TEST_POSTGRES` holds the URL of a server, that one is used instead. The file stands by itself because the
//! tests of `claviger-store` include it too.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// A server in which tests make databases.
#[derive(Debug)]
pub struct Postgres {
    /// Of the database that every server has.
    url: String,
    bin: PathBuf,
    watcher: Option<Mutex<Watcher>>,
}

/// The shell, and what it says.
#[derive(Debug)]
struct Watcher {
    shell: Child,
    said: BufReader<ChildStdout>,
}

impl Postgres {
    /// The server of this test process, started when it is first asked for.
    ///
    /// `None` where there is none to be had, and the reason is printed.
    ///
    /// # Panics
    /// If there is none to be had and `CI` is `true`: there, a test that was skipped is a test that failed.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Result<Postgres, String>> = OnceLock::new();
        match SERVER.get_or_init(|| Self::start().map_err(|error| error.to_string())) {
            Ok(server) => Some(server),
            Err(reason) => {
                assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "no PostgreSQL: {reason}");
                println!("SKIPPED: no PostgreSQL: {reason}");
                None
            }
        }
    }

    /// A server of the caller's own; it is stopped when the value is dropped.
    ///
    /// # Errors
    /// No binaries are installed, or they fail; the error holds their output.
    pub fn start() -> io::Result<Self> {
        let bin = find_binaries()?;
        if let Ok(url) = env::var("CLAVIGER_TEST_POSTGRES") {
            return Ok(Self { url, bin, watcher: None });
        }
        let directory = tempfile::Builder::new().prefix("claviger-pg-").tempdir()?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh"])
            .arg(directory.path())
            .arg(&bin)
            .current_dir(directory.path())
            // An interrupt from the keyboard is for the tests; the watcher must live to tidy up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if fs::metadata(directory.path())?.uid() == 0 {
            let (user, group) = unprivileged()?;
            chown(directory.path(), Some(user), Some(group))?;
            command.uid(user).gid(group);
        }
        let mut shell = command.spawn()?;
        let directory = directory.keep();
        let said = shell.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut watcher = Watcher { shell, said: BufReader::new(said) };
        watcher.hear("ready\n")?;
        let socket = directory.to_string_lossy().replace('/', "%2F");
        let url = format!("postgres://claviger@{socket}/postgres");
        Ok(Self { url, bin, watcher: Some(Mutex::new(watcher)) })
    }

    /// Stops the server at once, as a power cut would; what it has acknowledged it still has when it starts again.
    ///
    /// # Errors
    /// It is not ours, or the shell has ended.
    pub fn stop(&self) -> io::Result<()> {
        self.order("stop")
    }

    /// Starts the stopped server again, on the same data and the same socket.
    ///
    /// # Errors
    /// It does not start; the error holds what it says.
    pub fn start_again(&self) -> io::Result<()> {
        self.order("start")
    }

    fn order(&self, word: &str) -> io::Result<()> {
        let watcher = self.watcher.as_ref().ok_or_else(|| io::Error::other("the server is not ours"))?;
        let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let mut orders = watcher.shell.stdin.as_ref().ok_or_else(|| io::Error::other("no input"))?;
        writeln!(orders, "{word}")?;
        watcher.hear("done\n")
    }

    /// Makes an empty database and answers its URL.
    ///
    /// # Errors
    /// The server refuses; the error holds what it says.
    pub fn create_database(&self) -> io::Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("claviger_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.query(&self.url, &format!("DROP DATABASE IF EXISTS {name}"))?;
        self.query(&self.url, &format!("CREATE DATABASE {name}"))?;
        Ok(with_database(&self.url, &name))
    }

    /// How often in a second so many callers, each over a connection of its own, get through a script of pgbench, for so many
    /// seconds. Its variables are `client_id`, `step`, which begins at 0, and one of the caller's own.
    ///
    /// # Errors
    /// The script fails, or there is no pgbench.
    pub fn loop_of(
        &self,
        database: &str,
        script: &Path,
        (callers, seconds): (u32, u32),
        variable: &str,
    ) -> io::Result<f64> {
        let output = Command::new(self.bin.join("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared", "--define=step=0", "--define", variable])
            .args(["--client", &callers.to_string(), "--jobs=1", "--time", &seconds.to_string()])
            .arg("--file")
            .arg(script)
            .arg(database)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.split("tps = ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let failed = || io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned());
        rate.filter(|_| output.status.success()).ok_or_else(failed)
    }

    /// What a statement answers in the database of this URL, one row on each line.
    ///
    /// # Errors
    /// The server refuses; the error holds what it says.
    pub fn query(&self, database: &str, sql: &str) -> io::Result<String> {
        let output = Command::new(self.bin.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", database, "--command", sql])
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            let mut shell = watcher.into_inner().unwrap_or_else(PoisonError::into_inner).shell;
            drop(shell.stdin.take());
            // Nothing can be done about a watcher that fails now.
            let _ = shell.wait();
        }
    }
}

impl Watcher {
    /// Reads the one line that means success; anything else is the log of what went wrong, and the shell's last word.
    fn hear(&mut self, word: &str) -> io::Result<()> {
        let mut said = String::new();
        self.said.read_line(&mut said)?;
        if said == word {
            return Ok(());
        }
        self.said.read_to_string(&mut said)?;
        self.shell.wait()?;
        Err(io::Error::other(said))
    }
}

/// Without `fsync`, for speed: a test kills processes, not machines. `synchronous_commit` stays on, as the issuer demands.
const WATCH: &str = r#"
dir=$1 bin=$2
start() {
    "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" \
        -o "-F -c listen_addresses= -c full_page_writes=off -c max_connections=200 -k '$dir'" start >>"$dir/log" 2>&1
}
stop() {
    "$bin/pg_ctl" -D "$dir/data" -m immediate stop >>"$dir/log" 2>&1
}
"$bin/initdb" -D "$dir/data" -U claviger --auth=trust --encoding=UTF8 --locale=C --no-sync >"$dir/log" 2>&1 &&
start && echo ready &&
while read -r order; do
    "$order" && echo done || { cat "$dir/log"; break; }
done || cat "$dir/log"
stop
rm -rf "$dir"
"#;

fn find_binaries() -> io::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = env::split_paths(&path).filter(|bin| is_postgres(bin)).collect();
    if found.is_empty() {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        found.extend(versions.map(|version| version.path().join("bin")).filter(|bin| is_postgres(bin)));
        found.sort();
    }
    found.pop().ok_or_else(|| io::Error::other("no initdb in PATH or /usr/lib/postgresql/*/bin"))
}

fn is_postgres(bin: &Path) -> bool {
    ["initdb", "pg_ctl", "psql"].iter().all(|name| bin.join(name).is_file())
}

/// The server refuses to run as root: user and group of `postgres`, or of `nobody`.
fn unprivileged() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).ok_or_else(|| io::Error::other("no user to run PostgreSQL as"))
}

/// The URL with another path, its query kept.
fn with_database(url: &str, name: &str) -> String {
    let (rest, query) =
        url.split_once('?').map_or((url, String::new()), |(rest, query)| (rest, format!("?{query}")));
    let authority = rest.find("://").map_or(0, |at| at + "://".len());
    let end = rest[authority..].find('/').map_or(rest.len(), |at| authority + at);
    format!("{}/{name}{query}", &rest[..end])
}
