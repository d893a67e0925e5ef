use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Shutdown;

/// Where one connection stands, as its stream, its service and its answers' bodies saw it.
///
/// Only the connection's task touches it: these are atomics because that task may move between
/// threads, and relaxed because it is never on two at once.
#[derive(Debug)]
pub(super) struct Watch {
    shutdown: Shutdown,
    phase: AtomicU8,
    turns: AtomicU32,
    expired: AtomicBool,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request's head is not complete.
    Head,
    /// The handler has not answered.
    Handler,
    /// The answer's body is not complete.
    Answer,
    /// There is no request.
    Idle,
}

impl Watch {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            phase: AtomicU8::new(Phase::Head as u8),
            turns: AtomicU32::default(),
            expired: AtomicBool::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Head,
            1 => Phase::Handler,
            2 => Phase::Answer,
            _ => Phase::Idle,
        }
    }

    /// Changes whenever a new time limit begins, also if the phase is the same again.
    pub(super) fn turns(&self) -> u32 {
        self.turns.load(Relaxed)
    }

    pub(super) fn request_read(&self) {
        self.turn_to(Phase::Handler);
    }

    /// Handler and answer share one time limit, so this is no turn.
    pub(super) fn answer_begun(&self) {
        self.phase.store(Phase::Answer as u8, Relaxed);
    }

    /// Asks the service to answer in the handler's place.
    pub(super) fn expire(&self) {
        self.expired.store(true, Relaxed);
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expired.load(Relaxed)
    }

    /// Whether an answer given now is the connection's last.
    pub(super) fn is_draining(&self) -> bool {
        self.shutdown.is_draining()
    }

    fn bytes_read(&self) {
        if self.phase() == Phase::Idle {
            self.turn_to(Phase::Head);
        }
    }

    fn turn_to(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.turns.store(self.turns().wrapping_add(1), Relaxed);
    }
}

/// The body of an answer: when hyper drops it, the answer is complete.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: Body,
    watch: Arc<Watch>,
}

impl WatchedBody {
    pub(super) fn new(body: Body, watch: Arc<Watch>) -> Self {
        Self { body, watch }
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        self.watch.turn_to(Phase::Idle);
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The stream of a connection: the first byte read while idle begins a request's head.
#[derive(Debug)]
pub(super) struct WatchedStream {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl WatchedStream {
    pub(super) fn new(stream: TcpStream, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.bytes_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
