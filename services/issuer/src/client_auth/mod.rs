//! Proving that a client is who it says: the one method that it registered, in one way per request.
//!
//! [`ClientAuth::authenticate`] is asked by every endpoint that clients call: token, pushed requests, revocation,
//! introspection, the authorization challenge. A client that is disabled is nobody there, so that no grant can forget it
//! (S-60); [`allow`] is the other half of that, asked where a grant begins.

mod assertion;
mod key_set;
mod published;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_jose::{NumericDate, UnverifiedJws};
use claviger_oauth::{ClientId, GrantType, Issuer, PresentedClient, TokenError};
use claviger_store::{Client, Store};
use secrecy::{ExposeSecret, SecretString};

use self::published::Published;
use crate::{clock::wall_clock, rate::Rate, registry_view::RegistryView};

pub(crate) use key_set::KeySet;

/// How many failures come before the first wait.
const FAILURES: u32 = 20;
/// How long until one more is told as such.
const EACH: Duration = Duration::from_secs(3);

/// What it takes to tell clients apart besides the registry.
#[derive(Debug)]
pub(crate) struct ClientAuth {
    issuer: Issuer,
    store: Store,
    published: Published,
    /// Only failures are counted, and only they have to wait: a client's secrets cannot be guessed, and what a stranger does
    /// in its name must not keep the client itself out.
    failures: Rate,
}

impl ClientAuth {
    /// For the clients of an issuer, whose memory is `store`.
    pub(crate) fn new(issuer: &Issuer, store: Store) -> Self {
        let published = Published::new(issuer);
        Self { issuer: issuer.clone(), store, published, failures: Rate::new(FAILURES, EACH) }
    }

    /// The client that a request comes from (RFC 6749 section 2.3). `from` is where the request comes from.
    ///
    /// # Errors
    /// `invalid_client` with a reason for the log alone; `temporarily_unavailable` if it cannot be known now, or if this is one
    /// of too many failures.
    pub(crate) async fn authenticate(
        &self,
        registry: &RegistryView,
        presented: &PresentedClient,
        from: IpAddr,
    ) -> Result<Arc<Client>, TokenError> {
        let client_id = claimed(presented)?;
        let client = registry.client(&client_id).ok_or_else(|| refuse("unknown client"))?;
        if client.disabled {
            return Err(refuse("the client is disabled"));
        }
        if presented.method() != client.method {
            return Err(refuse("not the method that the client registered"));
        }
        let now = wall_clock();
        let proven = match presented {
            PresentedClient::Secret(presented) => prove_by_secret(client, &presented.secret, now),
            PresentedClient::Assertion { assertion, .. } => {
                self.prove_by_assertion(registry, client, assertion.expose_secret(), now).await
            }
            PresentedClient::Public { .. } => Ok(()),
            _ => Err(refuse("a method that is not known here")),
        };
        if let Err(TokenError::InvalidClient(_)) = &proven
            && let Err(wait) = self.failures.take(&client_id, from, Instant::now())
        {
            tracing::warn!(client = %client_id, %from, "too many failed authentications");
            let retry_after = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
            return Err(TokenError::TemporarilyUnavailable { retry_after });
        }
        proven.map(|()| Arc::clone(client))
    }
}

/// Who a request says it is from. An assertion may be all that says it: then it is its issuer (RFC 7523 section 3), whom
/// nobody has proven yet.
fn claimed(presented: &PresentedClient) -> Result<ClientId, TokenError> {
    match presented {
        PresentedClient::Secret(presented) => Ok(presented.client_id.clone()),
        PresentedClient::Public { client_id }
        | PresentedClient::Assertion { client_id: Some(client_id), .. } => Ok(client_id.clone()),
        PresentedClient::Assertion { client_id: None, assertion } => {
            let jws = UnverifiedJws::parse(assertion.expose_secret()).map_err(unacceptable)?;
            let client_id = jws.claimed_issuer().ok().and_then(|issuer| issuer.parse().ok());
            client_id.ok_or_else(|| refuse("the assertion names no client"))
        }
        _ => Err(refuse("a method that is not known here")),
    }
}

/// Whether a client may trade this for tokens: only what it was registered for.
///
/// # Errors
/// `unauthorized_client`.
pub(crate) fn allow(client: &Client, grant: GrantType) -> Result<(), TokenError> {
    if client.grant_types.contains(&grant) { Ok(()) } else { Err(TokenError::UnauthorizedClient) }
}

pub(crate) fn prove_by_secret(
    client: &Client,
    secret: &SecretString,
    now: NumericDate,
) -> Result<(), TokenError> {
    let live = client.secrets.iter().filter(|secret| secret.is_live(now));
    // All are compared: which of two it is takes as long as neither.
    if live.fold(false, |found, stored| found | stored.hash.verify(secret.expose_secret())) {
        Ok(())
    } else {
        Err(refuse("wrong secret"))
    }
}

fn unacceptable(error: impl std::fmt::Display) -> TokenError {
    TokenError::InvalidClient(format!("the assertion is not acceptable: {error}").into())
}

fn refuse(reason: &'static str) -> TokenError {
    TokenError::InvalidClient(reason.into())
}

#[cfg(test)]
mod tests;
