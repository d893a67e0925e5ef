use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tower::Service as _;

use super::watch::{Phase, Watch, WatchedBody, WatchedStream};
use super::{ConnectionLimits, Shutdown, TrustedProxies};

/// Bytes of a request's head, request line included; over it the answer is 431. hyper refuses
/// less than 8 KiB. The head's 100 fields are hyper's own default, kept on the stack: setting
/// even the same number would cost an allocation for each request.
const HEAD_BYTES: usize = 16 * 1024;

/// What all connections of one listener share.
#[derive(Debug)]
pub(super) struct Server {
    http: http1::Builder,
    router: Router,
    pub(super) limits: ConnectionLimits,
    pub(super) proxies: TrustedProxies,
    /// From now on each answer is its connection's last.
    shutdown: Shutdown,
    /// From now on idle connections end too.
    finish: Shutdown,
}

impl Server {
    pub(super) fn new(
        router: Router,
        limits: ConnectionLimits,
        proxies: TrustedProxies,
        shutdown: Shutdown,
        finish: Shutdown,
    ) -> Self {
        let mut http = http1::Builder::new();
        // hyper's own time-out runs between requests too and would end an idle connection as if
        // it were a slow one; the alarm below knows the difference.
        http.header_read_timeout(None).max_buf_size(HEAD_BYTES);
        Self { http, router: router.with_state(()), limits, proxies, shutdown, finish }
    }
}

/// Serves one connection to its end, which every wait on it reaches by itself or by its limit.
///
/// The alarm is moved only when it rings or when a limit ends before it: a request that comes and
/// goes in time sets no timer.
pub(super) async fn drive(stream: TcpStream, peer: SocketAddr, server: Arc<Server>) {
    let watch = Arc::new(Watch::new(server.shutdown.clone()));
    let io = TokioIo::new(WatchedStream::new(stream, Arc::clone(&watch)));
    let service = answering(Arc::clone(&server), Arc::clone(&watch), peer);
    let mut http = server.http.serve_connection(io, service);
    let mut patience = Patience::new(server.limits);
    let mut alarm = pin!(sleep_until(patience.until));
    let mut finish = pin!(server.finish.asked(1));
    let (mut listening, mut finishing) = (false, false);

    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut http).poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "connection ended");
                }
                return Poll::Ready(());
            }
            // Polled once, which leaves this task's waker, and again only when there is news:
            // polling it takes a lock that all connections share.
            if !finishing && (!listening || server.finish.is_draining()) {
                listening = true;
                if finish.as_mut().poll(cx).is_ready() {
                    finishing = true;
                    Pin::new(&mut http).graceful_shutdown();
                    continue;
                }
            }
            patience.renew(&watch);
            if patience.until < alarm.deadline() {
                alarm.as_mut().reset(patience.until);
            }
            ready!(alarm.as_mut().poll(cx));
            if Instant::now() < patience.until {
                alarm.as_mut().reset(patience.until);
            } else if watch.phase() == Phase::Handler && !watch.is_expired() {
                watch.expire();
            } else {
                tracing::debug!(%peer, phase = ?watch.phase(), "connection cut at its time limit");
                return Poll::Ready(());
            }
        }
    })
    .await;
}

/// Until when the present wait may last.
#[derive(Debug)]
struct Patience {
    limits: ConnectionLimits,
    turns: u32,
    until: Instant,
}

impl Patience {
    fn new(limits: ConnectionLimits) -> Self {
        Self { limits, turns: 0, until: Instant::now() + limits.header_read }
    }

    fn renew(&mut self, watch: &Watch) {
        if watch.turns() == self.turns {
            return;
        }
        self.turns = watch.turns();
        self.until = Instant::now()
            + match watch.phase() {
                Phase::Head => self.limits.header_read,
                Phase::Handler | Phase::Answer => self.limits.request,
                Phase::Idle => self.limits.idle,
            };
    }
}

/// The router as hyper calls it. Each request has the address in it that it comes from: here, and nowhere else, it is
/// found out.
fn answering(
    server: Arc<Server>,
    watch: Arc<Watch>,
    peer: SocketAddr,
) -> impl Service<Request<Incoming>, Response = Response<WatchedBody>, Error = Infallible, Future: Send> {
    service_fn(move |mut request: Request<Incoming>| {
        watch.request_read();
        let origin = server.proxies.origin(peer, request.headers());
        request.extensions_mut().insert(ConnectInfo(origin));
        let answer = server.router.clone().call(request);
        let watch = Arc::clone(&watch);
        async move {
            let mut answer = pin!(answer);
            let mut response = poll_fn(|cx| {
                if watch.is_expired() {
                    return Poll::Ready(Ok(out_of_time()));
                }
                answer.as_mut().poll(cx)
            })
            .await?;
            if watch.is_draining() {
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            watch.answer_begun();
            Ok(response.map(|body| WatchedBody::new(body, watch)))
        }
    })
}

fn out_of_time() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
