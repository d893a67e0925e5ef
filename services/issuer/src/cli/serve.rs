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
    no_core_dumps();
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

/// A core file would hold the signing keys.
fn no_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited =
        setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = limited {
        tracing::warn!(%error, "core dumps could not be turned off");
    }
}
