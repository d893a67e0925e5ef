use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode, header},
};
use claviger_jose::MAX_KEYS;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::time::Interval;

use crate::TestKey;

const DRIP: Duration = Duration::from_millis(100);
const HUGE: usize = 64 * 1024 * 1024;
static BLANKS: [u8; 64 * 1024] = [b' '; 64 * 1024];
/// 16 MiB of zeros in 16 KiB.
static BOMB: &[u8] = include_bytes!("../faults/bomb.gz");

/// What a key set endpoint can do wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers this status without a body.
    Status(u16),
    /// Answers this status with `Retry-After` in seconds.
    StatusWithRetryAfter(u16, u64),
    /// Answers 302 to this place.
    RedirectTo(String),
    /// Answers 200 with a page, as a captive portal or a proxy does.
    Html,
    /// Answers 200 with the first half of the set.
    TruncatedJson,
    /// Answers 200 with no key in the set.
    EmptySet,
    /// Answers 200 with a chunked body of 64 MiB, far beyond any cap.
    Huge,
    /// Answers 200 with a compressed body that is a thousand times larger unpacked.
    GzipBomb,
    /// Answers 200 and the right set, one byte per 100 ms.
    Drip,
    /// Takes the request and never answers.
    Hang,
    /// The key set is right, but the metadata names another issuer.
    ContradictingIssuer,
    /// Answers 200 with two keys of one kid.
    DuplicateKid,
    /// Answers 200 with a key whose private half is in the set.
    PrivateMember,
    /// Answers 200 with one key more than anybody should take.
    TooManyKeys,
}

impl Fault {
    /// A set that takes the place of the right one and is served like it, or `None`.
    pub(crate) fn false_set(&self, right: &str) -> Option<String> {
        let key = json!(TestKey::es256().jwk());
        let keys: Vec<Value> = match self {
            Self::TruncatedJson => return Some(right[..right.len() / 2].to_owned()),
            Self::EmptySet => Vec::new(),
            Self::DuplicateKid => vec![key.clone(), key],
            Self::PrivateMember => {
                let mut private = key;
                private["d"] = "AAAA".into();
                vec![private]
            }
            Self::TooManyKeys => {
                let strange = (0..MAX_KEYS).map(|n| json!({ "kty": "OKP", "kid": format!("strange-{n}") }));
                std::iter::once(key).chain(strange).collect()
            }
            _ => return None,
        };
        Some(json!({ "keys": keys }).to_string())
    }

    /// An answer that is no set at all, or `None`.
    pub(crate) async fn answer(&self, right: &str) -> Option<Response<Body>> {
        let response = Response::builder();
        let (response, body) = match self {
            Self::Status(code) => (response.status(*code), Body::empty()),
            Self::StatusWithRetryAfter(code, seconds) => {
                (response.status(*code).header(header::RETRY_AFTER, *seconds), Body::empty())
            }
            Self::RedirectTo(place) => {
                (response.status(StatusCode::FOUND).header(header::LOCATION, place), Body::empty())
            }
            Self::Html => {
                let page = "<!doctype html><title>Welcome to the guest network</title>";
                (response.header(header::CONTENT_TYPE, "text/html"), Body::from(page))
            }
            Self::Huge => (response, Body::new(Blanks { left: HUGE })),
            Self::GzipBomb => (response.header(header::CONTENT_ENCODING, "gzip"), Body::from(BOMB)),
            Self::Drip => {
                let tap = Drip {
                    bytes: Bytes::copy_from_slice(right.as_bytes()),
                    pace: tokio::time::interval(DRIP),
                };
                (response, Body::new(tap))
            }
            Self::Hang => std::future::pending().await,
            _ => return None,
        };
        Some(response.body(body).expect("the fault was written with a valid status and place"))
    }
}

/// White space of JSON, without a Content-Length.
struct Blanks {
    left: usize,
}

impl hyper::body::Body for Blanks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = self.left.min(BLANKS.len());
        self.left -= length;
        Poll::Ready((length > 0).then(|| Ok(Frame::data(Bytes::from_static(&BLANKS[..length])))))
    }
}

/// A body that comes byte by byte.
struct Drip {
    bytes: Bytes,
    pace: Interval,
}

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.pace.poll_tick(cx));
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(1)))))
    }
}
