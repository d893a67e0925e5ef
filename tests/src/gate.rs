//! A place in the network where faults can be had: it stands before servers and carries connections to them, well or badly.
//!
//! `noxious`, the library for this, has had no release since 2021, connects to TCP only and cannot tell its clients
//! apart; this one leads to Unix sockets too and can be worse for one process than for others.

mod line;
mod owner;
mod upstream;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::{oneshot, watch},
    time::{interval, sleep},
};

pub(crate) use self::owner::CALLERS;
pub use self::{line::Line, upstream::Address};
use self::{
    line::{Weather, carry, lose},
    upstream::{Halves, Health, Upstream},
};

/// Between two looks at the health of the servers.
const LOOK: Duration = Duration::from_millis(200);

/// A listener that carries each connection to one of the servers behind it, in turn: to one that is ready, or if none is
/// to one that lives, as platforms do; if it cannot be reached, to the next.
///
/// It runs in a thread of its own: what the tests do cannot hold it up. When it is dropped, its connections end.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    _running: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    upstreams: Mutex<Vec<Upstream>>,
    everybody: Mutex<watch::Sender<Line>>,
    /// The lines of processes that have one of their own.
    of: Mutex<HashMap<u32, watch::Sender<Line>>>,
}

impl Gate {
    /// Opens a gate to these servers. `watched` says whether they are asked for their health, over HTTP.
    ///
    /// # Errors
    /// If there is no port or no thread.
    pub fn open(addresses: &[Address], watched: bool) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let upstreams = addresses.iter().cloned().map(Upstream::new).collect();
        let shared = Arc::new(Shared {
            upstreams: Mutex::new(upstreams),
            everybody: Mutex::new(watch::Sender::new(Line::Open)),
            of: Mutex::default(),
        });
        let (running, ended) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let here = Arc::clone(&shared);
        thread::Builder::new().name("gate".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, Arc::clone(&here)) => {}
                    () = here.look(), if watched => {}
                    _ = ended => {}
                }
            });
        })?;
        Ok(Self { address, shared, _running: running })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// One more server.
    pub fn admit(&self, address: Address) {
        lock(&self.shared.upstreams).push(Upstream::new(address));
    }

    /// A server that is gone.
    pub fn dismiss(&self, address: &Address) {
        lock(&self.shared.upstreams).retain(|upstream| upstream.address != *address);
    }

    /// Changes everybody's line.
    pub fn set(&self, line: Line) {
        lock(&self.shared.everybody).send_replace(line);
        lock(&self.shared.of).values().for_each(|own| own.send_modify(|own| *own = line));
    }

    /// Changes the line of one process. When it is set apart for the first time, everybody is cut off for a moment: whose
    /// the old connections are is not known.
    pub fn set_for(&self, pid: u32, line: Line) {
        let mut of = lock(&self.shared.of);
        let own = of.entry(pid).or_insert_with(|| {
            let mut everybody = lock(&self.shared.everybody);
            let line = *everybody.borrow();
            std::mem::replace(&mut *everybody, watch::Sender::new(line)).send_replace(Line::Cut);
            watch::Sender::new(line)
        });
        own.send_replace(line);
    }
}

impl Shared {
    async fn look(&self) {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            let upstreams = lock(&self.upstreams).clone();
            for upstream in upstreams {
                tokio::spawn(async move { upstream.look().await });
            }
        }
    }

    /// The servers in the order in which a new connection tries them.
    fn choices(&self, turn: usize) -> Vec<Upstream> {
        let upstreams = lock(&self.upstreams);
        let healthy = |health| upstreams.iter().filter(|upstream| upstream.is(health)).cloned().collect();
        let by_health = [Health::Ready, Health::Alive, Health::Dead].map(healthy);
        let best = by_health.into_iter().find(|found: &Vec<_>| !found.is_empty());
        let mut choices = best.unwrap_or_default();
        if !choices.is_empty() {
            let first = turn % choices.len();
            choices.rotate_left(first);
        }
        choices
    }

    fn weather(&self, peer: SocketAddr) -> Weather {
        let of = lock(&self.of);
        let own =
            owner::of(peer, of.keys().copied()).and_then(|pid| of.get(&pid)).map(watch::Sender::subscribe);
        Weather(own.unwrap_or_else(|| lock(&self.everybody).subscribe()))
    }

    async fn connect(&self, turn: usize) -> Option<Halves> {
        for upstream in self.choices(turn) {
            if let Ok(halves) = upstream.connect().await {
                return Some(halves);
            }
        }
        None
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut turn = 0_usize;
    loop {
        let Ok((client, peer)) = listener.accept().await else {
            // Too many sockets: some will be closed.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (shared, this) = (Arc::clone(&shared), turn);
        turn = turn.wrapping_add(1);
        tokio::spawn(async move { serve(client, peer, &shared, this).await });
    }
}

async fn serve(mut client: TcpStream, peer: SocketAddr, shared: &Shared, turn: usize) {
    let weather = shared.weather(peer);
    let carried = async {
        client.set_nodelay(true).ok()?;
        let (from_server, to_server) = shared.connect(turn).await?;
        let (from_client, to_client) = client.split();
        let there = carry(from_client, to_server, weather.clone());
        if weather.loses(turn) {
            tokio::select! {
                carried = there => carried.ok()?,
                lost = lose(from_server) => lost.ok()?,
            }
            return Some(false);
        }
        let back = carry(from_server, to_client, weather.clone());
        tokio::try_join!(there, back).ok().map(|_| true)
    };
    let cut = tokio::select! {
        whole = carried => whole == Some(false),
        () = weather.clone().cut() => true,
    };
    if cut {
        // A reset, not an orderly end. If the socket is gone already, so much the better.
        let _ = client.set_zero_linger();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
