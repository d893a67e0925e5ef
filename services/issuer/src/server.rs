//! The order of starting, and what requests are answered from.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use claviger_jose::Algorithm;
use claviger_keyring::SigningKey;
use claviger_oauth::TokenError;
use claviger_store::{ServingLock, Store, StoreError};
use migrations::Migrator;
use tokio::net::TcpListener;

use crate::{
    actor::Actor,
    config::Config,
    http::{ConnectionLimits, Drained, Shutdown, serve},
    keys::{ExternalSigning, KeyView, Rotation, UnlockError, Vault},
    lease::Lease,
    mint::Mint,
    registry_view::RegistryView,
    routes,
    signer_pool::SignerPool,
    ticker::{TickError, Ticker},
};

/// What requests are answered from. Nothing in it waits for the database.
#[derive(Debug)]
pub(crate) struct Issuance {
    pub(crate) config: Config,
    pub(crate) keys: ArcSwap<KeyView>,
    pub(crate) registry: ArcSwap<RegistryView>,
    pub(crate) lease: Lease,
    pub(crate) mint: Mint,
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

/// What keeps keys and registry up to date has ended: it panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ticker ended; this is a fault of the program")]
pub struct TickerEnded;

/// An issuer that is bound to its address.
#[derive(Debug)]
pub struct AuthorizationServer {
    listener: TcpListener,
    issuance: Arc<Issuance>,
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
        let vault = Arc::new(Vault::unlock(&config).await?);
        let store = Store::open_existing::<Migrator>(&config.database).await?;
        store.bind_issuer(config.issuer.as_str()).await?;
        let lock = store.lock_for_serving()?;
        let actor = Actor::replica(&std::process::id().to_string());
        let rotation = Rotation::new(store.clone(), Arc::clone(&vault), config.policy, actor);

        let io = |what: &str| {
            let what = what.to_owned();
            move |source| StartError::Io { what, source }
        };
        let pool = SignerPool::start().map_err(io("signing threads"))?;
        let mut mint = Mint::new(config.issuer.clone(), pool);
        if vault.has_module() {
            mint = mint.with_external(ExternalSigning::start().map_err(io("signing threads"))?);
        }
        let issuance = Arc::new(Issuance {
            keys: ArcSwap::from_pointee(KeyView::empty()),
            registry: ArcSwap::default(),
            lease: Lease::new(config.policy.lifetimes().lease),
            mint,
            shutdown: shutdown.clone(),
            config,
        });
        let ticker = Ticker::new(Arc::clone(&issuance), store.clone(), vault, rotation);
        ticker.first().await?;
        let address = issuance.config.listen;
        let listener = TcpListener::bind(address).await.map_err(io(&format!("listening on {address}")))?;
        let limits = issuance.config.limits;
        Ok(Self { listener, issuance, ticker, store, limits, _lock: lock })
    }

    /// Where the server listens; with port 0 in the configuration, the port that was found.
    ///
    /// # Errors
    /// [`io::Error`] if the socket does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the shutdown was asked for, and drains.
    ///
    /// # Errors
    /// [`TickerEnded`]: without its ticker the process would only look alive.
    pub async fn serve(self) -> Result<Drained, TickerEnded> {
        let mut ticking = tokio::spawn(self.ticker.run());
        let shutdown = self.issuance.shutdown.clone();
        let router = routes::router(Arc::clone(&self.issuance));
        let drained = tokio::select! {
            drained = serve(self.listener, router, self.limits, shutdown) => drained,
            _ = &mut ticking => return Err(TickerEnded),
        };
        ticking.abort();
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
        Ok(drained)
    }
}

impl Issuance {
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
