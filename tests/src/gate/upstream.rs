use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// For how long a health check may go unanswered.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a gate leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl Address {
    /// Of a server with a base URL such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// If it is none.
    pub fn http(url: &str) -> anyhow::Result<Self> {
        Ok(Self::Tcp(url.strip_prefix("http://").context("a plain URL")?.to_owned()))
    }

    /// Of the server of a PostgreSQL URL, and the URL under which a gate to it is that server.
    ///
    /// # Errors
    /// If it is none.
    pub fn postgres(url: &str, gate: SocketAddr) -> anyhow::Result<(Self, String)> {
        let (scheme, rest) = url.split_once("://").context("a URL")?;
        let (authority, database) = rest.split_once('/').context("a database")?;
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let address = match host.replace("%2F", "/") {
            socket if socket.starts_with('/') => Self::Unix(format!("{socket}/.s.PGSQL.5432").into()),
            host if host.contains(':') => Self::Tcp(host),
            host => Self::Tcp(format!("{host}:5432")),
        };
        Ok((address, format!("{scheme}://{user}@{gate}/{database}")))
    }
}

/// Both directions of a connection.
pub(super) type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

/// How well a server does, as a platform sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Health {
    Dead,
    Alive,
    Ready,
}

/// One server behind a gate.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) address: Address,
    health: Arc<AtomicU8>,
}

impl Upstream {
    /// A server is not ready until it was looked at: one that has only just come must not get what others could answer.
    pub(super) fn new(address: Address) -> Self {
        Self { address, health: Arc::new(AtomicU8::new(Health::Alive as u8)) }
    }

    pub(super) fn is(&self, health: Health) -> bool {
        self.health.load(Ordering::Relaxed) == health as u8
    }

    pub(super) async fn connect(&self) -> io::Result<Halves> {
        Ok(match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let (from, to) = stream.into_split();
                (Box::new(from), Box::new(to))
            }
            Address::Unix(path) => {
                let (from, to) = UnixStream::connect(path).await?.into_split();
                (Box::new(from), Box::new(to))
            }
        })
    }

    /// Asks once how it does.
    pub(super) async fn look(&self) {
        let health = match timeout(PATIENCE, self.asks("/readyz")).await {
            Ok(Ok(true)) => Health::Ready,
            Ok(Ok(false)) => Health::Alive,
            Ok(Err(_)) | Err(_) => Health::Dead,
        };
        self.health.store(health as u8, Ordering::Relaxed);
    }

    async fn asks(&self, path: &str) -> io::Result<bool> {
        let (mut from, mut to) = self.connect().await?;
        to.write_all(format!("GET {path} HTTP/1.1\r\nhost: health\r\nconnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut status = [0; 12];
        from.read_exact(&mut status).await?;
        Ok(status.ends_with(b" 200"))
    }
}
