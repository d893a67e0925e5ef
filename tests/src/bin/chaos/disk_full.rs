use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use e2e::{Database, FLEET, IssuerHome, LEDGER, Reply, Service, TokenQuestion, client, until};

use crate::{
    Run,
    figure::Figure,
    rig::{PATIENCE, SETTINGS},
};

/// F8: SQLite on a small file system that is filled while an operator works.
pub(crate) async fn play(_run: Run) -> anyhow::Result<Vec<Figure>> {
    let volume = match Volume::mount() {
        Ok(volume) => volume,
        Err(error) => {
            return Ok(vec![Figure::skipped(format!("no small file system can be mounted: {error:#}"))]);
        }
    };
    let database = Database::SqliteAt(volume.path().join("claviger.db"));
    let home = IssuerHome::init(&database, SETTINGS).await?;
    let secrets = home.apply(FLEET).await?;
    let secret = secrets.into_iter().find(|(client, _)| client == "batch").context("a secret")?.1;
    let issuer = home.serve().await?;
    let (http, state) = (client(), tempfile::tempdir()?);
    let arguments = [("--issuer", home.url()), ("--audience", LEDGER)];
    let ledger = Service::start("ledger", &arguments, state.path()).await?;
    ledger.ready().await?;
    let token = async || {
        let question =
            TokenQuestion { client_id: "batch", secret: &secret, resource: Some(LEDGER), scope: None };
        home.ask_token(&http, question).await
    };

    let (mut acknowledged, mut refused, mut wrong) = (Vec::new(), 0, Vec::new());
    volume.fill()?;
    for number in 0..40 {
        let team = format!("team-{number}");
        if add_team(&home, &team).await? {
            acknowledged.push(team);
        } else {
            refused += 1;
        }
        let reply = token().await?;
        if reply.status != 200 && reply.status != 503 {
            wrong.push(format!("{} {}", reply.status, reply.body));
        }
        let set = Reply::of(http.get(format!("{}/.well-known/jwks.json", home.url()))).await?;
        if set.status != 200 {
            wrong.push(format!("the key set: {}", set.status));
        }
        if refused >= 5 {
            break;
        }
    }
    ensure!(refused > 0, "the volume was not filled");
    volume.empty()?;
    let start = Instant::now();
    let back = || async { add_team(&home, "after").await.ok()?.then_some(()) };
    until("changes are possible again", PATIENCE, back).await?;
    let recovered = start.elapsed();
    let good = token().await?;
    ensure!(good.status == 200, "{} {}", good.status, good.body);
    let good = good.json()["access_token"].as_str().unwrap_or_default().to_owned();
    let verified = ledger.get(&http, "/whoami", &good).await?.status;
    ensure!(verified == 200, "a token was answered with {verified}");
    issuer.kill().await?;
    let _again = home.serve().await?;
    let kept = home.run(&["apply", "--dry-run", &fleet_file(&home, &acknowledged).await?]).await?;
    let lost = kept.out.lines().filter(|line| line.starts_with("+ team")).map(str::to_owned).collect();
    let broken = home.run(&["audit", "verify"]).await?;
    Ok(vec![
        Figure::counted("changes acknowledged", acknowledged.len()),
        Figure::at_least("changes refused for the full disk", refused, 1),
        Figure::none_of("V5: acknowledged changes lost", lost),
        Figure::none_of("answers other than 200 and 503", wrong),
        Figure::swift("recovery without a restart", recovered, Duration::from_secs(5)),
        Figure::none_of(
            "V6: breaks of the audit chain",
            (!broken.succeeded).then_some(broken.err).into_iter().collect(),
        ),
    ])
}

/// Adds a team and a client of it to the fleet, beside those that there are.
async fn add_team(home: &IssuerHome, team: &str) -> anyhow::Result<bool> {
    let path = home.path().join("more.toml");
    let known = tokio::fs::read_to_string(&path).await.unwrap_or_else(|_| FLEET.to_owned());
    let more = format!("{known}\n[[team]]\nname = \"{team}\"\n");
    tokio::fs::write(&path, &more).await?;
    let ran = home.run(&["apply", &path.to_string_lossy()]).await?;
    if !ran.succeeded {
        tokio::fs::write(&path, known).await?;
    }
    Ok(ran.succeeded)
}

async fn fleet_file(home: &IssuerHome, teams: &[String]) -> anyhow::Result<String> {
    let path = home.path().join("acknowledged.toml");
    let teams =
        teams.iter().map(|team| format!("\n[[team]]\nname = \"{team}\"\n")).collect::<Vec<_>>().concat();
    tokio::fs::write(&path, format!("{FLEET}{teams}\n[[team]]\nname = \"after\"\n")).await?;
    Ok(path.to_string_lossy().into_owned())
}

/// A file system of its own, unmounted at the end.
struct Volume(tempfile::TempDir);

impl Volume {
    fn mount() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=700", "claviger"])
            .arg(directory.path())
            .output()?;
        ensure!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr).trim());
        Ok(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves a few pages free, so that some changes still fit.
    fn fill(&self) -> anyhow::Result<()> {
        let filler = self.path().join("filler");
        let full = std::fs::write(&filler, vec![0; 8 << 20]);
        ensure!(full.is_err(), "the volume is larger than it should be");
        let length = std::fs::metadata(&filler)?.len();
        std::fs::File::options().write(true).open(&filler)?.set_len(length.saturating_sub(128 << 10))?;
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: the issuer's process may end after this.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}
