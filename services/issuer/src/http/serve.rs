use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::{Server, drive};
use super::per_ip::PerIp;
use super::{ConnectionLimits, Shutdown, TrustedProxies};

/// How long to wait after an accept that failed for want of descriptors or memory: at once it
/// would fail again, and spin.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// How serving came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "connections may have been cut"]
pub enum Drained {
    /// Every request in flight was answered.
    Finished,
    /// [`ConnectionLimits::finish`] ran out first.
    OutOfTime {
        /// Connections cut.
        cut: usize,
    },
    /// A second wish to stop ended it at once.
    AtOnce {
        /// Connections cut.
        cut: usize,
    },
}

/// Serves HTTP/1.1 on `listener` until `shutdown` was asked for and every connection has ended.
///
/// Each request carries [`axum::extract::ConnectInfo`] of the [`SocketAddr`] that it comes from:
/// the peer's, or what a proxy says that is trusted. After the
/// first wish to stop, connections are accepted for [`ConnectionLimits::drain_delay`] more, one
/// request each; then requests in flight have [`ConnectionLimits::finish`] to end. Dropping the
/// future cuts all connections.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    proxies: TrustedProxies,
    shutdown: Shutdown,
) -> Drained {
    let (finish, finish_handle) = Shutdown::manual();
    let server = Arc::new(Server::new(router, limits, proxies, shutdown.clone(), finish));
    let mut open = JoinSet::new();
    let mut at_once = pin!(shutdown.asked(2));

    tokio::select! {
        biased;
        () = &mut at_once => return Drained::AtOnce { cut: count(&mut open) },
        () = drain_begun(&shutdown, limits.drain_delay) => {}
        never = accept_all(&listener, &server, &mut open) => match never {},
    }
    drop(listener);
    finish_handle.ask();

    tokio::select! {
        biased;
        () = &mut at_once => Drained::AtOnce { cut: count(&mut open) },
        () = all_ended(&mut open) => Drained::Finished,
        () = sleep(limits.finish) => Drained::OutOfTime { cut: count(&mut open) },
    }
}

async fn drain_begun(shutdown: &Shutdown, delay: Duration) {
    shutdown.asked(1).await;
    tracing::info!(?delay, "draining");
    sleep(delay).await;
}

async fn accept_all(listener: &TcpListener, server: &Arc<Server>, open: &mut JoinSet<()>) -> Infallible {
    let places = server.limits.connections.clamp(1, Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(places));
    let per_ip = PerIp::new(server.limits.per_ip);
    loop {
        let (place, stream, peer) = tokio::select! {
            accepted = accept_next(listener, &places) => accepted,
            // Reaps, so that the set does not grow with each connection ever served.
            Some(_ended) = open.join_next() => continue,
        };
        let share = per_ip.admit(peer.ip());
        if share.is_none() && !server.proxies.contains(peer.ip()) {
            tracing::debug!(%peer, "connection refused: its address has too many");
            continue;
        }
        // Fails only for a peer that is gone already, which reading will find out.
        let _ = stream.set_nodelay(true);
        let server = Arc::clone(server);
        open.spawn(async move {
            drive(stream, peer, server).await;
            drop((place, share));
        });
    }
}

/// A place comes first: over the limit, clients wait in the kernel and cost no descriptor.
async fn accept_next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (place, stream, peer),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// A peer that went away before it was accepted is no reason to let the others wait.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn all_ended(open: &mut JoinSet<()>) {
    while open.join_next().await.is_some() {}
}

/// Connections that have not ended.
fn count(open: &mut JoinSet<()>) -> usize {
    while open.try_join_next().is_some() {}
    open.len()
}
