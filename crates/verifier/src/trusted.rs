use std::{path::Path, sync::Arc, time::Duration};

use claviger_jose::{Clock, HeaderRules};
use claviger_jwks_client::{JwksClient, JwksClientBuilder, Timing};
use claviger_oauth::Audience;

use crate::{
    BuildError,
    dialect::{Dialect, HOUSE},
    profile::Profile,
};

/// An issuer whose tokens a service takes, and how that issuer writes them.
///
/// A text becomes an issuer of this house. Each issuer has a key set, a refresh task and limits of its
/// own: what one of them does cannot hurt the tokens of another.
#[derive(Debug)]
#[must_use = "give it to a verifier"]
pub struct TrustedIssuer {
    keys: Keys,
    dialect: &'static Dialect,
    audience: Option<String>,
    max_lifetime: Option<Duration>,
}

#[derive(Debug)]
enum Keys {
    Fetched(Box<JwksClientBuilder>),
    Held(JwksClient),
}

/// A trusted issuer with its keys.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) keys: JwksClient,
    pub(crate) rules: HeaderRules,
    pub(crate) profile: Profile,
}

/// What a verifier's builder has to say about all of its issuers.
pub(crate) struct Common<'b> {
    pub(crate) audience: &'b str,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) timing: Option<Timing>,
    pub(crate) deny_file: Option<&'b Path>,
    pub(crate) instance: Option<&'b str>,
    /// A clock of its own also keeps the key sets apart from those of other verifiers.
    pub(crate) clock: Option<&'b Arc<dyn Clock>>,
}

impl TrustedIssuer {
    /// An issuer of this house: RFC 9068 access tokens, and keys that are named by their thumbprints.
    /// `issuer` is what stands in `iss`, byte for byte.
    pub fn new(issuer: &str) -> Self {
        Self::speaking(&HOUSE, issuer)
    }

    /// The same with a key set that is shared with somebody else.
    pub fn with_keys(keys: JwksClient) -> Self {
        Self { keys: Keys::Held(keys), dialect: &HOUSE, audience: None, max_lifetime: None }
    }

    pub(crate) fn speaking(dialect: &'static Dialect, issuer: &str) -> Self {
        let keys = Keys::Fetched(Box::new(JwksClient::builder(issuer)));
        Self { keys, dialect, audience: None, max_lifetime: None }
    }

    /// Configures where the key set comes from and how it is kept: see [`JwksClientBuilder`]. Without
    /// effect on a key set that is shared.
    pub fn keys(mut self, configure: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder) -> Self {
        if let Keys::Fetched(builder) = self.keys {
            self.keys = Keys::Fetched(Box::new(configure(*builder)));
        }
        self
    }

    /// The name that this service has at this issuer, where that differs from the verifier's audience.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// The longest lifetime of this issuer's tokens: 1 s to what the issuer can be set to, which is 1 h for
    /// this house.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = Some(max_lifetime);
        self
    }

    pub(crate) fn build(self, common: &Common<'_>) -> Result<Trusted, BuildError> {
        let dialect = self.dialect;
        let audience = self.audience.as_deref().unwrap_or(common.audience);
        check_audience(dialect, audience)?;
        let max_lifetime = self.max_lifetime.or(common.max_lifetime).unwrap_or(dialect.max_lifetime);
        if max_lifetime < Duration::from_secs(1) || max_lifetime > dialect.max_lifetime {
            return Err(BuildError::MaxLifetime { given: max_lifetime, most: dialect.max_lifetime });
        }
        let keys = match self.keys {
            Keys::Held(keys) => keys,
            Keys::Fetched(builder) => {
                let builder = if dialect.foreign { builder.foreign_kids() } else { *builder };
                common.configure(builder).build()?
            }
        };
        keys.verifies_for(audience);
        let profile = Profile {
            issuer: keys.issuer().into(),
            audience: audience.into(),
            leeway: common.leeway,
            max_lifetime,
            dialect,
        };
        Ok(Trusted { keys, rules: dialect.header_rules(), profile })
    }
}

impl Common<'_> {
    fn configure(&self, mut keys: JwksClientBuilder) -> JwksClientBuilder {
        if let Some(timing) = self.timing {
            keys = keys.timing(timing);
        }
        if let Some(path) = self.deny_file {
            keys = keys.deny_file(path);
        }
        if let Some(name) = self.instance {
            keys = keys.instance(name);
        }
        if let Some(clock) = self.clock {
            keys = keys.clock(Arc::clone(clock));
        }
        keys
    }
}

impl From<&str> for TrustedIssuer {
    fn from(issuer: &str) -> Self {
        Self::new(issuer)
    }
}

impl From<&String> for TrustedIssuer {
    fn from(issuer: &String) -> Self {
        Self::new(issuer)
    }
}

/// In this house an audience is an absolute URI; others name services as they like.
fn check_audience(dialect: &Dialect, audience: &str) -> Result<(), BuildError> {
    let verdict = if dialect.foreign && !audience.trim().is_empty() {
        Ok(())
    } else {
        audience.parse::<Audience>().map(drop)
    };
    verdict.map_err(|reason| BuildError::Audience { given: audience.to_owned(), reason })
}
