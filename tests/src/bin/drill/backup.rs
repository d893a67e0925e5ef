use std::{fs, path::Path, time::Duration};

use anyhow::Context;
use e2e::{Database, Fleet, postgres::Postgres, until};

/// Whether a backup is made or restored.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    There,
    Back,
}

/// Copies the database, which no issuer uses meanwhile.
pub(crate) async fn copy(fleet: &Fleet, way: Way) -> anyhow::Result<()> {
    let Database::Replicated(url) = fleet.database() else {
        let (own, backup) = (fleet.home.path(), fleet.home.path().join("backup"));
        return match way {
            Way::There => copy_files(own, &backup),
            Way::Back => copy_files(&backup, own),
        };
    };
    let server = Postgres::shared().context("PostgreSQL was there before")?;
    let name = server.query(url, "SELECT current_database()")?;
    let backup = format!("{name}_backup");
    let (from, to) = match way {
        Way::There => (&name, &backup),
        Way::Back => (&backup, &name),
    };
    let elsewhere = server.create_database()?;
    // The server may not have noticed yet that the issuers are gone.
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{from}'");
    server.query(&elsewhere, &end)?;
    server.query(&elsewhere, &format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)"))?;
    let copy = format!("CREATE DATABASE {to} TEMPLATE {from}");
    until("the database is copied", Duration::from_secs(20), || async {
        server.query(&elsewhere, &copy).ok()
    })
    .await
    .map(drop)
}

/// The database's file and those beside it that belong to it.
fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for old in files(to)? {
        fs::remove_file(to.join(old))?;
    }
    for name in files(from)? {
        fs::copy(from.join(&name), to.join(&name))?;
    }
    Ok(())
}

fn files(directory: &Path) -> anyhow::Result<Vec<String>> {
    let names = fs::read_dir(directory)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with("claviger.db")).collect())
}
