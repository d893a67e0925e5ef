//! `cargo xtask drill`: the runbook for stolen keys, exercised for real, with its timings.

mod backup;

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use e2e::{Database, Fleet, LEDGER, ORDERS, Service, postgres::Postgres, published, until};

/// Plays a theft of the signing keys on a fleet of its own: with a prepared key, with none, and of everything; then a
/// restoration from a backup that is older than a revocation.
#[derive(Debug, Parser)]
#[command(name = "drill")]
struct Cli {
    /// One process on SQLite, not three replicas on PostgreSQL: nothing else makes it so.
    #[arg(long)]
    single: bool,
    /// How much longer starts and the way back to normal may take, on a busy machine; no other limit changes.
    #[arg(long, default_value_t = 1)]
    stretch: u32,
}

/// Time is compressed; the inequalities between the numbers hold all the same. Old tokens live on: only a revocation ends
/// them.
const SETTINGS: &[(&str, &str)] = &[
    ("TOKEN_LIFETIME", "3m"),
    ("ROTATION_PERIOD", "30d"),
    ("ROTATION_LEAD", "4s"),
    ("ROTATION_TAIL", "4m"),
    ("ROTATION_LEASE", "2s"),
    ("VERIFIERS_SKEW", "1s"),
    ("VERIFIERS_FRESHNESS", "1s"),
    ("VERIFIERS_POLL", "1s"),
    ("VERIFIERS_FOREIGN", "false"),
    ("SERVER_DRAIN_DELAY", "0s"),
];
const PATIENCE: Duration = Duration::from_secs(45);
/// C + 10 s.
const DROPPED: Duration = Duration::from_secs(11);
/// U + C: a verifier that has spent its questions about unknown keys waits for its next look.
const LEARNED: Duration = Duration::from_secs(31);
const SEVERAL_POLLS: Duration = Duration::from_secs(4);
const AT_ONCE: Duration = Duration::from_secs(1);
const NORMAL: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { single, stretch } = Cli::parse();
    let database = if single {
        Database::Sqlite
    } else {
        let server = Postgres::shared().context("the drill needs PostgreSQL; --single is the one without")?;
        Database::Replicated(server.create_database()?)
    };
    let mut drill = Drill::start(&database, stretch).await?;
    drill.one_key_stolen().await?;
    drill.nothing_prepared().await?;
    drill.everything_stolen().await?;
    drill.restored().await?;
    drill.finish().await
}

struct Drill {
    fleet: Fleet,
    third: Service,
    table: Table,
    missed: usize,
    stretch: u32,
}

impl Drill {
    async fn start(database: &Database, stretch: u32) -> anyhow::Result<Self> {
        let start = Instant::now();
        let fleet = Fleet::start(database, SETTINGS).await?;
        let arguments = [("--issuer", fleet.home.url()), ("--audience", ORDERS)];
        let third = Service::start("ledger", &arguments, &fleet.home.path().join("third")).await?;
        third.ready().await?;
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(["step", "took", "limit", ""]);
        let mut drill = Self { fleet, third, table, missed: 0, stretch };
        let what = format!("start {} issuer processes and three services", database.replicas());
        drill.note(&what, start.elapsed(), PATIENCE);
        drill.normal().await?;
        Ok(drill)
    }

    /// The usual case: the prepared key is in every cache already.
    async fn one_key_stolen(&mut self) -> anyhow::Result<()> {
        println!("\n# One signing key is stolen");
        let stolen = self.fleet.home.kid("ES256", "active").await?;
        let promoted = self.fleet.home.kid("ES256", "prepared").await?;
        let loot = self.fleet.token("batch", ORDERS).await?;
        self.is_accepted(&loot).await?;
        let start = Instant::now();
        self.command(&["keys", "revoke", &stolen, "--compromised"]).await?;
        self.note("revoke --compromised: until the last verifier has reported", start.elapsed(), DROPPED);
        self.dies("one key: its tokens are refused everywhere", &loot, start).await?;
        ensure!(self.fleet.home.kid("ES256", "active").await? == promoted, "the prepared key signs");
        let next = self.newer_than(&stolen).await?;
        let learned = Instant::now();
        self.is_accepted(&next).await.context("a token of the promoted key, at the first attempt")?;
        self.note("one key: new tokens are accepted everywhere", learned.elapsed(), AT_ONCE * self.stretch);
        self.normal().await
    }

    /// The prepared key was stolen too.
    async fn nothing_prepared(&mut self) -> anyhow::Result<()> {
        println!("\n# The prepared key is stolen too");
        let stolen = self.fleet.home.kid("ES256", "active").await?;
        let prepared = self.fleet.home.kid("ES256", "prepared").await?;
        let loot = self.fleet.token("batch", ORDERS).await?;
        let start = Instant::now();
        self.command(&["keys", "revoke", &prepared]).await?;
        self.command(&["keys", "revoke", &stolen]).await?;
        self.dies("nothing prepared: its tokens are refused everywhere", &loot, start).await?;
        self.learned("nothing prepared: new tokens are accepted everywhere", &stolen, start).await?;
        self.normal().await
    }

    /// Nobody knows what was stolen.
    async fn everything_stolen(&mut self) -> anyhow::Result<()> {
        println!("\n# Nobody knows what was stolen");
        let stolen = self.fleet.home.kid("ES256", "active").await?;
        let loot = self.fleet.token("batch", ORDERS).await?;
        let other = self.fleet.token("batch", LEDGER).await?;
        let start = Instant::now();
        self.command(&["keys", "revoke", "--all", "--yes"]).await?;
        self.dies("everything: tokens for orders are refused", &loot, start).await?;
        let refused = || async {
            let reply = self.fleet.ledger.get(&self.fleet.http, "/whoami", &other).await.ok()?;
            (reply.status == 401).then_some(())
        };
        until("the ledger refuses", PATIENCE, refused).await?;
        self.note("everything: tokens for the ledger are refused", start.elapsed(), DROPPED);
        self.learned("everything: new tokens are accepted everywhere", &stolen, start).await?;
        self.normal().await
    }

    /// The database is lost after a revocation, and a backup that knows nothing of it takes its place.
    async fn restored(&mut self) -> anyhow::Result<()> {
        println!("\n# The database is restored from an older backup");
        self.fleet.stop_issuer().await?;
        backup::copy(&self.fleet, backup::Way::There).await?;
        self.fleet.start_issuer().await?;
        let stolen = self.fleet.home.kid("ES256", "active").await?;
        let loot = self.fleet.token("batch", ORDERS).await?;
        let start = Instant::now();
        self.command(&["keys", "revoke", &stolen, "--compromised"]).await?;
        self.dies("restoration: tokens are refused before it", &loot, start).await?;
        // A service may have lost the key with the key set alone: the feed has to tell all of them before it is set back.
        self.stays_refused(&loot).await?;

        let start = Instant::now();
        self.fleet.stop_issuer().await?;
        backup::copy(&self.fleet, backup::Way::Back).await?;
        self.command(&["restored", "--yes"]).await?;
        self.fleet.start_issuer().await?;
        self.note("restoration: the issuer serves the older database", start.elapsed(), PATIENCE);
        ensure!(self.fleet.home.kid("ES256", "active").await? == stolen, "the backup knows of no revocation");
        self.stays_refused(&loot).await?;
        let again = Instant::now();
        self.command(&["keys", "revoke", &stolen, "--compromised"]).await?;
        self.note(
            "restoration: revoked again, until the last verifier has reported",
            again.elapsed(),
            DROPPED,
        );
        self.learned("restoration: new tokens are accepted everywhere", &stolen, again).await?;
        let rotated = Instant::now();
        println!("$ claviger keys rotate --now, as soon as that is possible");
        self.fleet.home.rotate(PATIENCE).await?;
        self.note("restoration: the keys of the backup sign no more", rotated.elapsed(), PATIENCE);
        self.stays_refused(&loot).await?;
        self.normal().await
    }

    /// For several polls of the feed and of the key set.
    async fn stays_refused(&self, token: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < SEVERAL_POLLS {
            for service in self.at_orders() {
                let status = service.get(&self.fleet.http, "/whoami", token).await?.status;
                ensure!(status == 401, "{} answered {status}: a revocation was lifted", service.url());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    async fn command(&self, arguments: &[&str]) -> anyhow::Result<()> {
        println!("$ claviger {}", arguments.join(" "));
        let ran = self.fleet.home.run(arguments).await?;
        ran.out.lines().for_each(|line| println!("  {line}"));
        ensure!(ran.succeeded, "{}", ran.err);
        Ok(())
    }

    fn at_orders(&self) -> [&Service; 2] {
        [&self.fleet.orders, &self.third]
    }

    async fn is_accepted(&self, token: &str) -> anyhow::Result<()> {
        for service in self.at_orders() {
            let reply = service.get(&self.fleet.http, "/whoami", token).await?;
            ensure!(reply.status == 200, "{} answered {}", service.url(), reply.status);
        }
        Ok(())
    }

    async fn dies(&mut self, what: &str, token: &str, start: Instant) -> anyhow::Result<()> {
        for service in self.at_orders() {
            let refused = || async {
                let reply = service.get(&self.fleet.http, "/whoami", token).await.ok()?;
                (reply.status == 401).then_some(())
            };
            until(what, PATIENCE, refused).await?;
        }
        self.note(what, start.elapsed(), DROPPED);
        Ok(())
    }

    async fn learned(&mut self, what: &str, old: &str, start: Instant) -> anyhow::Result<()> {
        let token = self.newer_than(old).await?;
        let accepted = || async { self.is_accepted(&token).await.ok() };
        until(what, PATIENCE, accepted).await?;
        self.note(what, start.elapsed(), LEARNED);
        Ok(())
    }

    /// A token that another key than this has signed.
    async fn newer_than(&self, old: &str) -> anyhow::Result<String> {
        let newer = || async {
            let token = self.fleet.token("batch", ORDERS).await.ok()?;
            let held = e2e::account::Held::issued(&token, ORDERS).ok()?;
            (*held.kid != *old).then_some(token)
        };
        until("another key signs", PATIENCE, newer).await
    }

    /// One active and one prepared key of each algorithm, published by every replica, and an unbroken audit log.
    async fn normal(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        let home = &self.fleet.home;
        let normal = || async {
            for (alg, state) in
                [("ES256", "active"), ("ES256", "prepared"), ("RS256", "active"), ("RS256", "prepared")]
            {
                let kid = home.kid(alg, state).await.ok()?;
                for replica in &self.fleet.issuers {
                    let kids = published(&self.fleet.http, replica.process.url()).await.ok()?;
                    kids.contains(&kid).then_some(())?;
                }
            }
            Some(())
        };
        until("one key of each algorithm signs and one is prepared", PATIENCE, normal).await?;
        let audit = home.run(&["audit", "verify"]).await?;
        ensure!(audit.succeeded, "the audit log: {} {}", audit.out, audit.err);
        self.note(
            "back to normal: keys prepared, published by all, audit log unbroken",
            start.elapsed(),
            NORMAL * self.stretch,
        );
        Ok(())
    }

    fn note(&mut self, what: &str, took: Duration, limit: Duration) {
        let verdict = if took <= limit { "met" } else { "MISSED" };
        self.missed += usize::from(took > limit);
        println!("  {what}: {:.1} s", took.as_secs_f64());
        let (took, limit) = (format!("{:.1} s", took.as_secs_f64()), format!("{} s", limit.as_secs()));
        self.table.add_row([what, &took, &limit, verdict]);
    }

    async fn finish(mut self) -> anyhow::Result<()> {
        self.fleet.stop_issuer().await?;
        println!("\n{}", self.table);
        if self.missed > 0 {
            bail!("{} steps took too long", self.missed);
        }
        Ok(())
    }
}
