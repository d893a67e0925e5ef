//! The accept loop against real sockets: what a client may keep waiting, and for how long.

#![expect(clippy::unwrap_used, reason = "the helpers are test code too")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::routing::{get, post};
use claviger_issuer::http::{
    BodyError, ConnectionLimits, Drained, Shutdown, ShutdownHandle, TrustedProxies, read_body, serve,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the limit under test is set to; the others stay far away.
const SHORT: Duration = Duration::from_millis(300);
/// Nothing here takes so long unless it hangs.
const HANGS: Duration = Duration::from_secs(20);
const BODY_LIMIT: usize = 1024;
const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const GET_HELD: &str = "GET /held HTTP/1.1\r\nhost: h\r\n\r\n";

// S-102
#[test]
fn a_client_that_never_finishes_a_head_is_cut_without_an_answer() {
    for sent in ["", "\r\n", "GET / HTTP/1.1\r\nhost:"] {
        let server = Server::start(|limits| limits.header_read = SHORT);
        let begun = Instant::now();
        let mut client = server.connect();
        client.send(sent);
        assert_eq!(client.read_to_end(), "", "after {sent:?}");
        assert!(begun.elapsed() >= SHORT, "cut early after {sent:?}");
    }
}

// S-102
#[test]
fn a_later_head_has_its_time_from_its_first_byte() {
    let server = Server::start(|limits| limits.header_read = SHORT);
    let mut client = server.connect();
    assert_eq!(client.ask(GET), (200, "hello".into()));
    assert!(client.is_silent_for(2 * SHORT), "idle is not a slow head");
    assert_eq!(client.ask(GET), (200, "hello".into()));
    client.send("GET / HTTP/1.1\r\n");
    assert_eq!(client.read_to_end(), "");
}

// S-102
#[test]
fn an_idle_connection_is_closed_at_its_limit_and_not_before() {
    let server = Server::start(|limits| limits.idle = 4 * SHORT);
    let mut client = server.connect();
    assert_eq!(client.ask(GET).0, 200);
    assert!(client.is_silent_for(SHORT));
    assert_eq!(client.ask(GET).0, 200);
    let begun = Instant::now();
    assert_eq!(client.read_to_end(), "");
    assert!(begun.elapsed() > 3 * SHORT);
}

// S-102
#[test]
fn a_body_dripped_or_too_large_is_refused() {
    let server = Server::start(|_| {});
    let mut client = server.connect();
    client.send(&post_head(BODY_LIMIT));
    while client.is_silent_for(Duration::from_millis(20)) {
        client.send("d");
    }
    assert_eq!(client.answer().0, 408);
    assert_eq!(server.ask(&(post_head(5) + "12345")), (200, "12345".into()));
    assert_eq!(server.ask(&post_head(BODY_LIMIT + 1)).0, 413);
    let head = "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("{:x}\r\n{}\r\n", BODY_LIMIT, "c".repeat(BODY_LIMIT));
    assert_eq!(server.ask(&format!("{head}{chunks}1\r\nx\r\n0\r\n\r\n")).0, 413);
    assert_eq!(server.ask(&format!("{head}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")).1, "abc");
    assert_eq!(server.ask(&format!("{head}broken")).0, 400);
}

// S-102
#[test]
fn a_head_is_at_most_100_fields_and_16_kib() {
    let server = Server::start(|_| {});
    let fields = |count| "x: y\r\n".repeat(count);
    let bytes = |count| format!("x: {}\r\n", "y".repeat(count));
    for (headers, status) in [
        (fields(100), 200),
        (fields(101), 431),
        (fields(200), 431),
        (bytes(15 * 1024), 200),
        (bytes(17 * 1024), 431),
        (bytes(64 * 1024), 431),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        assert_eq!(server.ask(&head).0, status, "{} bytes", head.len());
    }
}

// S-102
#[test]
fn a_handler_out_of_time_is_answered_for() {
    let server = Server::start(|limits| limits.request = SHORT);
    let mut client = server.connect();
    assert_eq!(client.ask(GET_HELD), (503, String::new()));
    assert_eq!(client.read_to_end(), "");
}

// S-102
#[test]
fn a_client_that_does_not_take_its_answer_is_cut() {
    let server = Server::start(|limits| {
        (limits.idle, limits.per_ip) = (SHORT, 1);
    });
    let mut deaf = server.connect();
    deaf.send("GET /large HTTP/1.1\r\nhost: h\r\n\r\n");
    server.until("the deaf client's place is free", |client| client.try_ask(GET).is_some());
}

// S-102
#[test]
fn an_address_gets_its_share_of_connections() {
    let server = Server::start(|limits| limits.per_ip = 2);
    let mut held = [server.connect(), server.connect()];
    for client in &mut held {
        assert_eq!(client.ask(GET).0, 200);
    }
    assert_eq!(server.connect().read_to_end(), "");
    drop(held);
    server.until("the places are free", |client| client.try_ask(GET).is_some());
}

// S-102
#[test]
fn over_the_total_a_client_waits_for_its_turn() {
    let server = Server::start(|limits| limits.connections = 1);
    let mut first = server.connect();
    assert_eq!(first.ask(GET).0, 200);
    let mut second = server.connect();
    second.send(GET);
    assert!(second.is_silent_for(SHORT));
    drop(first);
    assert_eq!(second.answer().0, 200);
}

// S-102
#[test]
fn two_hundred_slow_clients_neither_hinder_a_good_one_nor_stay() {
    let server = Server::start(|limits| {
        (limits.header_read, limits.request) = (3 * SHORT, 3 * SHORT);
    });
    let phases = [String::new(), "GET / HT".into(), post_head(10) + "drip"];
    let mut slow: Vec<_> = (0..200)
        .map(|nth| {
            let mut client = server.connect();
            client.send(&phases[nth % phases.len()]);
            client
        })
        .collect();
    for _ in 0..100 {
        assert_eq!(server.ask(GET), (200, "hello".into()));
    }
    for client in &mut slow {
        let answer = client.read_to_end();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "));
    }
}

#[test]
fn a_handler_sees_who_asks() {
    let server = Server::start(|_| {});
    let mut client = server.connect();
    let own = client.0.get_ref().local_addr().unwrap().to_string();
    assert_eq!(client.ask("GET /peer HTTP/1.1\r\n\r\n"), (200, own));
}

// S-104
#[test]
fn a_request_comes_from_where_a_trusted_proxy_says() {
    let ask = |proxies: &str| {
        let server = Server::start_behind(proxies, |_| {});
        server.ask("GET /peer HTTP/1.1\r\nx-forwarded-for: 203.0.113.9, 192.0.2.1\r\n\r\n").1
    };
    assert_eq!(ask("127.0.0.0/8"), "192.0.2.1:0");
    assert!(ask("10.0.0.0/8").starts_with("127.0.0.1:"));
}

// S-102
#[test]
fn a_trusted_proxy_may_have_more_connections_than_one_address() {
    for (proxies, expected) in [("127.0.0.1", Some(200)), ("10.0.0.7", None)] {
        let server = Server::start_behind(proxies, |limits| limits.per_ip = 1);
        let mut first = server.connect();
        assert_eq!(first.ask(GET).0, 200);
        assert_eq!(server.connect().try_ask(GET).map(|(status, _)| status), expected, "{proxies:?}");
    }
}

#[test]
fn a_panic_ends_its_own_connection_only() {
    let server = Server::start(|_| {});
    let mut bystander = server.connect();
    assert_eq!(bystander.ask(GET).0, 200);
    let mut client = server.connect();
    client.send("GET /panic HTTP/1.1\r\n\r\n");
    assert_eq!(client.read_to_end(), "");
    assert_eq!(bystander.ask(GET).0, 200);
}

// S-111
#[test]
fn a_graceful_stop_accepts_for_a_while_and_finishes_what_is_in_flight() {
    let mut server = Server::start(|limits| {
        limits.drain_delay = 5 * SHORT;
        // No alarm may ring here: what wakes an idle connection must be the stop.
        limits.header_read = 2 * HANGS;
    });
    let mut in_flight = server.connect();
    in_flight.send(GET_HELD);
    server.wait_until_held();
    let mut idle = server.connect();
    assert_eq!(idle.ask(GET).0, 200);
    assert_eq!(server.ask("GET /readyz HTTP/1.1\r\n\r\n").0, 200);

    server.handle.ask();
    let mut late = server.connect();
    assert_eq!(late.ask("GET /readyz HTTP/1.1\r\n\r\n").0, 503);
    assert_eq!(late.read_to_end(), "", "one request each while draining");
    assert_eq!(server.ask(GET), (200, "hello".into()));

    assert_eq!(idle.read_to_end(), "");
    server.wait_until_refusing();
    server.release.send_replace(true);
    assert_eq!(in_flight.answer(), (200, "held".into()));
    assert_eq!(server.drained(), Drained::Finished);
}

// S-111
#[test]
fn a_second_wish_to_stop_ends_at_once() {
    let mut server = Server::start(|_| {});
    let mut in_flight = server.connect();
    in_flight.send(GET_HELD);
    server.wait_until_held();
    server.handle.ask();
    server.handle.ask();
    assert_eq!(server.drained(), Drained::AtOnce { cut: 1 });
    assert_eq!(in_flight.read_to_end(), "");
}

// S-111
#[test]
fn a_drain_out_of_time_says_what_it_cut() {
    let mut server = Server::start(|limits| {
        (limits.drain_delay, limits.finish) = (Duration::ZERO, SHORT);
    });
    let mut in_flight = server.connect();
    in_flight.send(GET_HELD);
    server.wait_until_held();
    server.handle.ask();
    assert_eq!(server.drained(), Drained::OutOfTime { cut: 1 });
    assert_eq!(in_flight.read_to_end(), "");
}

// S-111
#[tokio::test]
async fn a_sigterm_is_a_wish_to_stop() {
    let shutdown = Shutdown::on_signals().unwrap();
    assert!(!shutdown.is_draining());
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = ConnectionLimits { drain_delay: Duration::ZERO, ..ConnectionLimits::default() };
    let drained = serve(listener, Router::new(), limits, TrustedProxies::default(), shutdown.clone());
    let drained = tokio::time::timeout(HANGS, drained).await.unwrap();
    assert_eq!(drained, Drained::Finished);
    assert!(shutdown.is_draining());
}

fn post_head(length: usize) -> String {
    format!("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n")
}

struct Server {
    address: SocketAddr,
    handle: ShutdownHandle,
    held: mpsc::Receiver<()>,
    release: watch::Sender<bool>,
    serving: JoinHandle<Drained>,
    runtime: Runtime,
}

impl Server {
    fn start(shorten: impl FnOnce(&mut ConnectionLimits)) -> Self {
        Self::start_behind("", shorten)
    }

    fn start_behind(proxies: &str, shorten: impl FnOnce(&mut ConnectionLimits)) -> Self {
        let mut limits = ConnectionLimits { drain_delay: HANGS, ..ConnectionLimits::default() };
        shorten(&mut limits);
        let (shutdown, handle) = Shutdown::manual();
        let (held_sender, held) = mpsc::channel();
        let (release, released) = watch::channel(false);
        let router = routes(shutdown.clone(), held_sender, released);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            handle,
            held,
            release,
            serving: runtime.spawn(serve(listener, router, limits, proxies.parse().unwrap(), shutdown)),
            runtime,
        }
    }

    fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    fn ask(&self, request: &str) -> (u16, String) {
        self.connect().ask(request)
    }

    fn until(&self, what: &str, holds: impl Fn(&mut Client) -> bool) {
        let begun = Instant::now();
        while !holds(&mut self.connect()) {
            assert!(begun.elapsed() < HANGS, "waited for long: {what}");
        }
    }

    fn wait_until_held(&self) {
        self.held.recv_timeout(HANGS).unwrap();
    }

    fn wait_until_refusing(&self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_ok() {
            assert!(begun.elapsed() < HANGS, "still accepting");
        }
    }

    fn drained(&mut self) -> Drained {
        let serving = &mut self.serving;
        let drained = async { tokio::time::timeout(HANGS, serving).await };
        self.runtime.block_on(drained).unwrap().unwrap()
    }
}

fn routes(shutdown: Shutdown, held: mpsc::Sender<()>, released: watch::Receiver<bool>) -> Router {
    let readyz = move || async move {
        if shutdown.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let wait = move || async move {
        held.send(()).unwrap();
        released.clone().wait_for(|released| *released).await.unwrap();
        "held"
    };
    let echo = |body: Body| async {
        read_body(body, BODY_LIMIT, SHORT).await.map_err(|error| match error {
            BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        })
    };
    let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/readyz", get(readyz))
        .route("/held", get(wait))
        .route("/echo", post(echo))
        .route("/peer", get(peer))
        .route("/large", get(|| async { vec![0; 64 << 20] }))
        .route("/panic", get(async || -> () { panic!("a fault in a handler") }))
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(HANGS)).unwrap();
        Self(BufReader::new(stream))
    }

    /// The server may close while this is written: what it answered counts, not this.
    fn send(&mut self, text: &str) {
        let _ = self.0.get_mut().write_all(text.as_bytes());
    }

    fn ask(&mut self, request: &str) -> (u16, String) {
        self.try_ask(request).expect("an answer")
    }

    fn try_ask(&mut self, request: &str) -> Option<(u16, String)> {
        self.send(request);
        self.try_answer()
    }

    fn answer(&mut self) -> (u16, String) {
        self.try_answer().expect("an answer")
    }

    /// Status and body of the next answer, or none if the connection ended first.
    fn try_answer(&mut self) -> Option<(u16, String)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.0.read_line(&mut head) {
                Ok(0) => return None,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                read => read.expect("the connection hangs"),
            };
        }
        let head = head.to_ascii_lowercase();
        let length =
            head.split_once("content-length: ").map_or("0", |(_, rest)| rest.split_once('\r').unwrap().0);
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).ok()?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, String::from_utf8(body).unwrap()))
    }

    /// What is left until the server ends the connection.
    fn read_to_end(&mut self) -> String {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("the connection was not ended: {error}")
            }
            _ => String::from_utf8(rest).unwrap(),
        }
    }

    /// Whether the server neither sends nor ends for that time.
    fn is_silent_for(&mut self, time: Duration) -> bool {
        let stream = self.0.get_ref();
        stream.set_read_timeout(Some(time)).unwrap();
        let silent = stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        stream.set_read_timeout(Some(HANGS)).unwrap();
        silent
    }
}
