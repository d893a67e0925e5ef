use std::{sync::Arc, time::Duration};

use claviger_jose::{Clock, UnverifiedJws};
use claviger_jwks_client::{JwksClient, JwksClientBuilder, SystemClock, Timing};
use claviger_oauth::{AccessTokenClaims, BearerToken, GrammarError};
use http::{HeaderMap, HeaderValue, header};
use tracing::{debug, info};

use crate::{Principal, Refusal, profile::Profile};

const MAX_LEEWAY: Duration = Duration::from_mins(1);
const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// Verifies access tokens of one issuer for one service, offline.
///
/// Clones share the key set, which is fetched and refreshed in the background.
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: JwksClient,
    profile: Profile,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Begins a verifier of the tokens of `issuer` (as it stands in `iss`, byte for byte) for the
    /// service `audience`.
    ///
    /// There is no verifier without an audience: it would take every token that any service of the
    /// fleet was ever sent.
    /// ```compile_fail
    /// let verifier = claviger_verifier::Verifier::builder("https://id.fleet.test").build();
    /// ```
    pub fn builder(issuer: &str, audience: &str) -> VerifierBuilder<JwksClientBuilder> {
        VerifierBuilder::new(JwksClient::builder(issuer), audience)
    }

    /// Begins a verifier that shares a key set: one process, several audiences, one fetch.
    pub fn with_keys(keys: JwksClient, audience: &str) -> VerifierBuilder<JwksClient> {
        VerifierBuilder::new(keys, audience)
    }

    /// Verifies and accepts a token.
    ///
    /// # Errors
    /// [`Refusal::InvalidToken`] for every fault of the token, [`Refusal::KeysUnavailable`] if there is
    /// no usable key set to judge it by.
    pub async fn verify(&self, token: &str) -> Result<Principal, Refusal> {
        let verdict = self.judge(token).await;
        match &verdict {
            Ok(_) => {}
            Err(Refusal::InvalidToken(fault)) if fault.is_signed() => {
                info!(reason = fault.code(), "a signed token is refused");
            }
            // Anybody can cause these, as many as he likes.
            Err(refusal) => debug!(reason = refusal.reason(), "a token is refused"),
        }
        verdict
    }

    /// Finds the one bearer token in the headers of a request, verifies and accepts it.
    ///
    /// # Errors
    /// [`Refusal::NoToken`] and [`Refusal::RepeatedToken`], and as for [`verify`](Self::verify).
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Refusal> {
        let values = headers.get_all(header::AUTHORIZATION).into_iter();
        let token = BearerToken::parse(values.map(HeaderValue::as_bytes))?;
        self.verify(token.as_str()).await
    }

    /// Whether a usable key set is held.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.keys.is_ready()
    }

    /// Waits until a usable key set is held; answers whether that came true in time. A service may
    /// start without: it answers 503 until the issuer is back.
    #[must_use = "the verifier may not be ready"]
    pub async fn ready_within(&self, patience: Duration) -> bool {
        self.0.keys.ready_within(patience).await
    }

    /// The key set, to be shared with [`with_keys`](Self::with_keys), or looked at.
    #[must_use]
    pub fn keys(&self) -> &JwksClient {
        &self.0.keys
    }

    /// Whether both are clones of one verifier.
    #[cfg(feature = "axum")]
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    async fn judge(&self, token: &str) -> Result<Principal, Refusal> {
        let Inner { keys, profile, clock } = &*self.0;
        let jws = UnverifiedJws::parse(token)?;
        let key = keys.resolve(jws.kid()).await?;
        let claims = key.verify::<AccessTokenClaims>(&jws)?;
        Ok(profile.accept(claims, clock.now())?)
    }
}

/// The configuration of a [`Verifier`], with a key set of its own or a shared one.
#[derive(Debug)]
#[must_use = "build it"]
pub struct VerifierBuilder<K> {
    keys: K,
    audience: String,
    leeway: Duration,
    max_lifetime: Duration,
    clock: Arc<dyn Clock>,
}

impl<K> VerifierBuilder<K> {
    fn new(keys: K, audience: &str) -> Self {
        Self {
            keys,
            audience: audience.to_owned(),
            leeway: Duration::from_secs(30),
            max_lifetime: MAX_LIFETIME,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// How far the clocks of issuer and service may be apart: whole seconds, 0 to 60; without this, 30.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest lifetime of a token that is accepted: 1 s to 1 h, which is the default.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = max_lifetime;
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn finish(self, keys: impl FnOnce(K) -> Result<JwksClient, BuildError>) -> Result<Verifier, BuildError> {
        let audience =
            self.audience.parse().map_err(|reason| BuildError::Audience { given: self.audience, reason })?;
        if self.leeway > MAX_LEEWAY {
            return Err(BuildError::Leeway(self.leeway));
        }
        if self.max_lifetime < Duration::from_secs(1) || self.max_lifetime > MAX_LIFETIME {
            return Err(BuildError::MaxLifetime(self.max_lifetime));
        }
        let keys = keys(self.keys)?;
        let profile = Profile {
            issuer: keys.issuer().into(),
            audience,
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
        };
        Ok(Verifier(Arc::new(Inner { keys, profile, clock: self.clock })))
    }
}

impl VerifierBuilder<JwksClientBuilder> {
    /// How fresh the key set is kept, and how stale it may get.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.keys = self.keys.timing(timing);
        self
    }

    /// Where the key set is, instead of what the issuer's metadata says.
    pub fn jwks_url(mut self, url: &str) -> Self {
        self.keys = self.keys.jwks_url(url);
        self
    }

    /// Makes the verifier and starts to fetch its key set, without waiting for it.
    ///
    /// # Errors
    /// [`BuildError`] for a configuration that cannot work.
    pub fn build(self) -> Result<Verifier, BuildError> {
        let clock = Arc::clone(&self.clock);
        self.finish(|keys| Ok(keys.clock(clock).build()?))
    }
}

impl VerifierBuilder<JwksClient> {
    /// Makes the verifier.
    ///
    /// # Errors
    /// [`BuildError`] for a configuration that cannot work.
    pub fn build(self) -> Result<Verifier, BuildError> {
        self.finish(Ok)
    }
}

/// A configuration that cannot work. The message says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The audience is not the identifier of a service.
    #[error("the audience {given:?} cannot be used: {reason}")]
    Audience {
        /// The audience as it was given.
        given: String,
        /// The rule that it breaks.
        reason: GrammarError,
    },
    /// The leeway would keep dead tokens alive.
    #[error("the leeway is {0:?}, but must be at most 60s")]
    Leeway(Duration),
    /// The longest lifetime is out of its bounds.
    #[error("the longest lifetime is {0:?}, but must be from 1s to 3600s")]
    MaxLifetime(Duration),
    /// The key set cannot be fetched this way.
    #[error(transparent)]
    Keys(#[from] claviger_jwks_client::BuildError),
}
