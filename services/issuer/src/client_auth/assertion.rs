//! `private_key_jwt`: a client signs that it is who it is (RFC 7523 section 3, RFC 10070).

use std::sync::Arc;

use claviger_jose::{HeaderRules, NumericDate, Typ, UnverifiedJws};
use claviger_oauth::{AssertionRules, ClientAssertionClaims, ClientKeys, TokenError};
use claviger_store::Client;

use super::{ClientAuth, KeySet, published::NoKey, refuse, unacceptable};
use crate::registry_view::RegistryView;

/// What a client is told to wait for its own key set, or for the database.
const RETRY_AFTER: u32 = 5;

impl ClientAuth {
    /// The signature is checked with the key that the client registered under the name in the header, and its one
    /// algorithm; then who and whom it names, and how long it lasts; at last that nobody has used it before. Only what passes
    /// all else is written down as used: a stranger cannot fill the table.
    pub(super) async fn prove_by_assertion(
        &self,
        registry: &RegistryView,
        client: &Client,
        assertion: &str,
        now: NumericDate,
    ) -> Result<(), TokenError> {
        let jws = UnverifiedJws::parse(assertion).map_err(unacceptable)?;
        // Libraries differ in whether and how they type it; no other token of any client is signed with these keys.
        let rules = HeaderRules::foreign([Typ::ClientAssertion, Typ::Jwt]).or_untyped();
        jws.check(&rules).map_err(unacceptable)?;
        let keys = self.keys(registry, client, &jws).await?;
        let key = keys.key(jws.kid()).ok_or_else(|| refuse("the client has no key of this kid"))?;
        let payload = key.verify_payload(&jws, &rules).map_err(unacceptable)?;
        let claims = payload.read::<ClientAssertionClaims>().map_err(unacceptable)?;
        let rules = AssertionRules::default();
        let accepted = claims.accept(&client.client_id, &self.issuer, now, rules).map_err(unacceptable)?;
        match self.store.use_assertion(&accepted.once, accepted.until).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(refuse("the assertion was used before")),
            Err(error) => {
                tracing::warn!(%error, "whether an assertion was used before cannot be known");
                Err(TokenError::TemporarilyUnavailable { retry_after: RETRY_AFTER })
            }
        }
    }

    async fn keys(
        &self,
        registry: &RegistryView,
        client: &Client,
        jws: &UnverifiedJws<'_>,
    ) -> Result<Arc<KeySet>, TokenError> {
        match &client.keys {
            ClientKeys::None => Err(refuse("the client has no keys")),
            ClientKeys::Set(_) => {
                let keys = registry.keys_of(&client.client_id).cloned();
                keys.ok_or_else(|| refuse("the keys of the client cannot be read"))
            }
            ClientKeys::Uri(url) => {
                self.published.set(url, jws.kid(), registry).await.map_err(|why| match why {
                    NoKey::Unknown => refuse("the client publishes no key of this kid"),
                    NoKey::Unavailable => TokenError::TemporarilyUnavailable { retry_after: RETRY_AFTER },
                })
            }
        }
    }
}
