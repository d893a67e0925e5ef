use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

/// A bearer token of this service's own, to be sent to its audience and shown to nobody else.
///
/// Clones share the text.
#[derive(Clone)]
pub struct AccessToken {
    token: Arc<SecretString>,
    ends: Instant,
}

impl AccessToken {
    pub(crate) fn new(token: String, ends: Instant) -> Self {
        Self { token: Arc::new(token.into()), ends }
    }

    /// The token. A secret: for the Authorization header of a request to its audience.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.token.expose_secret()
    }

    /// The rest of the token's life; zero once it has ended.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("token", &format_args!("[hidden]")).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-103
    #[test]
    fn a_token_does_not_show_itself() {
        let token = AccessToken::new("canary".to_owned(), Instant::now());
        assert!(!format!("{token:?}").contains("canary"));
        assert_eq!(token.as_str(), "canary");
        assert_eq!(token.expires_in(), Duration::ZERO);
    }
}
