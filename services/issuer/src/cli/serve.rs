use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::{
    config::Config,
    http::{Drained, Shutdown},
    server::AuthorizationServer,
};

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("CLAVIGER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // JSON escapes control characters: no line of a log can be forged from a request.
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    let issuer = config.issuer.clone();
    let shutdown = Shutdown::on_signals().context("signal handlers")?;
    let server = AuthorizationServer::bind(config, shutdown).await?;
    println!("listening on http://{} as {issuer}", server.local_addr()?);
    if let Some(admin) = server.admin_addr()? {
        println!("admin on http://{admin}");
    }
    match server.serve().await? {
        Drained::Finished => {}
        Drained::OutOfTime { cut } | Drained::AtOnce { cut } => tracing::warn!(cut, "connections were cut"),
    }
    Ok(())
}
