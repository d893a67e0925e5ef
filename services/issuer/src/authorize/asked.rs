use std::sync::Arc;

use claviger_jose::NumericDate;
use claviger_oauth::{
    Allowed, Application, AuthenticationMethod, AuthorizationRequest, AuthorizeError, AuthorizeQuery,
    ClientId, GrantType, RedirectTarget, Subject,
};
use claviger_store::Client;

use super::{Access, Interaction, Refusal, Situation};
use crate::{
    browser::SignedIn, client_auth::allow, clock::wall_clock, log_out::Hint, pages::ErrorCase,
    provider::Provider,
};

/// A request of a client that is known, whose answer goes to where the client has registered.
///
/// It is proven anew whenever it comes back, out of a sealed page or from where the client has pushed it: a client that was
/// disabled meanwhile, or has given up a redirect URI, gets no answer there.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) client: Arc<Client>,
    pub(super) target: RedirectTarget,
    pub(super) request: AuthorizationRequest,
    pub(super) access: Access,
}

impl Asked {
    /// Proves what a browser brings from a client.
    pub(super) fn read(provider: &Provider, query: AuthorizeQuery) -> Result<Self, Refusal> {
        let client = client(provider, query.client_id())?;
        let application = application(&client)?;
        let target = RedirectTarget::prove(&client.client_id, application, &query)?;
        if application.require_pushed {
            let error = AuthorizeError::InvalidRequest("this client pushes its requests");
            return Err(provider.refuse(&target, &error));
        }
        let request =
            AuthorizationRequest::parse(query, &target, |token| hinted(provider, &client.client_id, token))
                .map_err(|error| provider.refuse(&target, &error))?;
        Self::checked(provider, Arc::clone(&client), target, request)
    }

    /// The refusal of a query that is not read at all: sent to where it asks for, if that is proven.
    pub(super) fn unread(provider: &Provider, query: &AuthorizeQuery, error: &AuthorizeError) -> Refusal {
        let target = client(provider, query.client_id())
            .and_then(|client| Ok(RedirectTarget::prove(&client.client_id, application(&client)?, query)?));
        match target {
            Ok(target) => provider.refuse(&target, error),
            Err(refusal) => match query.redirect_uri() {
                Some(_) => refusal,
                None => Refusal::Page(ErrorCase::Expired),
            },
        }
    }

    /// Proves once more what was proven before.
    pub(super) fn again(provider: &Provider, request: AuthorizationRequest) -> Result<Self, Refusal> {
        let client = client(provider, &request.client_id)?;
        let target = RedirectTarget::of_request(&client.client_id, application(&client)?, &request)?;
        Self::checked(provider, client, target, request)
    }

    fn checked(
        provider: &Provider,
        client: Arc<Client>,
        target: RedirectTarget,
        request: AuthorizationRequest,
    ) -> Result<Self, Refusal> {
        if allow(&client, GrantType::AuthorizationCode).is_err() {
            return Err(provider.refuse(&target, &AuthorizeError::UnauthorizedClient));
        }
        let access = Access::of(&client, provider.issuer(), &request.scope, &request.resource);
        let access = access.map_err(|error| provider.refuse(&target, &error))?;
        Ok(Self { client, target, request, access })
    }

    /// Sends the browser back to the client with a refusal.
    pub(super) fn refuse(&self, provider: &Provider, error: &AuthorizeError) -> Refusal {
        provider.refuse(&self.target, error)
    }

    /// What people know the client by.
    pub(super) fn name(&self) -> &str {
        let name = self.client.application.as_ref().and_then(|application| application.name.as_deref());
        name.unwrap_or(self.client.client_id.as_str())
    }

    /// Whether the client is of the house itself.
    pub(super) fn is_first_party(&self) -> bool {
        self.client.application.as_ref().is_some_and(|application| application.first_party)
    }

    /// What the next step depends on.
    pub(super) fn situation<'s>(
        &'s self,
        interaction: &'s Interaction,
        signed_in: Option<&'s SignedIn>,
        allowed: Option<&'s Allowed>,
        now: NumericDate,
    ) -> Situation<'s> {
        let public = self.client.method == AuthenticationMethod::None;
        Situation {
            request: &self.request,
            asked: &self.access.allowed,
            first_party: self.is_first_party(),
            impersonable: public && !self.request.redirect_uri.starts_with("https://"),
            session: signed_in.map(|someone| &someone.session),
            signed_in: interaction.signed_in.as_ref(),
            allowed,
            now,
        }
    }
}

/// Whom an ID token tells of that a client shows, if this issuer has given it to that client; that it has expired does not
/// matter (OpenID Connect Core section 3.1.2.1).
pub(super) fn hinted(provider: &Provider, client: &ClientId, token: &str) -> Option<Subject> {
    let issuance = &provider.issuance;
    let keys = issuance.keys.load();
    let latest = wall_clock() + issuance.config.policy.lifetimes().skew;
    match Hint::verify(token, &keys.keyring, provider.issuer(), Some(client), latest) {
        Ok(hint) => Some(hint.subject),
        Err(fault) => {
            tracing::info!(%client, %fault, "an id_token_hint shows nothing");
            None
        }
    }
}

/// The client that a request names. One that is disabled, or signs nobody in, is none here.
fn client(provider: &Provider, id: &ClientId) -> Result<Arc<Client>, Refusal> {
    let registry = provider.issuance.registry.load();
    let client = registry.client(id).filter(|client| !client.disabled && client.application.is_some());
    client.cloned().ok_or(Refusal::Page(ErrorCase::UnknownClient))
}

fn application(client: &Client) -> Result<&Application, Refusal> {
    client.application.as_ref().ok_or(Refusal::Page(ErrorCase::UnknownClient))
}
