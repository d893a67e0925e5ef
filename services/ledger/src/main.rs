//! `ledger`: a resource service for machines. It keeps what other services post.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::extract::{FromRef, State};
use axum::{Json, Router, http::StatusCode, routing::get};
use clap::Parser;
use claviger_verifier::{Authorized, Principal, TrustedIssuer, Verifier, health, required_scope};
use serde::{Deserialize, Serialize};
use tokio::signal::{ctrl_c, unix};

mod book;

required_scope!(LedgerPost = "ledger:post");
required_scope!(LedgerRead = "ledger:read");

/// Keeps the entries that other services post.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The issuer whose tokens are accepted: an https URL, or http on this machine.
    #[arg(long, env)]
    issuer: String,
    /// The name of this service in tokens.
    #[arg(long, env, default_value = "https://ledger.fleet.test")]
    audience: String,
    /// A directory in which entries and the issuer's keys outlive the process.
    #[arg(long, env)]
    state_dir: Option<PathBuf>,
    /// Where the issuer's keys are, if its metadata is not to be asked; of what it revokes nothing is heard then but that
    /// keys are gone.
    #[arg(long, env)]
    jwks_url: Option<String>,
    /// A file with kids that are denied whatever the issuer publishes, one in each line; read again when it changes.
    #[arg(long, env)]
    deny_file: Option<PathBuf>,
    /// What this process is called where the issuer shows its verifiers; without it, as its host.
    #[arg(long, env)]
    instance: Option<String>,
    /// How many seconds clocks may differ; without it, as the verifier has it.
    #[arg(long, env)]
    leeway: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let app = app(&args)?;
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    let mut terminated = unix::signal(unix::SignalKind::terminate())?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move { tokio::select!(_ = ctrl_c() => {}, _ = terminated.recv() => {}) };
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

/// The service, with its routes in the order in which a caller meets them.
fn app(args: &Args) -> anyhow::Result<Router> {
    let mut issuer = TrustedIssuer::new(&args.issuer);
    if let Some(directory) = &args.state_dir {
        issuer = issuer.keys(|keys| keys.disk_copy(directory.join("keys")));
    }
    if let Some(url) = &args.jwks_url {
        issuer = issuer.keys(|keys| keys.jwks_url(url));
    }
    let mut verifier = Verifier::builder(issuer, &args.audience);
    if let Some(path) = &args.deny_file {
        verifier = verifier.deny_file(path);
    }
    if let Some(name) = &args.instance {
        verifier = verifier.instance(name);
    }
    if let Some(seconds) = args.leeway {
        verifier = verifier.leeway(Duration::from_secs(seconds));
    }
    let verifier = verifier.build()?;
    let entries = book::Book::open(args.state_dir.as_deref(), "entries.jsonl")?;
    let guarded = Router::new()
        .route("/whoami", get(async |caller: Principal| Json(caller)))
        .route("/entries", get(read_entries).post(post_entry))
        .with_state(Ledger(verifier.clone(), Arc::new(entries)));
    Ok(health(&verifier).merge(guarded))
}

#[derive(Clone)]
struct Ledger(Verifier, Arc<book::Book<Entry>>);

impl FromRef<Ledger> for Verifier {
    fn from_ref(ledger: &Ledger) -> Self {
        ledger.0.clone()
    }
}

#[derive(Deserialize)]
struct NewEntry {
    order: u64,
    amount: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    order: u64,
    amount: u64,
    /// Taken from the token, never from what the caller says.
    posted_by: String,
}

async fn read_entries(
    _: Authorized<LedgerRead>,
    State(Ledger(_, entries)): State<Ledger>,
) -> Json<Vec<Entry>> {
    Json(entries.lines())
}

/// The caller stands before the body: who may not post is not listened to.
async fn post_entry(
    caller: Authorized<LedgerPost>,
    State(Ledger(_, entries)): State<Ledger>,
    Json(NewEntry { order, amount }): Json<NewEntry>,
) -> Result<(StatusCode, Json<Entry>), (StatusCode, String)> {
    let posted_by = caller.client_id().to_owned();
    let entry = Entry { order, amount, posted_by };
    let kept = entries.keep(&entry);
    kept.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("the entry cannot be kept: {error}")))?;
    Ok((StatusCode::CREATED, Json(entry)))
}

#[cfg(test)]
mod tests;
