use url::Url;

use super::{Parse, Provenance, Received, When, discovery::Discovery, file::WatchedFile};
use crate::{
    FetchError, endpoint,
    fetch::{Answer, Ask, Failed, Http, What},
    held::PreparedKeys,
    http_cache::{self, Horizons, Validators},
};

/// A place where a key set is.
#[derive(Debug)]
pub(crate) enum Place {
    Url(Url),
    Discovered(Discovery),
    File(WatchedFile),
    Fixed(PreparedKeys),
}

type Answered = (Option<PreparedKeys>, Horizons, Option<Received>);

impl Place {
    pub(crate) fn discovered(issuer: &str, url: Url) -> Self {
        Self::Discovered(Discovery::new(issuer, url))
    }

    pub(crate) fn file(path: std::path::PathBuf) -> Self {
        Self::File(WatchedFile::new(path))
    }

    /// The URL that is asked first; the scheme of a discovered URL is that of its issuer.
    pub(crate) fn url(&self) -> Option<&Url> {
        match self {
            Self::Url(url) => Some(url),
            Self::Discovered(discovery) => Some(discovery.issuer()),
            Self::File(_) | Self::Fixed(_) => None,
        }
    }

    /// How it is called where people read: without a query, which may hold a secret.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Url(url) => endpoint::without_query(url),
            Self::Discovered(discovery) => endpoint::metadata_urls(discovery.issuer())[0].to_string(),
            Self::File(file) => file.path().display().to_string(),
            Self::Fixed(_) => "a fixed set".to_owned(),
        }
    }

    /// Whether a set that was fetched from this URL, at a place of this name, can have been from here.
    pub(crate) fn is_origin(&self, name: &str, url: Option<&str>) -> bool {
        match self {
            Self::Url(own) => url == Some(own.as_str()),
            _ => name == self.name(),
        }
    }

    /// Where the revocation feed is, if this place has said so.
    pub(super) fn revocations_uri(&self) -> Option<&Url> {
        match self {
            Self::Discovered(discovery) => discovery.revocations_uri(),
            Self::Url(_) | Self::File(_) | Self::Fixed(_) => None,
        }
    }

    /// An attempt failed: the set may have moved.
    pub(super) fn mistrust(&mut self) {
        if let Self::Discovered(discovery) = self {
            discovery.mistrust();
        }
    }

    pub(super) async fn fetch(
        &mut self,
        http: Option<&Http>,
        known: Option<&Provenance>,
        when: When<'_>,
        parse: Parse,
    ) -> Result<Answered, Failed> {
        let http = http.ok_or(FetchError::Connect);
        let url = match self {
            Self::Fixed(keys) => return Ok((Some(keys.clone()), Horizons::default(), None)),
            Self::File(file) => {
                let document = file.read().await?;
                let (keys, received) = accept(&document, Provenance::default(), parse)?;
                return Ok((Some(keys), Horizons::default(), Some(received)));
            }
            Self::Url(url) => url.clone(),
            Self::Discovered(discovery) => discovery.jwks_uri(http?, when).await?,
        };
        let known = known.filter(|known| known.url.as_deref() == Some(url.as_str()));
        let held = known.map(|known| &known.validators);
        let ask = Ask { url: url.clone(), what: What::Json, held, report: when.report };
        match http?.get(ask).await? {
            Answer::NotModified { headers } => Ok((None, http_cache::horizons(&headers), None)),
            Answer::Document { body, headers } => {
                let provenance = Provenance { url: Some(url.into()), validators: Validators::of(&headers) };
                let (keys, received) = accept(&body, provenance, parse)?;
                Ok((Some(keys), http_cache::horizons(&headers), Some(received)))
            }
        }
    }
}

/// A set is taken if it is one that can be trusted, with at least one key that can be used.
fn accept(
    document: &[u8],
    provenance: Provenance,
    parse: Parse,
) -> Result<(PreparedKeys, Received), FetchError> {
    let set = parse(document).map_err(FetchError::Set)?;
    let keys = PreparedKeys::of(&set).ok_or(FetchError::NoUsableKey)?;
    if !set.skipped().is_empty() {
        tracing::debug!(skipped = ?set.skipped(), "keys of the set were passed over");
    }
    // What was parsed as JSON is UTF-8 (RFC 8259 section 8.1); nothing is lost here.
    let document = String::from_utf8_lossy(document).into_owned();
    Ok((keys, Received { document, provenance }))
}
