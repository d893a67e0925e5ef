//! Something between the store and its server that goes silent, as a host does that is gone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// Passes bytes on. What is connected while it is silent stays connected, and nothing comes through it ever again.
pub(crate) struct Relay {
    pub(crate) url: String,
    silent: Arc<AtomicBool>,
    silence: watch::Sender<()>,
    connected: Arc<AtomicU32>,
}

impl Relay {
    /// In front of a server that listens on a socket of the file system; `None` for any other.
    pub(crate) async fn before(url: &str) -> Option<Self> {
        let (user, rest) = url.strip_prefix("postgres://")?.split_once('@')?;
        let (host, database) = rest.split_once('/')?;
        let directory = host.replace("%2F", "/");
        if !directory.starts_with('/') {
            println!("SKIPPED: the server has no socket in the file system");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (silent, connected) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let silence = watch::Sender::new(());
        let relay = Self {
            url: format!("postgres://{user}@127.0.0.1:{port}/{database}"),
            silent: Arc::clone(&silent),
            silence: silence.clone(),
            connected: Arc::clone(&connected),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                connected.fetch_add(1, Ordering::Relaxed);
                let dead = silent.load(Ordering::Relaxed);
                let silence = silence.subscribe();
                tokio::spawn(pass(client, format!("{directory}/.s.PGSQL.5432"), silence, dead));
            }
        });
        Some(relay)
    }

    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
        self.silence.send_replace(());
    }

    /// For new connections.
    pub(crate) fn recover(&self) {
        self.silent.store(false, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) -> u32 {
        self.connected.load(Ordering::Relaxed)
    }
}

async fn pass(client: TcpStream, server: String, mut silence: watch::Receiver<()>, dead: bool) {
    let server = UnixStream::connect(server).await.expect("the server is there");
    let ((mut client_in, mut client_out), (mut server_in, mut server_out)) = (split(client), split(server));
    if !dead {
        tokio::select! {
            () = copy(&mut client_in, &mut server_out) => return,
            () = copy(&mut server_in, &mut client_out) => return,
            _ = silence.changed() => {}
        }
    }
    // Both ends stay open.
    std::future::pending::<()>().await;
}

async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
    let mut bytes = [0; 8192];
    loop {
        match from.read(&mut bytes).await {
            Ok(count) if count > 0 && to.write_all(&bytes[..count]).await.is_ok() => {}
            _ => return,
        }
    }
}
