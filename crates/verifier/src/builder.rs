use std::{sync::Arc, time::Duration};

use claviger_jose::Clock;
use claviger_jwks_client::{SystemClock, Timing};
use claviger_oauth::GrammarError;
use http::Response;

use crate::{
    Refusal, TrustedIssuer, Verifier,
    answer::{AnswerBody, Answers},
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
    clock: Arc<dyn Clock>,
    pub(crate) answers: Answers,
}

impl VerifierBuilder {
    pub(crate) fn new(issuer: TrustedIssuer, audience: &str) -> Self {
        Self {
            issuers: vec![issuer],
            audience: audience.to_owned(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            timing: None,
            clock: Arc::new(SystemClock::new()),
            answers: Answers::default(),
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
        if let Some(issuer) = self.issuers.pop() {
            self.issuers.push(issuer.keys(|keys| keys.jwks_url(url)));
        }
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
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

    /// Makes the verifier and starts to fetch its key sets, without waiting for them. Called inside a tokio
    /// runtime, which must live as long as the verifier.
    ///
    /// # Errors
    /// [`BuildError`] for a configuration that cannot work.
    pub fn build(self) -> Result<Verifier, BuildError> {
        if self.leeway > MAX_LEEWAY {
            return Err(BuildError::Leeway(self.leeway));
        }
        if self.issuers.len() > MAX_ISSUERS {
            return Err(BuildError::TooManyIssuers);
        }
        let common = Common {
            audience: &self.audience,
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
            timing: self.timing,
            clock: &self.clock,
        };
        let mut issuers: Vec<Trusted> = Vec::new();
        for issuer in self.issuers {
            let issuer = issuer.build(&common)?;
            if issuers.iter().any(|known| known.profile.issuer == issuer.profile.issuer) {
                return Err(BuildError::IssuerTwice(issuer.profile.issuer.to_string()));
            }
            issuers.push(issuer);
        }
        let answers = Arc::new(self.answers);
        Ok(Verifier::new(Inner { issuers: issuers.into(), clock: self.clock, answers }))
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
    /// The key set cannot be fetched this way.
    #[error(transparent)]
    Keys(#[from] claviger_jwks_client::BuildError),
}
