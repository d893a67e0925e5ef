use std::{fmt, sync::Arc, time::Duration};

use claviger_jose::{Kid, VerifyingKey};
use tokio::task::AbortHandle;

use crate::{JwksClientBuilder, KeyError, Status, shared::Shared};

/// The key set of one issuer, kept fresh by a task of its own.
///
/// A handle: clones share the set, and the task ends with the last of them.
#[derive(Clone)]
pub struct JwksClient(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl JwksClient {
    /// Begins a client for an issuer: its identifier, byte for byte as it stands in `iss`, which is an https URL or,
    /// for development and tests, an http URL of a loopback host.
    pub fn builder(issuer: &str) -> JwksClientBuilder {
        JwksClientBuilder::new(issuer)
    }

    pub(crate) fn new(shared: Arc<Shared>, task: AbortHandle) -> Self {
        Self(Arc::new(Owner { shared, task }))
    }

    /// The key of this kid. A known kid is answered at once; otherwise the request waits up to 2 s for a fetch, if
    /// one is under way or allowed, and looks again.
    ///
    /// # Errors
    /// [`KeyError::UnknownKid`] if the issuer's set was fetched and lacks the kid; [`KeyError::Unavailable`] if it
    /// could not be fetched, or is too old to be used.
    pub async fn resolve(&self, kid: &Kid) -> Result<Arc<VerifyingKey>, KeyError> {
        match self.0.shared.known(kid) {
            Some(key) => Ok(key),
            None => self.0.shared.seek(kid).await,
        }
    }

    /// Whether a usable set is held.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.shared.is_ready()
    }

    /// Waits until a usable set is held; answers whether that came true in time. Failed attempts are repeated
    /// meanwhile and afterwards.
    #[must_use = "the client may not be ready"]
    pub async fn ready_within(&self, patience: Duration) -> bool {
        self.0.shared.ready_within(patience).await
    }

    /// The issuer's identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.shared.issuer
    }

    /// What is held and how the attempts went.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.shared.status()
    }
}

impl fmt::Debug for JwksClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClient").field("issuer", &self.issuer()).field("status", &self.status()).finish()
    }
}
