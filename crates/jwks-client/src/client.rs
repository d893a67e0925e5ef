use std::{fmt, sync::Arc, sync::atomic::Ordering, time::Duration};

use claviger_jose::{Kid, VerifyingKey};
use tokio::{sync::broadcast, task::AbortHandle};

use crate::{
    DenyError, FeedError, FetchError, JwksClientBuilder, KeyError, KeysEvent, Status, TokenFacts,
    registry::{self, Identity},
    shared::Shared,
};

/// The key set of one issuer, kept fresh by a task of its own.
///
/// A handle: clones share the set, and so do clients that were built alike. The task ends with the last of them.
#[derive(Clone)]
pub struct JwksClient(Arc<Owner>);

/// Whose end is the end of the task.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    /// None for a fixed set.
    pub(crate) task: Option<AbortHandle>,
    pub(crate) identity: Option<Identity>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.abandon();
        if let Some(task) = &self.task {
            task.abort();
        }
        if let Some(identity) = &self.identity {
            registry::forget(identity);
        }
    }
}

impl Owner {
    /// Whether the task has ended before its handles, with its runtime.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.state().lost
    }
}

impl JwksClient {
    /// Begins a client for an issuer: its identifier, byte for byte as it stands in `iss`, which is an https URL or,
    /// for development and tests, an http URL of a loopback host.
    pub fn builder(issuer: &str) -> JwksClientBuilder {
        JwksClientBuilder::new(issuer)
    }

    pub(crate) fn of(owner: Arc<Owner>) -> Self {
        Self(owner)
    }

    /// The key of this kid. A known kid is answered at once; otherwise the request waits up to 2 s for a fetch, if
    /// one is under way or allowed, and looks again.
    ///
    /// # Errors
    /// [`KeyError::UnknownKid`] if the set of the first source was fetched and lacks the kid, if the kid is denied, or if it is
    /// no thumbprint and foreign kids were not allowed; [`KeyError::Unavailable`] if the set could not be fetched, or
    /// is too old to be used.
    pub async fn resolve(&self, kid: &Kid) -> Result<Arc<VerifyingKey>, KeyError> {
        match self.known(kid) {
            Some(key) => Ok(key),
            None => self.0.shared.seek(kid).await,
        }
    }

    /// The key of this kid, if it is held and may be used. Neither waits nor fetches.
    #[must_use]
    pub fn known(&self, kid: &Kid) -> Option<Arc<VerifyingKey>> {
        self.0.shared.known(kid)
    }

    /// Whether a usable set is held.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.shared.is_ready()
    }

    /// How much longer the held set may be used if the issuer is not reached again; `None` without a usable set.
    #[must_use]
    pub fn usable_for(&self) -> Option<Duration> {
        self.0.shared.usable_for()
    }

    /// Waits until a usable set is held; answers whether that came true in time. Failed attempts are repeated
    /// meanwhile and afterwards.
    #[must_use = "the client may not be ready"]
    pub async fn ready_within(&self, patience: Duration) -> bool {
        self.0.shared.ready_within(patience).await
    }

    /// Whether a token is revoked, by what the issuer's feed has said so far; see [`TokenFacts`]. Neither waits nor
    /// fetches, and hashes nothing as long as nothing of a kind is revoked. Ask it after the signature was verified.
    ///
    /// What is revoked for a session, a subject, a client or for all is so up to a second; a token that was issued in
    /// that very second is revoked too, because nobody knows which came first.
    #[must_use]
    pub fn is_revoked(&self, token: &TokenFacts<'_>) -> bool {
        self.0.shared.is_revoked(token)
    }

    /// Polls the revocation feed at once and waits for the end of the poll, 10 s at most.
    ///
    /// # Errors
    /// [`FeedError`]: why it has brought no news. What is revoked stays so.
    pub async fn poll_revocations(&self) -> Result<(), FeedError> {
        self.0.shared.poll_now().await
    }

    /// Says that the client serves a verifier of tokens for this audience: the issuer is told so with each poll, and sees
    /// which of its services hold which keys. Names that the issuer could not read are left out.
    pub fn verifies_for(&self, audience: &str) {
        self.0.shared.reporter.register(audience);
    }

    /// A number that moves with each change of what is accepted, by a new set, a denial or a revocation. What was
    /// derived from the keys is out of date when it has moved; that a set becomes too old is not such a change, but a matter of
    /// [time](Self::usable_for). Read it before the keys.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.shared.generation.load(Ordering::Acquire)
    }

    /// News of the set from now on. A subscriber who is more than 64 events behind misses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<KeysEvent> {
        self.0.shared.events.subscribe()
    }

    /// Makes an attempt at once and waits for its end. One that is under way is waited for first, and if it fails that is
    /// the answer; otherwise another one follows, for what it brought may be older than the call. 10 s at most for each.
    /// It takes nothing from the bucket for unknown kids. More than one per second, or before the time that the issuer's `Retry-After`
    /// named, is answered with the result of the last attempt.
    ///
    /// # Errors
    /// Why the attempt failed; the held set is kept.
    pub async fn refresh_now(&self) -> Result<(), FetchError> {
        self.0.shared.refresh_now().await
    }

    /// Makes a key dead, at once and whatever the issuer publishes, for all clients of this issuer identifier in the
    /// process: those that are alive, however they were built, and those that are built later. (Clients with a
    /// [clock](JwksClientBuilder::clock) of their own are apart: it is dead for their clones.) Where kids are thumbprints
    /// this is the end of the key; an issuer of foreign kids may give the key another name.
    ///
    /// `Ok` means that it is dead in memory. Clients with a disk copy write it there in the background, for the next
    /// process; a writing that fails is warned about and tried again every 10 s. If the process is killed before it has
    /// succeeded, the next one does not know of it. To deny a kid again is no fault, and there is no way back but to end
    /// the process and remove the copy.
    ///
    /// # Errors
    /// [`DenyError::Full`] for more than 1024 kids: the oldest is not forgotten for the newest, which would revive a
    /// stolen key.
    pub fn deny_kid(&self, kid: &Kid) -> Result<(), DenyError> {
        self.0.shared.denials.deny(*kid)
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

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

impl fmt::Debug for JwksClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClient").field("issuer", &self.issuer()).field("status", &self.status()).finish()
    }
}
