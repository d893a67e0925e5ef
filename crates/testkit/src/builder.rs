use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::{TestClock, TestIssuer, TestKey, clock::IssuerClock, shared::Shared};

/// An issuer before it starts.
#[derive(Debug)]
#[must_use = "start it"]
pub struct TestIssuerBuilder {
    listen: SocketAddr,
    name: Option<String>,
    url: Option<String>,
    clock: IssuerClock,
    keys: Vec<&'static TestKey>,
}

impl TestIssuerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            name: None,
            url: None,
            clock: IssuerClock::System,
            keys: vec![TestKey::rs256(), TestKey::es256()],
        }
    }

    /// A path in the issuer's URL, as `realms/shop`; for several issuers that are told apart by it.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.trim_matches('/').to_owned());
        self
    }

    /// Another issuer identifier than the URL that it is found at. A verifier of it has to be given the
    /// [URL of the key set](TestIssuer::jwks_url).
    pub fn url(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// A clock by which it issues tokens; without one, the system's. A verifier can have the same.
    pub fn clock(mut self, clock: &TestClock) -> Self {
        self.clock = IssuerClock::InTheTestsHand(clock.clone());
        self
    }

    /// The system's clock, ahead by as much as this one is advanced.
    #[cfg(feature = "cli")]
    pub(crate) fn running_clock(mut self, ahead: &TestClock) -> Self {
        self.clock = IssuerClock::Ahead(ahead.clone());
        self
    }

    /// Other keys: the first of each algorithm signs, further ones are prepared.
    pub fn keys(mut self, keys: impl IntoIterator<Item = &'static TestKey>) -> Self {
        self.keys = keys.into_iter().collect();
        self
    }

    /// Another address to listen at than a free port of `127.0.0.1`.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Starts it on the runtime of the caller.
    ///
    /// # Panics
    /// If it cannot listen at its address.
    pub async fn start(self) -> TestIssuer {
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen on {}: {error}", self.listen));
        self.serve(listener)
    }

    /// Serves at a listener that is there.
    ///
    /// # Panics
    /// If the listener has no address, or there is no runtime.
    #[must_use]
    pub fn serve(self, listener: TcpListener) -> TestIssuer {
        let address = listener.local_addr().expect("a bound socket has an address");
        let path = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        let base = format!("http://{address}{path}");
        let url = self.url.unwrap_or_else(|| base.clone());
        TestIssuer::serving(Shared::new(url, base, self.clock, &self.keys), listener, address)
    }

    /// Makes an issuer with this identifier that nobody can connect to.
    #[must_use]
    pub fn without_socket(self, url: &str) -> TestIssuer {
        let base = url.trim_end_matches('/').to_owned();
        TestIssuer::mounted(Shared::new(url.to_owned(), base, self.clock, &self.keys))
    }
}
