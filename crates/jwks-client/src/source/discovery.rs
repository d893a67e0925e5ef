use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::When;
use crate::{
    FetchError, endpoint,
    fetch::{Answer, Failed, Http},
    policy::Cause,
};

/// How old what the metadata said may be at a regular refresh.
const MAX_AGE: Duration = Duration::from_hours(1);

/// An issuer whose metadata says where its set is.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// Byte for byte as configured: URLs that differ in spelling are different issuers.
    name: String,
    url: Url,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    jwks_uri: Url,
    /// By the monotonic clock.
    read_at: Duration,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Discovery {
    pub(super) fn new(issuer: &str, url: Url) -> Self {
        Self { name: issuer.to_owned(), url, known: None }
    }

    pub(super) fn issuer(&self) -> &Url {
        &self.url
    }

    /// An attempt failed: the set may have moved.
    pub(super) fn mistrust(&mut self) {
        self.known = None;
    }

    /// The key set's URL, from the metadata before the first fetch and after an attempt that failed. Also now and then at
    /// a regular refresh: an issuer that moves its set may leave the old one where it was.
    pub(super) async fn jwks_uri(&mut self, http: &Http, when: When) -> Result<Url, Failed> {
        let known = match &self.known {
            Some(known) if when.cause != Cause::Due || when.now < known.read_at + MAX_AGE => {
                return Ok(known.jwks_uri.clone());
            }
            known => known.as_ref().map(|known| known.jwks_uri.clone()),
        };
        let jwks_uri = match (self.read(http).await, known) {
            (Ok(jwks_uri), _) => jwks_uri,
            (Err(failed), Some(known)) => {
                let (issuer, reason) = (&self.name, failed.error);
                tracing::warn!(%issuer, %reason, "the metadata could not be read again; the known jwks_uri is used");
                return Ok(known);
            }
            (Err(failed), None) => return Err(failed),
        };
        self.known = Some(Known { jwks_uri: jwks_uri.clone(), read_at: when.now });
        Ok(jwks_uri)
    }

    /// RFC 8414 first; OpenID Connect Discovery 1.0 if there is no such document.
    async fn read(&self, http: &Http) -> Result<Url, Failed> {
        let [oauth, openid] = endpoint::metadata_urls(&self.url);
        let metadata = match metadata(http, oauth).await {
            Err(first) if is_absence(first.error) => match metadata(http, openid).await {
                // It is nowhere; what the first place said tells more.
                Err(second) if second.error == FetchError::Status(404) => return Err(first),
                other => other?,
            },
            other => other?,
        };
        if metadata.issuer != self.name {
            return Err(FetchError::OtherIssuer.into());
        }
        endpoint::parse_discovered(&metadata.jwks_uri, &self.url).ok_or_else(|| FetchError::JwksUri.into())
    }
}

async fn metadata(http: &Http, url: Url) -> Result<Metadata, Failed> {
    let Answer::Document { body, .. } = http.get(url, None).await? else {
        return Err(FetchError::NotModified.into());
    };
    serde_json::from_slice(&body).map_err(|_| FetchError::Metadata.into())
}

/// A server without that document does not always say 404: it may refuse, lead to a page, or show one.
fn is_absence(error: FetchError) -> bool {
    match error {
        FetchError::Status(status) => (400..500).contains(&status) && status != 429,
        FetchError::Redirect | FetchError::Metadata => true,
        _ => false,
    }
}
