//! One attempt: from the issuer's name to keys that are ready to verify.

use std::time::Duration;

use claviger_jose::{JwkSet, JwkSetError};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use crate::{
    FetchError, endpoint,
    fetch::{Answer, Failed, Http},
    held::PreparedKeys,
    http_cache::{self, Horizons},
};

/// Metadata and key set together.
const ATTEMPT: Duration = Duration::from_secs(8);

/// What a successful attempt brings.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The new keys, or `None` if the last ones are still right.
    pub(crate) keys: Option<PreparedKeys>,
    /// How long the answer says it may be used.
    pub(crate) says: Horizons,
}

/// Where the key set of one issuer comes from, and what was learned about it.
#[derive(Debug)]
pub(crate) struct Source {
    http: Http,
    place: Place,
    /// The tag of the last set that was accepted.
    etag: Option<HeaderValue>,
}

#[derive(Debug)]
pub(crate) enum Place {
    Fixed(Url),
    /// Read from the metadata before the first fetch, and again after an attempt that failed.
    Discovered {
        issuer: Issuer,
        jwks_uri: Option<Url>,
    },
}

impl Place {
    /// Whether TLS is spoken: the scheme of a discovered URL is that of its issuer.
    pub(crate) fn is_https(&self) -> bool {
        let (Self::Fixed(url) | Self::Discovered { issuer: Issuer { url, .. }, .. }) = self;
        url.scheme() == "https"
    }
}

#[derive(Debug)]
pub(crate) struct Issuer {
    /// Byte for byte as configured: URLs that differ in spelling are different issuers.
    pub(crate) name: String,
    pub(crate) url: Url,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(crate) fn new(http: Http, place: Place) -> Self {
        Self { http, place, etag: None }
    }

    pub(crate) async fn attempt(&mut self) -> Result<Fetched, Failed> {
        let result = tokio::time::timeout(ATTEMPT, self.fetch()).await;
        let result = result.unwrap_or_else(|_| Err(FetchError::Timeout.into()));
        if let (Err(_), Place::Discovered { jwks_uri, .. }) = (&result, &mut self.place) {
            *jwks_uri = None; // the set may have moved
        }
        result
    }

    async fn fetch(&mut self) -> Result<Fetched, Failed> {
        let url = match &mut self.place {
            Place::Fixed(url) | Place::Discovered { jwks_uri: Some(url), .. } => url.clone(),
            Place::Discovered { issuer, jwks_uri } => {
                let url = discover(&self.http, issuer).await?;
                jwks_uri.insert(url).clone()
            }
        };
        match self.http.get(url, self.etag.as_ref()).await? {
            Answer::NotModified { headers } => {
                Ok(Fetched { keys: None, says: http_cache::horizons(&headers) })
            }
            Answer::Document { body, headers } => {
                let set = JwkSet::parse(&body).map_err(FetchError::Set)?;
                let keys = PreparedKeys::of(&set).ok_or(FetchError::NoUsableKey)?;
                if !set.skipped().is_empty() {
                    tracing::debug!(skipped = ?set.skipped(), "keys of the set were passed over");
                }
                self.etag = http_cache::etag(&headers);
                Ok(Fetched { keys: Some(keys), says: http_cache::horizons(&headers) })
            }
        }
    }
}

/// Finds the key set's URL in the issuer's metadata (RFC 8414; OpenID Connect Discovery 1.0 if there is none).
async fn discover(http: &Http, issuer: &Issuer) -> Result<Url, Failed> {
    let [oauth, openid] = endpoint::metadata_urls(&issuer.url);
    let answer = match http.get(oauth, None).await {
        Err(Failed { error: FetchError::Status(404), .. }) => http.get(openid, None).await?,
        other => other?,
    };
    let Answer::Document { body, .. } = answer else {
        return Err(FetchError::NotModified.into());
    };
    let metadata: Metadata = serde_json::from_slice(&body).map_err(|_| FetchError::Metadata)?;
    if metadata.issuer != issuer.name {
        return Err(FetchError::OtherIssuer.into());
    }
    endpoint::parse_discovered(&metadata.jwks_uri, &issuer.url).ok_or_else(|| FetchError::JwksUri.into())
}

/// Whether a failure means that the issuer has lost a private key, not that the network is bad.
pub(crate) fn is_alarming(error: FetchError) -> bool {
    error == FetchError::Set(JwkSetError::PrivateKey)
}
