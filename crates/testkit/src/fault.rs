use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{Response, StatusCode, header},
};
use claviger_jose::MAX_KEYS;
use serde_json::{Value, json};

use crate::TestKey;

mod bodies;

/// A page where JSON was asked for.
const PAGE: &str = "<!doctype html><title>Welcome to the guest network</title>";
/// What a set says in its `Age` that has lain in a cache for a day.
pub(crate) const STALE_AGE: u64 = 86_400;

/// What an endpoint can do wrong.
///
/// Those from [`EmptySet`](Self::EmptySet) to [`StaleCopy`](Self::StaleCopy) are about a key set; at another
/// endpoint they do nothing. [`ContradictingIssuer`](Self::ContradictingIssuer) is always about the metadata.
///
/// [`Fault::all`] has one of each, so that a test can run over the whole table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Closes the connection without an answer. For a port that nobody listens at, see
    /// [`TestIssuer::stop`](crate::TestIssuer::stop). A router that is mounted elsewhere cannot close
    /// connections: there it is a 503.
    Down,
    /// Answers this status without a body.
    Status(u16),
    /// Answers this status with `Retry-After` in seconds.
    StatusWithRetryAfter(u16, u64),
    /// Answers 302 to this place.
    RedirectTo(String),
    /// Answers 304, whether it was asked conditionally or not.
    UnaskedNotModified,
    /// Takes the request and never answers.
    Hang,
    /// Answers rightly, after this time.
    Slow(Duration),
    /// Answers rightly, one byte per 100 ms.
    Drip,
    /// Answers 200 with the first half of the document.
    TruncatedJson,
    /// Announces the whole document, sends half of it, and closes the connection.
    CutOff,
    /// Answers 200 with a page, as a captive portal or a proxy does.
    Html,
    /// Answers 200 with bytes that are no text.
    Garbage,
    /// Answers 200 with a chunked body of 64 MiB, far beyond any cap.
    Huge,
    /// Answers 200 with a compressed body that is a thousand times larger unpacked.
    GzipBomb,
    /// Answers 200 with no key in the set.
    EmptySet,
    /// Answers with the right keys, and one entry among them that is no key of a known kind.
    OneBadEntry,
    /// Answers 200 with two keys of one kid.
    DuplicateKid,
    /// Answers 200 with a key whose private half is in the set.
    PrivateMember,
    /// Answers 200 with one key more than anybody should take.
    TooManyKeys,
    /// Answers with the set as it was when the fault began, and says that it is a day old.
    StaleCopy,
    /// The metadata names another issuer; the key set is right.
    ContradictingIssuer,
}

impl Fault {
    /// One of each, in the order of the enum, those with parameters with ordinary ones.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            Self::Down,
            Self::Status(500),
            Self::StatusWithRetryAfter(503, 30),
            Self::RedirectTo("http://127.0.0.1:1/".to_owned()),
            Self::UnaskedNotModified,
            Self::Hang,
            Self::Slow(Duration::from_secs(1)),
            Self::Drip,
            Self::TruncatedJson,
            Self::CutOff,
            Self::Html,
            Self::Garbage,
            Self::Huge,
            Self::GzipBomb,
            Self::EmptySet,
            Self::OneBadEntry,
            Self::DuplicateKid,
            Self::PrivateMember,
            Self::TooManyKeys,
            Self::StaleCopy,
            Self::ContradictingIssuer,
        ]
    }

    /// The one of [`all`](Self::all) with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|fault| fault.name() == name)
    }

    /// A name for tables and command lines, unique without its parameters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Status(_) => "status",
            Self::StatusWithRetryAfter(..) => "status-with-retry-after",
            Self::RedirectTo(_) => "redirect",
            Self::UnaskedNotModified => "unasked-not-modified",
            Self::Hang => "hang",
            Self::Slow(_) => "slow",
            Self::Drip => "drip",
            Self::TruncatedJson => "truncated-json",
            Self::CutOff => "cut-off",
            Self::Html => "html",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::GzipBomb => "gzip-bomb",
            Self::EmptySet => "empty-set",
            Self::OneBadEntry => "one-bad-entry",
            Self::DuplicateKid => "duplicate-kid",
            Self::PrivateMember => "private-member",
            Self::TooManyKeys => "too-many-keys",
            Self::StaleCopy => "stale-copy",
            Self::ContradictingIssuer => "contradicting-issuer",
        }
    }

    /// A set that takes the place of the right one and is served like it, or `None`.
    pub(crate) fn false_set(&self, right: &str) -> Option<String> {
        let mut set: Value = serde_json::from_str(right).unwrap_or_default();
        let mut keys: Vec<Value> = set["keys"].as_array_mut().map(std::mem::take).unwrap_or_default();
        if keys.is_empty() {
            keys.push(json!(TestKey::es256().jwk()));
        }
        match self {
            Self::EmptySet => keys.clear(),
            Self::OneBadEntry => keys.insert(0, json!({ "kty": "lattice", "kid": 7, "n": null })),
            Self::DuplicateKid => keys.push(keys[0].clone()),
            Self::PrivateMember => keys[0]["d"] = "AAAA".into(),
            Self::TooManyKeys => {
                let strange = (0..MAX_KEYS).map(|n| json!({ "kty": "OKP", "kid": format!("strange-{n}") }));
                keys.extend(strange);
            }
            _ => return None,
        }
        Some(json!({ "keys": keys }).to_string())
    }

    /// The answer, made without or from the right one.
    pub(crate) async fn answer(
        &self,
        mut request: Request,
        right: impl AsyncFnOnce(Request) -> Response<Body>,
    ) -> Response<Body> {
        match self {
            Self::Slow(time) => {
                tokio::time::sleep(*time).await;
                return right(request).await;
            }
            Self::StaleCopy | Self::ContradictingIssuer => return right(request).await,
            Self::Hang => return std::future::pending().await,
            _ => {}
        }
        if let Some(answer) = self.instead() {
            return answer;
        }
        // What is to be broken has to be sent.
        request.headers_mut().remove(header::IF_NONE_MATCH);
        let answer = right(request).await;
        match self {
            Self::Drip => answer.map(bodies::drip),
            Self::TruncatedJson => bodies::half(answer).await,
            Self::CutOff => bodies::cut_off(answer).await,
            _ => answer,
        }
    }

    /// An answer that has nothing of the right one, or `None`.
    fn instead(&self) -> Option<Response<Body>> {
        let response = Response::builder();
        let (response, body) = match self {
            Self::Down => {
                let response = response.status(StatusCode::SERVICE_UNAVAILABLE).extension(CloseConnection);
                (response, Body::empty())
            }
            Self::Status(code) => (response.status(*code), Body::empty()),
            Self::StatusWithRetryAfter(code, seconds) => {
                (response.status(*code).header(header::RETRY_AFTER, *seconds), Body::empty())
            }
            Self::RedirectTo(place) => {
                (response.status(StatusCode::FOUND).header(header::LOCATION, place), Body::empty())
            }
            Self::UnaskedNotModified => (response.status(StatusCode::NOT_MODIFIED), Body::empty()),
            Self::Html => (response.header(header::CONTENT_TYPE, "text/html"), Body::from(PAGE)),
            Self::Garbage => (response, bodies::garbage()),
            Self::Huge => (response, bodies::blanks()),
            Self::GzipBomb => (response.header(header::CONTENT_ENCODING, "gzip"), bodies::bomb()),
            _ => return None,
        };
        Some(response.body(body).expect("the fault was written with a valid status and place"))
    }
}

/// Tells whoever owns the connection that no answer is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloseConnection;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let all = Fault::all();
        let names: HashSet<&str> = all.iter().map(Fault::name).collect();
        assert_eq!((names.len(), all.len()), (21, 21));
        assert!(all.iter().all(|fault| Fault::named(fault.name()).as_ref() == Some(fault)));
    }
}
