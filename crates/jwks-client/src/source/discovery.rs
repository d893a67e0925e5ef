use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::When;
use crate::{
    FetchError, endpoint,
    fetch::{Answer, Ask, Failed, Http, What},
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
    known: Option<Box<Known>>,
}

#[derive(Debug)]
struct Known {
    places: Places,
    /// By the monotonic clock.
    read_at: Duration,
}

/// What the metadata says about where things are.
#[derive(Debug, Clone)]
struct Places {
    jwks_uri: Url,
    /// The revocation feed, where there is one.
    revocations_uri: Option<Url>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
    /// A member of this house: what others mean by it is no reason to refuse them.
    #[serde(default)]
    revocations_uri: Option<serde_json::Value>,
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
    pub(super) async fn jwks_uri(&mut self, http: &Http, when: When<'_>) -> Result<Url, Failed> {
        let known = match &self.known {
            Some(known) if when.cause != Cause::Due || when.now < known.read_at + MAX_AGE => {
                return Ok(known.places.jwks_uri.clone());
            }
            known => known.as_ref().map(|known| known.places.jwks_uri.clone()),
        };
        let places = match (self.read(http).await, known) {
            (Ok(places), _) => places,
            (Err(failed), Some(known)) => {
                let (issuer, reason) = (&self.name, failed.error);
                tracing::warn!(%issuer, %reason, "the metadata could not be read again; the known jwks_uri is used");
                return Ok(known);
            }
            (Err(failed), None) => return Err(failed),
        };
        let jwks_uri = places.jwks_uri.clone();
        self.known = Some(Box::new(Known { places, read_at: when.now }));
        Ok(jwks_uri)
    }

    /// The revocation feed's URL, if the metadata named one when it was last read.
    pub(super) fn revocations_uri(&self) -> Option<&Url> {
        self.known.as_ref()?.places.revocations_uri.as_ref()
    }

    /// RFC 8414 first; OpenID Connect Discovery 1.0 if there is no such document.
    async fn read(&self, http: &Http) -> Result<Places, Failed> {
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
        let jwks_uri =
            endpoint::parse_discovered(&metadata.jwks_uri, &self.url).ok_or(FetchError::JwksUri)?;
        Ok(Places { jwks_uri, revocations_uri: self.feed(metadata.revocations_uri.as_ref()) })
    }

    /// By the rules of the `jwks_uri`. One that breaks them is none: keys are not refused for it.
    fn feed(&self, named: Option<&serde_json::Value>) -> Option<Url> {
        let text = named?.as_str()?;
        let url = endpoint::parse_discovered(text, &self.url);
        if url.is_none() {
            let issuer = &self.name;
            tracing::warn!(%issuer, "the metadata names a revocations_uri that is not acceptable: there is no feed");
        }
        url
    }
}

async fn metadata(http: &Http, url: Url) -> Result<Metadata, Failed> {
    let ask = Ask { url, what: What::Json, held: None, report: &[] };
    let Answer::Document { body, .. } = http.get(ask).await? else {
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
