use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use claviger_store::Store;
use claviger_verifier::{TrustedIssuer, Verifier};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{problem::Problem, scopes::audience};
use crate::{
    actor::Actor,
    keys::{KeyView, Rotation, Vault},
    provider::Provider,
    server::Issuance,
};

/// How long a request waits for its turn to read.
const QUEUE: Duration = Duration::from_secs(1);

/// What the admin API works with.
#[derive(Debug, Clone)]
pub(crate) struct Desk(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(super) issuance: Arc<Issuance>,
    pub(super) store: Store,
    pub(super) vault: Arc<Vault>,
    /// What is asked about people.
    pub(super) provider: Arc<Provider>,
    /// Who rotates does so alone in this process: all others would make keys for nothing.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Who reads the database does so alone: its connections are the ticker's too, and without them nothing is signed.
    reading: Semaphore,
    /// The verifier of the tokens for this API, and the key set that it was made of.
    verifier: Mutex<Option<(String, Verifier)>>,
}

impl Desk {
    pub(super) fn new(provider: Arc<Provider>, vault: Arc<Vault>) -> Self {
        let (issuance, store) = (Arc::clone(&provider.issuance), provider.store.clone());
        let (turn, verifier) = (tokio::sync::Mutex::default(), Mutex::default());
        let reading = Semaphore::new(1);
        Self(Arc::new(Inner { issuance, store, vault, provider, turn, reading, verifier }))
    }
}

impl std::ops::Deref for Desk {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    pub(super) fn rotation(&self, actor: Actor) -> Rotation {
        Rotation::new(self.store.clone(), Arc::clone(&self.vault), self.issuance.config.policy, actor)
    }

    /// The turn to read from the database. Who does not get it soon is answered with 503.
    pub(super) async fn reading(&self) -> Result<SemaphorePermit<'_>, Problem> {
        match timeout(QUEUE, self.reading.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Problem::unavailable("others are reading")),
        }
    }

    /// The verifier of tokens for this API. Its keys are those in memory: it need not fetch what this very process
    /// publishes, and knows at once of a key that is revoked. None if there are no keys that could be relied on.
    pub(super) fn verifier(&self) -> Option<Verifier> {
        if self.issuance.is_out_of_date() {
            return None;
        }
        let keys = self.issuance.keys.load();
        let mut held = self.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((tag, verifier)) = &*held
            && tag == keys.published.tag()
        {
            return Some(verifier.clone());
        }
        let verifier = self.build_verifier(&keys)?;
        *held = Some((keys.published.tag().to_owned(), verifier.clone()));
        Some(verifier)
    }

    fn build_verifier(&self, keys: &KeyView) -> Option<Verifier> {
        let config = &self.issuance.config;
        let set = str::from_utf8(&keys.published.body).ok()?.to_owned();
        let trusted = TrustedIssuer::new(config.issuer.as_str()).keys(|keys| keys.fixed_set(set));
        let built = Verifier::builder(trusted, audience(&config.issuer).as_str())
            .leeway(config.policy.lifetimes().skew)
            .build();
        built.inspect_err(|error| tracing::error!(%error, "nobody can be let in to the admin API")).ok()
    }
}
