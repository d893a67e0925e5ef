use std::{fmt, sync::Arc};

use claviger_jose::Clock;
use tokio::runtime::Handle;

use crate::{
    JwksClient, SystemClock, Timing,
    endpoint::{self, Unacceptable},
    fetch::Http,
    policy::Policy,
    refresh,
    shared::Shared,
    source::{Issuer, Place, Source},
    timing::{MIN_FRESHNESS, MIN_FRESHNESS_ON_LOOPBACK},
};

/// How a [`JwksClient`] is to be. Made by [`JwksClient::builder`].
#[must_use = "nothing is fetched before `build`"]
pub struct JwksClientBuilder {
    issuer: String,
    jwks_url: Option<String>,
    timing: Timing,
    clock: Option<Arc<dyn Clock>>,
}

impl JwksClientBuilder {
    pub(crate) fn new(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), jwks_url: None, timing: Timing::default(), clock: None }
    }

    /// Fetches the set from this URL, instead of asking the issuer's metadata for it. The operator vouches that it is
    /// the issuer's.
    pub fn jwks_url(mut self, url: &str) -> Self {
        self.jwks_url = Some(url.to_owned());
        self
    }

    /// Other numbers than [`Timing::default`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Another clock than the [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Starts the client and its first fetch, and does not wait for it. Called inside a tokio runtime, which must
    /// live as long as the client.
    ///
    /// # Errors
    /// [`BuildError`] for URLs that are not acceptable, outside of a runtime, and if the system has no certificate
    /// authorities to trust.
    pub fn build(self) -> Result<JwksClient, BuildError> {
        let refused = |name| move |reason: Unacceptable| BuildError::Url { name, reason: reason.to_string() };
        let url = endpoint::parse_issuer(&self.issuer).map_err(refused("issuer"))?;
        let min_freshness = if url.scheme() == "https" { MIN_FRESHNESS } else { MIN_FRESHNESS_ON_LOOPBACK };
        let place = if let Some(url) = &self.jwks_url {
            Place::Fixed(endpoint::parse(url).map_err(refused("JWKS URL"))?)
        } else {
            Place::Discovered { issuer: Issuer { name: self.issuer.clone(), url }, jwks_uri: None }
        };
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let http = Http::new(place.is_https()).map_err(|error| BuildError::Tls(Box::new(error)))?;

        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let shared = Arc::new(Shared::new(self.issuer, clock, Policy::new(self.timing, min_freshness)));
        let task = runtime.spawn(refresh::run(Arc::clone(&shared), Source::new(http, place)));
        Ok(JwksClient::new(shared, task.abort_handle()))
    }
}

impl fmt::Debug for JwksClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClientBuilder")
            .field("issuer", &self.issuer)
            .field("jwks_url", &self.jwks_url)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// Why a client cannot be built. The message says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A URL that must not be asked. It is not repeated here, since it may hold a password.
    #[error("the {name} is not acceptable: {reason}")]
    Url {
        /// Which of the two URLs.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no tokio runtime here to keep the set fresh.
    #[error("build the client inside a tokio runtime: it fetches in a task of its own")]
    NoRuntime,
    /// TLS cannot be set up.
    #[error(
        "TLS cannot be set up; are there certificate authorities on this system (package ca-certificates)?"
    )]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(builder: JwksClientBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    // S-24
    #[test]
    fn a_wrong_configuration_is_refused_with_what_would_be_right() {
        let issuer = refusal(JwksClient::builder("http://id.example.com"));
        let scheme =
            "is not acceptable: it must be https, or http on a loopback host such as http://127.0.0.1:8080";
        assert_eq!(issuer, format!("the issuer {scheme}"));
        let jwks = refusal(JwksClient::builder("https://id.test").jwks_url("http://id.test/jwks"));
        assert_eq!(jwks, format!("the JWKS URL {scheme}"));
        let secret = refusal(JwksClient::builder("https://user:secret@id.test"));
        assert_eq!(secret, "the issuer is not acceptable: it must not carry a user name or password");
        let runtime = refusal(JwksClient::builder("http://127.0.0.1:1"));
        assert!(runtime.starts_with("build the client inside a tokio runtime"), "{runtime}");
    }
}
