//! One guarded request: bounded in time and size, sent where it was meant to go and nowhere else.

use std::time::Duration;

use claviger_jose::{MAX_STATEMENT, VerifierReport};
use reqwest::{
    Client, Response, StatusCode,
    header::{self, HeaderMap, HeaderValue},
    redirect, retry,
};
use url::Url;

use crate::{
    FetchError,
    http_cache::{self, Validators},
};

const CONNECT: Duration = Duration::from_secs(1);
const REQUEST: Duration = Duration::from_secs(3);
pub(crate) const MAX_BODY: usize = 256 * 1024;
const USER_AGENT: &str = concat!("claviger-jwks-client/", env!("CARGO_PKG_VERSION"));

/// An HTTP client that does only what was asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Http(Client);

/// What came with status 200, or the news that it has not changed.
#[derive(Debug)]
pub(crate) enum Answer {
    Document { body: Vec<u8>, headers: HeaderMap },
    NotModified { headers: HeaderMap },
}

/// One request: what for, and what it tells.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) url: Url,
    pub(crate) what: What,
    /// What is held of it.
    pub(crate) held: Option<&'a Validators>,
    /// Who asks: one line for each service.
    pub(crate) report: &'a [HeaderValue],
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A key set, or metadata.
    Json,
    /// A statement of the revocation feed.
    Statement,
}

impl What {
    const fn media_types(self) -> &'static str {
        match self {
            Self::Json => "application/jwk-set+json, application/json",
            Self::Statement => "application/revocations+jwt, application/jwt",
        }
    }

    const fn limit(self) -> usize {
        match self {
            Self::Json => MAX_BODY,
            Self::Statement => MAX_STATEMENT,
        }
    }
}

/// Why a request or a whole attempt failed, and when the issuer wants to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) error: FetchError,
    pub(crate) retry_after: Option<Duration>,
}

impl Failed {
    /// The failure of two places: the first is the one that matters to people, and if one of them did not ask to be
    /// left alone, it is not.
    pub(crate) fn and(self, other: Self) -> Self {
        let both = self.retry_after.zip(other.retry_after);
        Self { error: self.error, retry_after: both.map(|(one, other)| one.min(other)) }
    }
}

impl From<FetchError> for Failed {
    fn from(error: FetchError) -> Self {
        Self { error, retry_after: None }
    }
}

impl Http {
    /// A client that trusts the certificate authorities of the system, with the process's default
    /// cryptography or else aws-lc-rs. Without `tls` it trusts none and does not look for any, so
    /// that a service on loopback also starts in a container that has none.
    pub(crate) fn new(tls: bool) -> reqwest::Result<Self> {
        let mut client = Client::builder()
            .tls_backend_rustls()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            // A connection that idles for minutes is one that something on the way has forgotten.
            .pool_max_idle_per_host(0)
            // Another crate of the same program may have switched decompression on for all.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        if !tls {
            client = client.tls_certs_only([]);
        }
        client.build().map(Self)
    }

    /// Asks for a document, or whether one has changed.
    pub(crate) async fn get(&self, ask: Ask<'_>) -> Result<Answer, Failed> {
        let Ask { url, what, held, report } = ask;
        let mut request = self
            .0
            .get(url)
            .header(header::ACCEPT, what.media_types())
            .header(header::ACCEPT_ENCODING, "identity");
        for line in report {
            request = request.header(VerifierReport::HEADER, line);
        }
        let condition = held.and_then(Validators::condition);
        let is_conditional = condition.is_some();
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| transport(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED
                if is_conditional && held.is_some_and(|held| held.are_of(response.headers())) =>
            {
                return Ok(Answer::NotModified { headers: response.headers().clone() });
            }
            status => {
                let error = match status {
                    StatusCode::NOT_MODIFIED => FetchError::NotModified,
                    redirect if redirect.is_redirection() => FetchError::Redirect,
                    other => FetchError::Status(other.as_u16()),
                };
                return Err(Failed { error, retry_after: http_cache::retry_after(response.headers()) });
            }
        }
        let headers = response.headers().clone();
        if headers.get_all(header::CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
            return Err(FetchError::ContentEncoding.into());
        }
        Ok(Answer::Document { body: body_of(response, what.limit()).await?, headers })
    }
}

/// Counts while it reads: a body may come without a length, or with a false one.
async fn body_of(mut response: Response, limit: usize) -> Result<Vec<u8>, FetchError> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn transport(error: &reqwest::Error) -> FetchError {
    // A connection that takes too long is both; what matters is that nobody answered in time.
    if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_connect() {
        FetchError::Connect
    } else {
        FetchError::Transport
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_failures_the_first_is_told_and_the_shorter_pause_is_kept() {
        let failed =
            |error, seconds: Option<u64>| Failed { error, retry_after: seconds.map(Duration::from_secs) };
        let both = |first, second| {
            let Failed { error, retry_after } =
                failed(FetchError::Status(503), first).and(failed(FetchError::Timeout, second));
            assert_eq!(error, FetchError::Status(503));
            retry_after.map(|pause| pause.as_secs())
        };
        assert_eq!(both(Some(9), Some(5)), Some(5));
        assert_eq!(both(Some(9), None), None, "one of them may be asked sooner");
        assert_eq!(both(None, Some(5)), None);
    }
}
