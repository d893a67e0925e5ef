use std::{path::PathBuf, sync::Arc, time::Duration};

use claviger_jose::Clock;
use claviger_jwks_client::{SystemClock, Timing};
use claviger_oauth::GrammarError;
use http::{Response, Uri};

#[cfg(feature = "dpop")]
use crate::Dpop;
use crate::{
    Refusal, TrustedIssuer, Verifier,
    answer::{AnswerBody, Answers},
    cache::CacheLimits,
    possession::Possession,
    presented::Places,
    replay::SpentOnce,
    trusted::{Common, Trusted},
    verifier::Inner,
};

const MAX_LEEWAY: Duration = Duration::from_mins(1);
/// A service that trusts more issuers than this wants a gateway.
const MAX_ISSUERS: usize = 64;

/// The configuration of a [`Verifier`]. Made by [`Verifier::builder`].
#[derive(Debug)]
#[must_use = "build it"]
pub struct VerifierBuilder {
    issuers: Vec<TrustedIssuer>,
    audience: String,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    timing: Option<Timing>,
    deny_file: Option<PathBuf>,
    instance: Option<String>,
    /// Without one, the system's.
    clock: Option<Arc<dyn Clock>>,
    pub(crate) answers: Answers,
    one_time: Option<usize>,
    #[cfg(feature = "dpop")]
    dpop: Option<Dpop>,
    cache: CacheLimits,
    pub(crate) places: Places,
}

impl VerifierBuilder {
    pub(crate) fn new(issuer: TrustedIssuer, audience: &str) -> Self {
        Self {
            issuers: vec![issuer],
            audience: audience.to_owned(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            timing: None,
            deny_file: None,
            instance: None,
            clock: None,
            answers: Answers::default(),
            one_time: None,
            #[cfg(feature = "dpop")]
            dpop: None,
            cache: CacheLimits::default(),
            places: Places::default(),
        }
    }

    /// Takes the tokens of another issuer as well. A token is judged by the keys and rules of the issuer that
    /// it names, and by no other's; one that names an issuer which is not trusted costs no I/O.
    pub fn also_trust(mut self, issuer: impl Into<TrustedIssuer>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// How far the clocks of issuer and service may be apart: 0 to 60 s; without this, 30 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest lifetime of a token that is accepted: 1 s to 1 h, which is the default.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = Some(max_lifetime);
        self
    }

    /// How fresh the key sets are kept, and how stale they may get.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = Some(timing);
        self
    }

    /// Where the key set of the first issuer is, instead of what its metadata says.
    pub fn jwks_url(mut self, url: &str) -> Self {
        // Its place in the list is what makes it the first, whoever was named after it.
        let first = self.issuers.remove(0);
        self.issuers.insert(0, first.keys(|keys| keys.jwks_url(url)));
        self
    }

    /// Denies the kids in this file, in the key sets of all issuers that are not shared: see
    /// [`JwksClientBuilder::deny_file`](crate::JwksClientBuilder::deny_file). It is the way to end a stolen key
    /// where the issuer cannot be reached.
    pub fn deny_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.deny_file = Some(path.into());
        self
    }

    /// What this process is called where the issuer shows its verifiers; without this, as its host: see
    /// [`JwksClientBuilder::instance`](crate::JwksClientBuilder::instance).
    pub fn instance(mut self, name: &str) -> Self {
        self.instance = Some(name.to_owned());
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Accepts each token once, as far as this process knows, and until it is restarted: the second time it is
    /// refused as used. What was used is in the memory of this verifier alone. So another instance of the service
    /// accepts the token once more, and so does this one after a restart, for as long as the token lives.
    ///
    /// With several instances, or where once has to mean once: let one instance do what such tokens are for, or
    /// write [`jti`](crate::Principal::jti) with [`iss`](crate::Principal::iss) under a unique index of the
    /// service's own database, in the same transaction as what the token allows.
    ///
    /// Of up to `capacity` tokens this is
    /// remembered until they end, at about 180 bytes each; one more is answered 503, because a token that was
    /// forgotten would be accepted again. A token is known by its issuer and `jti`, or by its text where the
    /// issuer gives it no name. A request uses a token up once it is accepted, also where a scope is missing then.
    pub fn one_time(mut self, capacity: usize) -> Self {
        self.one_time = Some(capacity);
        self
    }

    /// Takes tokens that are bound to a key of their holder as well, with a proof beside each (RFC 9449).
    #[cfg(feature = "dpop")]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self.answers.dpop = true;
        self
    }

    /// Remembers up to `max_tokens` tokens of ordinary size that were verified and accepted, or fewer long ones, in
    /// at most 2 KiB each, and does not check their signatures again for up to 60 s. Without this, nothing is
    /// remembered: a verification takes some 15 to 40 µs.
    ///
    /// A token's times are checked on every request nevertheless, and so are possession, single use and scopes.
    /// Nothing is remembered across a change of the key set, and nothing is answered from memory while there is no
    /// usable key set.
    pub fn cache(mut self, max_tokens: usize) -> Self {
        self.cache.tokens = Some(max_tokens);
        self
    }

    /// How long a verified token is remembered at most: 1 to 60 s, which is the default.
    pub fn cache_for(mut self, max_age: Duration) -> Self {
        self.cache.cap = max_age;
        self
    }

    /// Answers refusals in the service's own way: `answer` is given the refusal and the answer that the caller
    /// would get, and may change or replace it. Whoever tells a caller more than the default does tells it to
    /// a forger as well.
    pub fn answer_with(
        mut self,
        answer: impl Fn(&Refusal, Response<AnswerBody>) -> Response<AnswerBody> + Send + Sync + 'static,
    ) -> Self {
        self.answers.custom = Some(Arc::new(answer));
        self
    }

    /// Names the protected resource metadata of the service in every challenge, so that a client finds the
    /// issuer by itself ([RFC 9728 section 5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)). Its URL
    /// is absolute, with https or on this machine.
    pub fn resource_metadata(mut self, url: &str) -> Self {
        self.answers.resource_metadata = Some(url.into());
        self
    }

    /// Makes the verifier and starts to fetch its key sets, without waiting for them. Called inside a tokio
    /// runtime, which must live as long as the verifier.
    ///
    /// # Errors
    /// [`BuildError`] for a configuration that cannot work.
    pub fn build(self) -> Result<Verifier, BuildError> {
        if self.leeway > MAX_LEEWAY {
            return Err(BuildError::Leeway(self.leeway));
        }
        if let Some(url) = &self.answers.resource_metadata
            && !is_resource_url(url)
        {
            return Err(BuildError::ResourceMetadata(url.to_string()));
        }
        if self.issuers.len() > MAX_ISSUERS {
            return Err(BuildError::TooManyIssuers);
        }
        let common = Common {
            audience: &self.audience,
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
            timing: self.timing,
            deny_file: self.deny_file.as_deref(),
            instance: self.instance.as_deref(),
            clock: self.clock.as_ref(),
        };
        let mut issuers: Vec<Trusted> = Vec::new();
        for issuer in self.issuers {
            let issuer = issuer.build(&common)?;
            if issuers.iter().any(|known| known.profile.issuer == issuer.profile.issuer) {
                return Err(BuildError::IssuerTwice(issuer.profile.issuer.to_string()));
            }
            issuers.push(issuer);
        }
        let possession = Possession {
            #[cfg(feature = "dpop")]
            dpop: self.dpop.map(|dpop| dpop.build(self.leeway)).transpose()?,
        };
        Ok(Verifier::new(Inner {
            issuers: issuers.into(),
            audience: self.audience.into(),
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            leeway: self.leeway,
            answers: Arc::new(self.answers),
            places: self.places,
            possession,
            one_time: self.one_time.map(SpentOnce::new),
            cache: self.cache.build()?,
        }))
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
    #[error("the longest lifetime is {given:?}, but must be from 1s to {most:?}")]
    MaxLifetime {
        /// The lifetime as it was given.
        given: Duration,
        /// The most that this issuer's tokens may live.
        most: Duration,
    },
    /// An issuer is trusted in two ways: which of them counts would depend on the order.
    #[error("the issuer {0:?} is named twice; trust it once")]
    IssuerTwice(String),
    /// More issuers than one service has any use for.
    #[error("more than {MAX_ISSUERS} issuers are trusted")]
    TooManyIssuers,
    /// Clients do not know the service by such a URL.
    #[error(
        "the URL for proofs of possession is {0:?}, but must be an http or https URL without user, query and fragment"
    )]
    DpopUrl(String),
    /// Proofs would be fresh for too long, or never.
    #[error("the greatest age of a proof is {0:?}, but must be from 1s to 60s")]
    ProofAge(Duration),
    /// Verified tokens would be remembered for too long, or not at all.
    #[error("verified tokens are remembered for {0:?}, but must be from 1s to 60s")]
    CacheAge(Duration),
    /// The system gave no random numbers, of which nonces are made.
    #[error("the system has no random numbers to make nonces of")]
    NoRandomness,
    /// The URL of the protected resource metadata could break out of its quotes, or be no use to a client.
    #[error(
        "the metadata URL {0:?} cannot be used: it must be https (or http on this machine), absolute, \
             without fragment, spaces and quotes"
    )]
    ResourceMetadata(String),
    /// The key set cannot be fetched this way.
    #[error(transparent)]
    Keys(#[from] claviger_jwks_client::BuildError),
}

/// An absolute https URL, or http on this machine, that can stand between quotes in a header (RFC 9728
/// section 1.2).
pub(crate) fn is_resource_url(url: &str) -> bool {
    let visible =
        url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'#'));
    let Some(uri) = url.parse::<Uri>().ok().filter(|_| visible) else {
        return false;
    };
    let here = matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    match uri.scheme_str() {
        Some("https") => uri.host().is_some_and(|host| !host.is_empty()),
        Some("http") => here,
        _ => false,
    }
}
