//! The order of starting, and what requests are answered from.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, ArcSwapOption};
use claviger_jose::Algorithm;
use claviger_keyring::SigningKey;
use claviger_oauth::TokenError;
use claviger_store::{RevocationSnapshot, ServingLock, Store, StoreError};
use migrations::Migrator;
use tokio::{net::TcpListener, sync::Notify, time::timeout};

use crate::{
    actor::Actor,
    admin,
    clock::wall_clock,
    config::Config,
    counters::Counters,
    feed::SignedStatement,
    http::{ConnectionLimits, Drained, Shutdown, TrustedProxies, serve},
    keys::{ExternalSigning, KeyView, Rotation, UnlockError, Vault},
    lease::Lease,
    mint::Mint,
    provider::Provider,
    registry_view::RegistryView,
    reports::Reports,
    rng::random_id,
    routes,
    signer_pool::SignerPool,
    ticker::{TickError, Ticker},
    upkeep::Upkeep,
    witnesses::Witnesses,
};

/// How long a process that stops waits for the database to hear of it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What requests are answered from. Nothing in it waits for the database.
#[derive(Debug)]
pub(crate) struct Issuance {
    pub(crate) config: Config,
    /// The name of this process among the replicas.
    pub(crate) replica: String,
    pub(crate) keys: ArcSwap<KeyView>,
    pub(crate) registry: ArcSwap<RegistryView>,
    pub(crate) revocations: ArcSwap<RevocationSnapshot>,
    /// The feed as it is served; none before the first was signed.
    pub(crate) feed: ArcSwapOption<SignedStatement>,
    /// What verifiers have said since it was last written down.
    pub(crate) reports: Reports,
    /// Who holds which keys, for operators; empty while nobody listens for them.
    pub(crate) witnesses: ArcSwap<Witnesses>,
    pub(crate) lease: Lease,
    pub(crate) upkeep: Upkeep,
    pub(crate) mint: Mint,
    pub(crate) counters: Counters,
    /// This process has changed something itself: the ticker need not wait to find out.
    pub(crate) changed: Notify,
    pub(crate) shutdown: Shutdown,
}

/// Why an issuer does not start. Nothing listens then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The key-encryption keys, or the module that keeps the signing keys.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The database.
    #[error("database: {0}")]
    Store(#[from] StoreError),
    /// The first keys.
    #[error("keys: {0}")]
    Keys(#[from] TickError),
    /// A thread, a signal handler or the address.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    /// No thread can be had for passwords.
    pub(crate) fn threads(source: io::Error) -> Self {
        Self::Io { what: "hashing threads".to_owned(), source }
    }
}

/// What keeps keys and registry up to date has ended: it panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ticker ended; this is a fault of the program")]
pub struct TickerEnded;

/// An issuer that is bound to its addresses.
#[derive(Debug)]
pub struct AuthorizationServer {
    listener: TcpListener,
    /// For operators.
    admin: Option<TcpListener>,
    issuance: Arc<Issuance>,
    provider: Arc<Provider>,
    vault: Arc<Vault>,
    ticker: Ticker,
    store: Store,
    limits: ConnectionLimits,
    _lock: ServingLock,
}

impl AuthorizationServer {
    /// Starts in the order in which things can fail: key-encryption key, database, keys, and the
    /// address last.
    ///
    /// # Errors
    /// [`StartError`]. A key-encryption key that does not open the keys is none: the server then
    /// publishes keys and signs nothing.
    pub async fn bind(config: Config, shutdown: Shutdown) -> Result<Self, StartError> {
        if config.issuer.as_str().starts_with("https://") && config.trusted_proxies.is_empty() {
            tracing::warn!(
                "no proxy is named in server.trusted_proxies, and TLS ends at one: its address stands for everybody's, so \
                 that all limits by address are one for all"
            );
        }
        let vault = Arc::new(Vault::unlock(&config).await?);
        let lock = ServingLock::take(&config.database)?;
        let store = Store::open_existing::<Migrator>(&config.database).await?;
        store.bind_issuer(config.issuer.as_str()).await?;
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| StartError::Io { what, source }
        };
        let pool = SignerPool::start().map_err(io("signing threads"))?;
        let mut mint = Mint::new(config.issuer.clone(), pool);
        if vault.has_module() {
            mint = mint.with_external(ExternalSigning::start().map_err(io("signing threads"))?);
        }
        let issuance = Arc::new(Issuance::new(config, mint, shutdown));
        let actor = Actor::replica(&issuance.replica);
        let rotation = Rotation::new(store.clone(), Arc::clone(&vault), issuance.config.policy, actor);
        let ticker = Ticker::new(Arc::clone(&issuance), store.clone(), Arc::clone(&vault), rotation);
        ticker.first().await?;
        let provider = Provider::open(Arc::clone(&issuance), store.clone(), &vault).await?;
        let provider = Arc::new(provider);
        let bind = async |address: SocketAddr| {
            TcpListener::bind(address).await.map_err(io(&format!("listening on {address}")))
        };
        let listener = bind(issuance.config.listen).await?;
        let admin = match issuance.config.admin {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let limits = issuance.config.limits;
        Ok(Self { listener, admin, issuance, provider, vault, ticker, store, limits, _lock: lock })
    }

    /// Where the server listens; with port 0 in the configuration, the port that was found.
    ///
    /// # Errors
    /// [`io::Error`] if the socket does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where it listens for operators, if it does.
    ///
    /// # Errors
    /// [`io::Error`] if the socket does not tell.
    pub fn admin_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves until the shutdown was asked for, and drains.
    ///
    /// # Errors
    /// [`TickerEnded`]: without its ticker the process would only look alive.
    pub async fn serve(self) -> Result<Drained, TickerEnded> {
        let mut ticking = tokio::spawn(self.ticker.run());
        let shutdown = &self.issuance.shutdown;
        let router = routes::router(Arc::clone(&self.issuance), Arc::clone(&self.provider));
        let proxies = self.issuance.config.trusted_proxies.clone();
        let public = serve(self.listener, router, self.limits, proxies, shutdown.clone());
        let operators = async {
            if let Some(listener) = self.admin {
                let router = admin::router(self.provider, self.vault);
                // Whatever becomes of an operator's connection: the others' count.
                let direct = TrustedProxies::default();
                let _ = serve(listener, router, self.limits, direct, shutdown.clone()).await;
            }
        };
        let (drained, ()) = tokio::select! {
            drained = async { tokio::join!(public, operators) } => drained,
            _ = &mut ticking => return Err(TickerEnded),
        };
        ticking.abort();
        // Its last beat must not come after the farewell.
        let _ = ticking.await;
        // Nobody need wait for a replica that has stopped; one that cannot say so is forgotten by and by.
        let left = timeout(FAREWELL, self.store.leave(&self.issuance.replica)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::warn!("the other replicas could not be told that this one has stopped");
        }
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
        Ok(drained)
    }
}

impl Issuance {
    pub(crate) fn new(config: Config, mint: Mint, shutdown: Shutdown) -> Self {
        let mut counters = Counters::default();
        if let Some(outcomes) = mint.external_outcomes() {
            counters.external = Arc::clone(outcomes);
        }
        Self {
            replica: random_id().to_string(),
            keys: ArcSwap::from_pointee(KeyView::empty()),
            registry: ArcSwap::default(),
            revocations: ArcSwap::default(),
            feed: ArcSwapOption::empty(),
            reports: Reports::default(),
            witnesses: ArcSwap::default(),
            lease: Lease::new(config.policy.lifetimes().lease),
            upkeep: Upkeep::default(),
            mint,
            counters,
            changed: Notify::new(),
            shutdown,
            config,
        }
    }

    /// The feed, while it is news.
    pub(crate) fn statement(&self) -> Option<Arc<SignedStatement>> {
        self.feed.load_full().filter(|statement| statement.expires > wall_clock())
    }

    /// The key that signs with this algorithm, while this process may sign.
    pub(crate) fn signer(&self, alg: Algorithm) -> Result<Arc<SigningKey>, TokenError> {
        let unavailable = TokenError::TemporarilyUnavailable { retry_after: 5 };
        if let Some(reason) = self.lease.refusal() {
            tracing::debug!(reason, "not issuing");
            return Err(unavailable);
        }
        self.keys.load().signer(alg).cloned().ok_or(unavailable)
    }

    /// Why this process should get no requests now, if so.
    pub(crate) fn why_not_ready(&self) -> Option<String> {
        if self.shutdown.is_draining() {
            return Some("stopping".to_owned());
        }
        let keys = self.keys.load();
        if let Some(why) = &keys.verify_only {
            return Some(format!("verify-only: {why}"));
        }
        if let Some(alg) = Algorithm::ALL.into_iter().find(|alg| keys.signer(*alg).is_none()) {
            return Some(format!("no {alg} key can sign"));
        }
        self.lease.refusal().map(str::to_owned)
    }

    /// Whether the keys at hand are too old to be published: verifiers count M from their last contact,
    /// and a process that is cut off from its database must not keep that contact alive for ever.
    pub(crate) fn is_out_of_date(&self) -> bool {
        self.lease
            .age()
            .is_none_or(|age| age > self.config.staleness.max(self.config.policy.lifetimes().freshness))
    }

    /// C and M, for what is published.
    pub(crate) fn horizons(&self) -> (Duration, Duration) {
        (self.config.policy.lifetimes().freshness, self.config.staleness)
    }
}
