use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    response::{IntoResponse, Response},
};
use claviger_store::StoreError;
use http::{HeaderMap, header::REFRESH, request::Parts};

use super::{SignedIn, signed_in};
use crate::{
    authorize::{Refusal, deliver},
    pages::{ErrorCase, ErrorPage, Language},
    provider::Provider,
};

/// When it is worth trying again where something did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A request of a browser: what it brings along, and how it is answered.
#[derive(Debug)]
pub(crate) struct Visitor {
    provider: Arc<Provider>,
    headers: HeaderMap,
    address: IpAddr,
    wanted: OnceLock<Vec<String>>,
}

impl Visitor {
    /// Whose pages it has come to.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What it says of itself.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Where it comes from.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Who has signed in with it.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be told.
    pub(crate) async fn signed_in(&self) -> Result<Option<SignedIn>, StoreError> {
        signed_in(&self.provider, &self.headers).await
    }

    /// Notes the languages that the client knows the person to read, as soon as its request can be read: whatever becomes
    /// of that, the page is in one of them.
    pub(crate) fn speak(&self, ui_locales: impl IntoIterator<Item: Into<String>>) {
        let _ = self.wanted.set(ui_locales.into_iter().map(Into::into).collect());
    }

    /// The language of a page.
    pub(crate) fn language(&self) -> Language {
        Language::of(self.wanted.get().map_or(&[][..], Vec::as_slice), &self.headers)
    }

    /// An answer, or the page that says why there is none.
    pub(crate) fn answer(&self, answer: Result<Response, Refusal>) -> Response {
        let (case, retry) = match answer {
            Ok(response) => return response,
            Err(Refusal::Client { client, answer }) => return deliver(self, &client, &answer),
            Err(Refusal::Page(case)) => (case, None),
            Err(Refusal::Unavailable { retry }) => {
                (ErrorCase::Unavailable { retry_after: RETRY_AFTER }, retry)
            }
        };
        let page = ErrorPage { case, reference: None };
        let mut response = page.page(&self.provider.site, self.language()).into_response();
        // The page tries again by itself, where the person was: a pushed request could not be opened a second time.
        let again = retry.and_then(|url| format!("{};url={url}", RETRY_AFTER.as_secs()).try_into().ok());
        if let Some(again) = again {
            response.headers_mut().insert(REFRESH, again);
        }
        response
    }
}

impl FromRequestParts<Arc<Provider>> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, provider: &Arc<Provider>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Self {
            provider: Arc::clone(provider),
            headers: parts.headers.clone(),
            wanted: OnceLock::new(),
            address: peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical(),
        })
    }
}
