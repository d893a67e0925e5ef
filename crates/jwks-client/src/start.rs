use std::time::Duration;

use crate::{BuildError, FetchError, JwksClient, JwksClientBuilder};

/// Whether a service starts without a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartMode {
    /// Nothing is fetched before the first request for a key.
    Lazy,
    /// Waits that long for a set, then goes on without: not ready, and answering 503 until the issuer is back.
    WarmUp(Duration),
    /// Waits that long for a set, then gives up.
    FailFast(Duration),
}

impl Default for StartMode {
    /// Waits for 5 s, then goes on without.
    fn default() -> Self {
        Self::WarmUp(Duration::from_secs(5))
    }
}

/// Why a client did not start. The message says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot work.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is no usable set in time. Nothing that the network sent is repeated here.
    #[error("no key set of {issuer} ({sources}) within {waited:?}: {reason}; {}", .reason.remedy())]
    NotReady {
        /// The configured issuer.
        issuer: String,
        /// Where it was looked for: URLs without their queries, and paths.
        sources: String,
        /// How long it was waited for at most.
        waited: Duration,
        /// Why the last attempt failed.
        reason: FetchError,
    },
}

impl JwksClientBuilder {
    /// Builds the client and starts as the mode says. A set that an earlier process left on the disk, not too old, is
    /// a set.
    ///
    /// # Errors
    /// [`StartError::Build`] as for [`build`](Self::build); [`StartError::NotReady`] if it is to fail without a set.
    /// That the metadata names another issuer than the configured one is such a failure at once.
    pub async fn start(self, mode: StartMode) -> Result<JwksClient, StartError> {
        match mode {
            StartMode::Lazy => Ok(self.build_asleep()?),
            StartMode::WarmUp(patience) => {
                let client = self.build()?;
                if !client.ready_within(patience).await {
                    let issuer = client.issuer();
                    tracing::warn!(%issuer, "started without a key set: not ready until it is fetched");
                }
                Ok(client)
            }
            StartMode::FailFast(patience) => {
                let client = self.build()?;
                // To try again does not mend a name.
                let hopeless = |error| error == FetchError::OtherIssuer;
                if client.shared().ready_unless(patience, hopeless).await {
                    return Ok(client);
                }
                Err(StartError::NotReady {
                    issuer: client.issuer().to_owned(),
                    sources: client.shared().places.join(", "),
                    waited: patience,
                    reason: client.status().last_error.unwrap_or(FetchError::Timeout),
                })
            }
        }
    }
}
