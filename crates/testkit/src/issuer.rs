use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::Router;
use claviger_oauth::{JWKS_PATH, REVOCATIONS_PATH, TOKEN_PATH};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Endpoint, Fault, TestClient, TestIssuerBuilder, TestToken, server, shared::Shared};

/// An issuer in this process, on a free port of `127.0.0.1` or without a socket at all.
///
/// It publishes [`rs256`](crate::TestKey::rs256) and [`es256`](crate::TestKey::es256), both active, until told
/// otherwise. It stops when it is dropped.
pub struct TestIssuer {
    shared: Arc<Shared>,
    socket: Option<Socket>,
}

struct Socket {
    address: SocketAddr,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl TestIssuer {
    /// Starts an issuer on the runtime of the caller.
    ///
    /// # Panics
    /// If the loopback interface has no free port.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// An issuer that nobody can connect to: it signs tokens, and tells its keys by [`jwks`](Self::jwks) or
    /// through a [`router`](Self::router) that the test mounts.
    #[must_use]
    pub fn without_socket(url: &str) -> Self {
        Self::builder().without_socket(url)
    }

    /// An issuer with a clock, keys or an identifier of its own.
    pub fn builder() -> TestIssuerBuilder {
        TestIssuerBuilder::new()
    }

    pub(crate) fn mounted(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), socket: None }
    }

    pub(crate) fn serving(shared: Shared, listener: TcpListener, address: SocketAddr) -> Self {
        let socket = Socket { address, server: Mutex::new(None) };
        let issuer = Self { shared: Arc::new(shared), socket: Some(socket) };
        issuer.serve(listener);
        issuer
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The issuer identifier: what is in `iss`, and byte for byte what verifiers are told.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The URL of the key set.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{JWKS_PATH}", self.shared.base)
    }

    /// The URL of the revocation feed.
    #[must_use]
    pub fn revocations_url(&self) -> String {
        format!("{}{REVOCATIONS_PATH}", self.shared.base)
    }

    /// The URL of the token endpoint.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.shared.base)
    }

    /// The endpoints as a router, to be served or merged by the test. The paths are those of the issuer's URL.
    pub fn router(&self) -> Router {
        server::router(&self.shared)
    }

    /// The key set as it is, whatever fault it is served with (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> String {
        self.shared.state().jwks()
    }

    /// An access token of this issuer for an audience, to be refined and signed.
    pub fn token(&self, audience: &str) -> TestToken {
        TestToken::new(Arc::clone(&self.shared), audience)
    }

    /// Registers a client of the token endpoint; a client of that name gets another secret.
    ///
    /// # Panics
    /// If the name is none for a client.
    pub fn client(&self, client_id: &str, secret: &str) -> TestClient<'_> {
        TestClient::register(self, client_id, secret)
    }

    /// Breaks the key set endpoint, or the metadata where the fault is about that, until [`heal`](Self::heal).
    pub fn fault(&self, fault: Fault) {
        let about_metadata = fault == Fault::ContradictingIssuer;
        self.fault_at(if about_metadata { Endpoint::Metadata } else { Endpoint::KeySet }, fault);
    }

    /// Breaks any endpoint, until [`heal`](Self::heal).
    pub fn fault_at(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.state().begin(endpoint, fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.shared.state().heal();
    }

    /// Sets the `Cache-Control` of the key set; at first `public, max-age=300`.
    pub fn cache_control(&self, value: &str) {
        value.clone_into(&mut self.shared.state().cache_control);
    }

    /// Goes away as by a crash: the port is closed, and so is every connection.
    ///
    /// # Panics
    /// If it has no socket.
    pub async fn stop(&self) {
        let server = self.socket().server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.abort();
            // Only when the task is gone the port is free.
            let _ = server.await;
        }
    }

    /// Comes back on the same port, with the same keys and fault.
    ///
    /// # Panics
    /// If it was not stopped, if somebody else took the port meanwhile, or if it has no socket.
    pub async fn restart(&self) {
        self.try_restart().await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) async fn try_restart(&self) -> io::Result<()> {
        let address = self.socket().address;
        let listener = TcpListener::bind(address).await;
        self.serve(
            listener.map_err(|error| io::Error::other(format!("cannot listen on {address}: {error}")))?,
        );
        Ok(())
    }

    fn socket(&self) -> &Socket {
        self.socket.as_ref().expect("only an issuer with a socket can be stopped and restarted")
    }

    fn serve(&self, listener: TcpListener) {
        let server = tokio::spawn(server::serve(listener, server::whole_router(&self.shared)));
        *self.socket().server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        let Some(socket) = &self.socket else { return };
        if let Some(server) = socket.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            server.abort();
        }
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("url", &self.url()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::{JwkSet, JwkSetError};
    use reqwest::{Response, StatusCode, header};

    use serde_json::Value;

    use super::*;
    use crate::TestKey;

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
