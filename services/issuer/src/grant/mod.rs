//! From a token request to its answer: one file per grant type, and each ends in a [`Grant`](crate::mint::Grant).
//!
//! [`answer`] is asked by the token endpoint and by first-party log-in, once it is proven who the client is.

mod authorization_code;
mod client_credentials;
mod person;
mod refresh_token;

use std::{fmt::Display, net::IpAddr, sync::Arc};

use claviger_jose::{Algorithm, Typ};
use claviger_oauth::{
    ClientId, GrantRequest, IdTokenClaims, Subject, TokenError, TokenRequest, TokenResponse,
    access_token_hash,
};
use claviger_store::{Client, StoreError};

use crate::{
    client_auth::allow, clock::wall_clock, mint::Person, provider::Provider, registry_view::RegistryView,
};

/// How soon a client may ask again when the database did not answer.
const RETRY_AFTER: u32 = 2;

/// A request of a client that has proven who it is.
struct Asked<'a> {
    provider: &'a Provider,
    registry: &'a RegistryView,
    client: &'a Client,
    request: &'a TokenRequest,
    from: IpAddr,
}

/// Gives a client what it has a grant for.
///
/// The time in the tokens is that of the request: whoever ends the session while it is answered ends these tokens too.
///
/// # Errors
/// [`TokenError`]. What the database does not answer is `temporarily_unavailable`, never `invalid_grant`: on that a client
/// throws its grant away.
pub(crate) async fn answer(
    provider: &Provider,
    client: &Arc<Client>,
    request: TokenRequest,
    from: IpAddr,
) -> Result<TokenResponse, TokenError> {
    let now = wall_clock();
    allow(client, request.grant.grant_type())?;
    let registry = provider.issuance.registry.load();
    let asked = Asked { provider, registry: &registry, client, request: &request, from };
    let grant = match &request.grant {
        GrantRequest::ClientCredentials => client_credentials::grant(&asked)?,
        GrantRequest::AuthorizationCode { code, redirect_uri, code_verifier } => {
            asked.can_sign()?;
            authorization_code::redeem(&asked, code, redirect_uri.as_deref(), code_verifier).await?
        }
        GrantRequest::RefreshToken { refresh_token } => {
            asked.can_sign()?;
            refresh_token::present(&asked, refresh_token).await?
        }
    };
    let issuance = &provider.issuance;
    let key = issuance.signer(grant.alg)?;
    let (lifetime, client_id, subject) = (grant.lifetime, grant.client_id.clone(), grant.subject.clone());
    let person = grant.person.clone();
    let mut response = issuance.mint.mint(&key, grant, now).await?;
    issuance.counters.tokens.add(key.alg().as_str());
    if let Some(person) = person {
        if person.id_token.is_some() {
            let told = IdToken { subject: &subject, client_id: &client_id, person: &person };
            response.id_token =
                Some(told.sign(provider, &response.access_token, (now, now + lifetime)).await?);
        }
        response.refresh_token = person.refresh.as_ref().map(|token| token.expose().to_owned());
    }
    Ok(response)
}

impl Asked<'_> {
    /// Whether this process may sign now: what a grant uses up must not be lost to a signature that is not made.
    fn can_sign(&self) -> Result<(), TokenError> {
        Algorithm::ALL.into_iter().try_for_each(|alg| self.provider.issuance.signer(alg).map(drop))
    }

    /// Whether people must have consented to what the client does.
    fn needs_consent(&self) -> bool {
        !self.client.application.as_ref().is_some_and(|application| application.first_party)
    }

    /// The end of what a refusal ends, and who asked, for the audit log.
    fn origin(&self) -> String {
        format!("token {}", self.from)
    }
}

/// Who has signed in, for the client alone.
struct IdToken<'a> {
    subject: &'a Subject,
    client_id: &'a ClientId,
    person: &'a Person,
}

impl IdToken<'_> {
    /// Signs it with RS256, which every client understands that says nothing else (OpenID Connect Registration section 2,
    /// `id_token_signed_response_alg`).
    async fn sign(
        &self,
        provider: &Provider,
        access_token: &str,
        (iat, exp): (claviger_jose::NumericDate, claviger_jose::NumericDate),
    ) -> Result<String, TokenError> {
        let Some(told) = &self.person.id_token else { return Err(unavailable()) };
        let at_hash = access_token_hash(access_token);
        let claims = IdTokenClaims {
            iss: provider.issuer().as_str(),
            sub: self.subject.as_str(),
            aud: self.client_id.as_str(),
            exp,
            iat,
            nonce: told.nonce.as_deref(),
            at_hash: Some(&at_hash),
            person: self.person.claims(Some(&told.extra)),
        };
        let claims = serde_json::value::to_raw_value(&claims).map_err(|_| unavailable())?;
        let key = provider.issuance.signer(Algorithm::Rs256)?;
        provider.issuance.mint.sign(&key, Typ::Jwt, claims).await
    }
}

/// What the database did not do, the client may try again.
fn not_stored(error: &StoreError) -> TokenError {
    if error.is_transient() {
        tracing::warn!(%error, "a grant cannot be looked up or written now");
    } else {
        tracing::error!(%error, "a grant cannot be looked up or written");
    }
    unavailable()
}

fn unavailable() -> TokenError {
    TokenError::TemporarilyUnavailable { retry_after: RETRY_AFTER }
}

fn invalid_grant(reason: &dyn Display) -> TokenError {
    TokenError::InvalidGrant(reason.to_string().into())
}
