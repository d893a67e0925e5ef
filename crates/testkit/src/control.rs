//! The binary: an issuer in a process of its own, and the API by which a test controls it.

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::Context;
use clap::{Parser, Subcommand};
use claviger_jose::NumericDate;
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::{ctrl_c, unix},
    sync::oneshot,
};

use self::{
    arguments::{ClientArgument, UserArgument},
    state::Control,
};
use crate::{TestClock, TestIssuer};

mod answer;
mod api;
mod arguments;
mod fault;
mod keys;
mod state;
mod token;

const LONG_HELP: &str = "\
READY
  When it serves, it prints one line of JSON: issuer, jwks_uri, token_endpoint and control, which is
  the base of the control API. Nothing else goes to standard output.

CONTROL API (JSON in, JSON out; a refusal is 4xx with {\"error\": why})
  POST   /control/token              a signed token; members as below
  GET    /control/tampered           every forgery of such a token: [{name, attack, token}]
  GET    /control/tampered/NAME      one forgery
  GET    /control/keys               [{kid, alg, state}]
  POST   /control/keys/publish-next  {\"alg\": \"ES256\"}; also promote and retire
  POST   /control/keys/revoke        {\"kid\": KID}
  GET    /control/faults             the names of all faults
  POST   /control/fault              {\"fault\": NAME, \"endpoint\": \"key_set\" | \"metadata\" | \"token\",
                                      \"status\": 503, \"retry_after\": 30, \"to\": URL, \"seconds\": 1.5}
  DELETE /control/fault              ends all faults
  POST   /control/stop, /restart     closes the issuer's port, and opens it again
  GET    /control/requests           what was asked for, and how often
  GET    /control/clock              {\"now\": seconds since 1970}
  POST   /control/clock              {\"advance_seconds\": 60}
  POST   /control/clients            {\"id\", \"secret\", \"audience\", \"scope\"}
  POST   /control/users              {\"id\", and any claims}

A TOKEN
  Members of the body of /control/token; those without a * also in the query of /control/tampered:
  audience (required), scope, user, sub, client_id, expires_in (seconds), alg (ES256 or RS256),
  *claims (an object), *without (names of claims to leave out), *header (an object).

AN EXAMPLE
  claviger-testkit serve --client id=orders,secret=s3cret,audience=https://ledger.test,scope=ledger:post
  curl -u orders:s3cret -d grant_type=client_credentials http://127.0.0.1:PORT/oauth2/token
  curl -H 'content-type: application/json' -d '{\"audience\":\"https://ledger.test\",\"user\":\"alice\"}' \\
       http://127.0.0.1:CONTROL/control/token

All keys of it are public knowledge. Nothing outside a test may ever trust them.";

/// An issuer for tests: real tokens, every forgery, every fault.
#[derive(Debug, Parser)]
#[command(name = "claviger-testkit", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve an issuer and its control API until SIGTERM or Ctrl-C.
    #[command(after_long_help = LONG_HELP)]
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Where the issuer listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the control API listens; whoever reaches it has any token.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// A path in the issuer's URL, as realms/shop.
    #[arg(long)]
    issuer_name: Option<String>,
    /// Another issuer identifier than the URL that it is found at.
    #[arg(long)]
    issuer_url: Option<String>,
    /// A client of the token endpoint: id=orders,secret=s3cret,audience=URI,scope=a b. Can be given often; the
    /// same id with another audience is one client with access to both.
    #[arg(long = "client", value_name = "MEMBERS")]
    clients: Vec<ClientArgument>,
    /// A user: id=alice, and any claims, as name=Alice. Its subject is user:alice.
    #[arg(long = "user", value_name = "MEMBERS")]
    users: Vec<UserArgument>,
    /// A clock that stands still at this time, in seconds since 1970; without it, the system's.
    #[arg(long, value_name = "SECONDS")]
    clock: Option<u64>,
    /// End also when standard input closes: with the process that started this one, however that ends.
    #[arg(long)]
    until_stdin_closes: bool,
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, to be shown in one line.
    pub async fn run(self) -> anyhow::Result<()> {
        let Command::Serve(serve) = self.command;
        serve.run().await
    }
}

impl Serve {
    async fn run(self) -> anyhow::Result<()> {
        let mut terminated = unix::signal(unix::SignalKind::terminate()).context("signal handlers")?;
        let orphaned = self.until_stdin_closes.then(end_of_stdin);
        let listener = listen(self.listen).await?;
        let control_listener = listen(self.control).await?;
        let control_url = format!("http://{}/control", control_listener.local_addr()?);

        let (issuer, clock) = self.issuer(listener);
        let ready = json!({
            "issuer": issuer.url(),
            "jwks_uri": issuer.jwks_url(),
            "token_endpoint": issuer.token_url(),
            "control": control_url,
        });

        let control = Control::new(issuer, clock);
        for client in self.clients {
            control.register(client);
        }
        for user in self.users {
            control.enrol(user);
        }
        println!("{ready}");
        let stop = async move {
            let orphaned = async {
                match orphaned {
                    Some(closed) => drop(closed.await),
                    None => std::future::pending().await,
                }
            };
            tokio::select!(_ = ctrl_c() => {}, _ = terminated.recv() => {}, () = orphaned => {});
        };
        let serving = axum::serve(control_listener, api::router(Arc::new(control)));
        // A test that is over does not wait for connections that it forgot.
        tokio::select!(ended = serving => ended.context("the control API"), () = stop => Ok(()))
    }

    /// The issuer, and the clock that moves its time.
    fn issuer(&self, listener: TcpListener) -> (TestIssuer, TestClock) {
        let mut builder = TestIssuer::builder();
        let clock = if let Some(seconds) = self.clock {
            let clock = TestClock::at(NumericDate::from_secs(seconds));
            builder = builder.clock(&clock);
            clock
        } else {
            let ahead = TestClock::at_system_time();
            builder = builder.running_clock(&ahead);
            ahead
        };
        if let Some(name) = &self.issuer_name {
            builder = builder.name(name);
        }
        if let Some(url) = &self.issuer_url {
            builder = builder.url(url);
        }
        (builder.serve(listener), clock)
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Reads in a thread of its own, which ends with the process.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (closed, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = closed.send(());
    });
    end
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
