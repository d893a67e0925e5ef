//! `orders`: a resource service that acts for its callers, people and services, and calls the ledger for itself.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::extract::{FromRef, State};
use axum::{Json, Router, http::StatusCode, routing::get};
use clap::Parser;
use claviger_token_source::{Audience, ScopeSet, TokenSource};
use claviger_verifier::{Authorized, Principal, Verifier, health, required_scope};
use reqwest::{Client, Response, redirect::Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal::{ctrl_c, unix};

mod book;
mod page;

required_scope!(OrdersRead = "orders:read");
required_scope!(OrdersWrite = "orders:write");

/// Takes orders and has the ledger note their amounts.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The issuer whose tokens are accepted: an https URL, or http on this machine.
    #[arg(long, env)]
    issuer: String,
    /// The name of this service in tokens.
    #[arg(long, env, default_value = "https://orders.fleet.test")]
    audience: String,
    /// A directory in which orders outlive the process.
    #[arg(long, env)]
    state_dir: Option<PathBuf>,
    /// A file with kids that are denied whatever the issuer publishes, one in each line; read again when it changes.
    #[arg(long, env)]
    deny_file: Option<PathBuf>,
    /// What this process is called where the issuer shows its verifiers; without it, as its host.
    #[arg(long, env)]
    instance: Option<String>,
    /// The URL of the ledger: https, or http on this machine.
    #[arg(long, env)]
    ledger: String,
    /// The name of the ledger in tokens.
    #[arg(long, env, default_value = "https://ledger.fleet.test")]
    ledger_audience: Audience,
    /// This service as a client of the issuer.
    #[arg(long, env, default_value = "orders")]
    client_id: String,
    /// The client's secret; on a command line, other users of the machine can see it.
    #[arg(long, env, hide_env_values = true)]
    client_secret: String,
    /// A public client of the issuer: with it, `/` is a page on which people sign in and see their orders.
    #[arg(long, env)]
    page_client: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let listen = args.listen;
    let app = app(args)?;
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let mut terminated = unix::signal(unix::SignalKind::terminate())?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async move { tokio::select!(_ = ctrl_c() => {}, _ = terminated.recv() => {}) };
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

/// The service, with its routes in the order in which a caller meets them.
fn app(args: Args) -> anyhow::Result<Router> {
    let mut verifier = Verifier::builder(&args.issuer, &args.audience);
    if let Some(path) = &args.deny_file {
        verifier = verifier.deny_file(path);
    }
    if let Some(name) = &args.instance {
        verifier = verifier.instance(name);
    }
    let verifier = verifier.build()?;
    let http = Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(5));
    // Off this machine no token is sent in plain text; within it, no certificates are needed.
    let here = ["127.0.0.1", "[::1]", "localhost"].map(|host| format!("http://{host}:"));
    let is_here = here.iter().any(|origin| args.ledger.starts_with(origin));
    let http = if is_here { http.tls_certs_only([]) } else { http.https_only(true) };
    let book = book::Book::open(args.state_dir.as_deref(), "orders.jsonl", |order: &Order| order.id)?;
    let orders = Orders {
        verifier,
        tokens: TokenSource::builder(&args.issuer, &args.client_id, args.client_secret.into()).build()?,
        http: http.build()?,
        entries: format!("{}/entries", args.ledger.trim_end_matches('/')),
        ledger: args.ledger_audience,
        posting: "ledger:post".parse()?,
        book: Arc::new(book),
    };
    let guarded = Router::new()
        .route("/whoami", get(async |caller: Principal| Json(caller)))
        .route("/orders", get(read_orders).post(post_order));
    let app = health(&orders.verifier).merge(guarded.with_state(orders));
    let Some(client_id) = args.page_client else { return Ok(app) };
    let scope = "openid profile orders:read orders:write";
    let page = page::Page { issuer: args.issuer, client_id, audience: args.audience, scope };
    Ok(page.router()?.merge(app))
}

#[derive(Clone)]
struct Orders {
    verifier: Verifier,
    tokens: TokenSource,
    http: Client,
    entries: String,
    ledger: Audience,
    posting: ScopeSet,
    book: Arc<book::Book<Order>>,
}

impl FromRef<Orders> for Verifier {
    fn from_ref(orders: &Orders) -> Self {
        orders.verifier.clone()
    }
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
    amount: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: usize,
    item: String,
    amount: u64,
    /// For whom this service has acted: taken from the token, never from what the caller says.
    ordered_by: String,
}

/// Everybody sees their own, a person as well as a service. There is one issuer here, so the subject alone says who.
async fn read_orders(caller: Authorized<OrdersRead>, State(orders): State<Orders>) -> Json<Vec<Order>> {
    Json(orders.book.lines(|order| order.ordered_by == caller.sub()))
}

/// The caller stands before the body: who may not order is not listened to.
async fn post_order(
    caller: Authorized<OrdersWrite>,
    State(orders): State<Orders>,
    Json(NewOrder { item, amount }): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), (StatusCode, String)> {
    let (id, ordered_by) = (orders.book.number(), caller.sub().to_owned());
    post_to_ledger(&orders, id, amount).await?;
    let order = Order { id, item, amount, ordered_by };
    let kept = orders.book.keep(&order);
    kept.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("the order cannot be kept: {error}")))?;
    Ok((StatusCode::CREATED, Json(order)))
}

/// Calls the other service as this service, with a token that is for that one alone.
async fn post_to_ledger(orders: &Orders, order: usize, amount: u64) -> Result<(), (StatusCode, String)> {
    let token = orders.tokens.token(&orders.ledger, &orders.posting).await;
    let token = token
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, format!("no token for the ledger: {error}")))?;
    let entry = json!({ "order": order, "amount": amount });
    let answer = orders.http.post(&orders.entries).bearer_auth(token.as_str()).json(&entry).send().await;
    let noted = answer.and_then(Response::error_for_status).map_err(reqwest::Error::without_url);
    noted
        .map_err(|error| (StatusCode::BAD_GATEWAY, format!("the ledger did not take the order: {error}")))?;
    Ok(())
}

#[cfg(test)]
mod tests;
