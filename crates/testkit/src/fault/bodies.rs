//! Bodies that no reader should swallow whole.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Response, header},
};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::time::Interval;

const DRIP: Duration = Duration::from_millis(100);
const HUGE: usize = 64 * 1024 * 1024;
/// A document that is longer than this is not cut, but left out.
const LONGEST: usize = 1024 * 1024;
static BLANKS: [u8; 64 * 1024] = [b' '; 64 * 1024];
/// 16 MiB of zeros in 16 KiB.
static BOMB: &[u8] = include_bytes!("../../faults/bomb.gz");

pub(super) fn bomb() -> Body {
    Body::from(BOMB)
}

/// All bytes there are, again and again, from the last to the first.
pub(super) fn garbage() -> Body {
    let all: Vec<u8> = (0..=u8::MAX).rev().collect();
    Body::from(all.repeat(4))
}

/// White space of JSON, without a Content-Length.
pub(super) fn blanks() -> Body {
    Body::new(Blanks { left: HUGE })
}

struct Blanks {
    left: usize,
}

impl hyper::body::Body for Blanks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = self.left.min(BLANKS.len());
        self.left -= length;
        Poll::Ready((length > 0).then(|| Ok(Frame::data(Bytes::from_static(&BLANKS[..length])))))
    }
}

/// The same body, byte by byte.
pub(super) fn drip(right: Body) -> Body {
    Body::new(Drip { source: right, bytes: Bytes::new(), pace: tokio::time::interval(DRIP) })
}

struct Drip {
    source: Body,
    bytes: Bytes,
    pace: Interval,
}

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        while self.bytes.is_empty() {
            match ready!(Pin::new(&mut self.source).poll_frame(cx)) {
                Some(Ok(frame)) => self.bytes = frame.into_data().unwrap_or_default(),
                end => return Poll::Ready(end),
            }
        }
        ready!(self.pace.poll_tick(cx));
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(1)))))
    }
}

/// Half of the body, as if that were all.
pub(super) async fn half(right: Response<Body>) -> Response<Body> {
    let (mut head, body) = right.into_parts();
    let mut bytes = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
    head.headers.remove(header::CONTENT_LENGTH);
    bytes.truncate(bytes.len() / 2);
    Response::from_parts(head, Body::from(bytes))
}

/// Half of the body, and then an error of the connection instead of the rest that was announced.
pub(super) async fn cut_off(right: Response<Body>) -> Response<Body> {
    let (mut head, body) = right.into_parts();
    let mut bytes = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
    head.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    bytes.truncate(bytes.len() / 2);
    let rest = Rest { bytes: Some(bytes), sent: false };
    Response::from_parts(head, Body::new(rest.boxed_unsync()))
}

struct Rest {
    bytes: Option<Bytes>,
    sent: bool,
}

impl hyper::body::Body for Rest {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        // The first half is sent when there is something to wait for, and not if the error comes at once.
        if !std::mem::replace(&mut self.sent, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into())))
    }
}
