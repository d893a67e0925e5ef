use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use claviger_jose::NumericDate;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    Fault, TestKey, TestToken,
    server::{self, Publication},
};

/// Longer than anything that a test waits for, shorter than a person does.
const PATIENCE: Duration = Duration::from_secs(10);

/// An issuer in this process, on a free port of `127.0.0.1`.
///
/// It publishes [`TestKey::rs256`] and [`TestKey::es256`] until told otherwise. It stops when it is dropped.
pub struct TestIssuer {
    address: SocketAddr,
    publication: Arc<Publication>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl TestIssuer {
    /// Starts an issuer on the runtime of the caller.
    ///
    /// # Panics
    /// If the loopback interface has no free port.
    pub async fn start() -> Self {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await;
        let address = listener.local_addr().expect("a bound socket has an address");
        let set = set_of(&[TestKey::rs256(), TestKey::es256()]);
        let publication = Arc::new(Publication::new(format!("http://{address}"), set));
        let issuer = Self { address, publication, server: Mutex::new(None) };
        issuer.serve(listener);
        issuer
    }

    /// The issuer identifier, which is its URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.publication.issuer
    }

    /// The URL of the key set.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{}", self.url(), server::JWKS_PATH)
    }

    /// Publishes these keys and no others.
    pub fn set_keys(&self, keys: &[&TestKey]) {
        self.set_raw_jwks(set_of(keys));
    }

    /// Publishes any text as the key set.
    pub fn set_raw_jwks(&self, text: String) {
        self.publication.told().jwks = text;
    }

    /// Sets the `Cache-Control` of the key set; at first `public, max-age=300`.
    pub fn cache_control(&self, value: &str) {
        value.clone_into(&mut self.publication.told().cache_control);
    }

    /// Breaks the key set endpoint, until [`heal`](Self::heal).
    pub fn fault(&self, fault: Fault) {
        self.publication.told().fault = Some(fault);
    }

    /// Ends the fault.
    pub fn heal(&self) {
        self.publication.told().fault = None;
    }

    /// How often the key set was asked for, whatever the answer was.
    #[must_use]
    pub fn fetches(&self) -> usize {
        *self.publication.fetches.borrow()
    }

    /// How often the metadata was asked for, at either of its two places.
    #[must_use]
    pub fn metadata_fetches(&self) -> usize {
        *self.publication.metadata_fetches.borrow()
    }

    /// Waits until the key set has been asked for `count` times since the start.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub async fn wait_for_fetches(&self, count: usize) {
        let mut fetches: watch::Receiver<usize> = self.publication.fetches.subscribe();
        let enough = fetches.wait_for(|seen| *seen >= count);
        let in_time = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        assert!(in_time, "{count} fetches were expected, {} came in {PATIENCE:?}", self.fetches());
    }

    /// An access token of this issuer for an audience, to be refined and signed.
    pub fn token(&self, audience: &str) -> TestToken {
        TestToken::new(self.url(), audience, system_now())
    }

    /// Goes away as by a crash: the port is closed, and so is every connection.
    pub async fn stop(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.abort();
            // Only when the task is gone the port is free.
            let _ = server.await;
        }
    }

    /// Comes back on the same port, with the same keys and fault.
    ///
    /// # Panics
    /// If it was not stopped, or if somebody else took the port meanwhile.
    pub async fn restart(&self) {
        self.serve(bind(self.address).await);
    }

    fn serve(&self, listener: TcpListener) {
        let server = tokio::spawn(server::serve(listener, server::router(Arc::clone(&self.publication))));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            server.abort();
        }
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("url", &self.url()).finish_non_exhaustive()
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"))
}

fn set_of(keys: &[&TestKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| json!(key.jwk())).collect();
    json!({ "keys": keys }).to_string()
}

#[expect(
    clippy::disallowed_methods,
    reason = "an issuer is a process with a clock; tests override it per token"
)]
fn system_now() -> NumericDate {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    NumericDate::from_secs(since.map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use claviger_jose::{JwkSet, JwkSetError};
    use reqwest::{Response, StatusCode, header};

    use super::*;

    async fn fetch(url: &str, etag: &str) -> reqwest::Result<Response> {
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build()?;
        client.get(url).header(header::IF_NONE_MATCH, etag).send().await
    }

    async fn status(issuer: &TestIssuer) -> StatusCode {
        fetch(&issuer.jwks_url(), "").await.unwrap().status()
    }

    async fn set(issuer: &TestIssuer) -> Result<JwkSet, JwkSetError> {
        let answer = fetch(&issuer.jwks_url(), "").await.unwrap();
        JwkSet::parse(&answer.bytes().await.unwrap())
    }

    #[tokio::test]
    async fn metadata_leads_to_the_key_set() {
        let issuer = TestIssuer::start().await;
        for path in ["openid-configuration", "oauth-authorization-server"] {
            let answer = fetch(&format!("{}/.well-known/{path}", issuer.url()), "").await.unwrap();
            let metadata: Value = answer.json().await.unwrap();
            assert_eq!(metadata["issuer"], issuer.url());
            assert_eq!(metadata["jwks_uri"], issuer.jwks_url());
        }
        assert_eq!(set(&issuer).await.unwrap().keys().len(), 2);
        assert_eq!((issuer.fetches(), issuer.metadata_fetches()), (1, 2));
    }

    #[tokio::test]
    async fn an_unchanged_set_is_not_sent_again() {
        let issuer = TestIssuer::start().await;
        issuer.cache_control("max-age=60");
        let first = fetch(&issuer.jwks_url(), "").await.unwrap();
        assert_eq!(first.headers()[header::CACHE_CONTROL], "max-age=60");
        let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert!(etag.starts_with('"'));
        assert_eq!(fetch(&issuer.jwks_url(), &etag).await.unwrap().status(), StatusCode::NOT_MODIFIED);
        issuer.set_keys(&[TestKey::es256()]);
        assert_eq!(fetch(&issuer.jwks_url(), &etag).await.unwrap().status(), StatusCode::OK);
        issuer.wait_for_fetches(3).await;
    }

    #[tokio::test]
    async fn it_stops_and_comes_back_on_its_port() {
        let issuer = TestIssuer::start().await;
        assert_eq!(status(&issuer).await, StatusCode::OK);
        issuer.stop().await;
        assert!(fetch(&issuer.jwks_url(), "").await.unwrap_err().is_connect());
        issuer.restart().await;
        assert_eq!(status(&issuer).await, StatusCode::OK);
    }

    #[tokio::test]
    async fn faults_last_until_they_are_healed() {
        let issuer = TestIssuer::start().await;
        issuer.fault(Fault::Status(500));
        assert_eq!(status(&issuer).await, StatusCode::INTERNAL_SERVER_ERROR);
        for (fault, error) in [
            (Fault::Html, JwkSetError::Malformed),
            (Fault::TruncatedJson, JwkSetError::Malformed),
            (Fault::DuplicateKid, JwkSetError::DuplicateKid),
            (Fault::PrivateMember, JwkSetError::PrivateKey),
            (Fault::TooManyKeys, JwkSetError::TooManyKeys),
        ] {
            issuer.fault(fault);
            assert_eq!(set(&issuer).await.unwrap_err(), error);
        }
        issuer.fault(Fault::EmptySet);
        assert_eq!(set(&issuer).await.unwrap().keys().len(), 0);
        issuer.heal();
        assert_eq!(set(&issuer).await.unwrap().keys().len(), 2);
    }
}
