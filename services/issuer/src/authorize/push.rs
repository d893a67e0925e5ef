use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use claviger_oauth::{
    AuthenticationMethod, AuthorizationRequest, AuthorizeError, AuthorizeQuery, ClientParameters, GrantType,
    PresentedClient, RedirectTarget, RequestUri, TargetError, TokenError,
};
use claviger_store::StoreError;
use http::{HeaderMap, header::AUTHORIZATION};

use super::{Access, Asked, Refusal, asked::hinted, endpoint::LONGEST};
use crate::{client_auth::allow, pages::ErrorCase, provider::Provider, rate::Rate, rng::random_bits};

/// How long a pushed request waits for its browser.
const LIFETIME: Duration = Duration::from_secs(90);

/// How many requests may be left at once in the name of a client that proves nothing, from one address, and how long until one
/// more may: whoever knows its name could fill the table.
pub(crate) fn unproven_pushes() -> Rate {
    Rate::new(60, Duration::from_secs(1))
}

/// A request that was left with us.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// What stands for it in the browser, once.
    pub(crate) request_uri: RequestUri,
    /// For how long.
    pub(crate) expires_in: Duration,
}

/// Why a request is not taken (RFC 9126 section 2.3).
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushRefusal {
    /// The client did not prove who it is, or may not do this.
    #[error(transparent)]
    Client(#[from] TokenError),
    /// Too many were left in the name of a client that proves nothing.
    #[error("too many requests were pushed from there")]
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The request itself.
    #[error(transparent)]
    Request(#[from] AuthorizeError),
}

impl From<TargetError> for PushRefusal {
    fn from(error: TargetError) -> Self {
        Self::Request(AuthorizeError::InvalidRequest(match error {
            TargetError::NoRedirectUri => "redirect_uri is missing",
            TargetError::UnknownRedirectUri => "redirect_uri is not registered for this client",
            _ => "client_id is missing, repeated or another's",
        }))
    }
}

/// What is not kept was not taken.
impl From<StoreError> for PushRefusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a pushed request is not kept");
        Self::Client(TokenError::TemporarilyUnavailable { retry_after: 5 })
    }
}

/// Takes a request that a client pushes (RFC 9126 section 2). It is checked as at the authorization endpoint, before any
/// browser is involved.
///
/// # Errors
/// [`PushRefusal`]
pub(crate) async fn push(
    provider: &Provider,
    headers: &HeaderMap,
    form: &[u8],
    from: IpAddr,
) -> Result<Pushed, PushRefusal> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let presented = PresentedClient::from_request(authorization, &ClientParameters::parse(form)?)?;
    let registry = provider.issuance.registry.load_full();
    let client = provider.client_auth.authenticate(&registry, &presented, from).await?;
    allow(&client, GrantType::AuthorizationCode)?;
    if client.method == AuthenticationMethod::None
        && let Err(retry_after) = provider.pushes.take(&client.client_id, from, Instant::now())
    {
        return Err(PushRefusal::TooMany { retry_after });
    }
    let application = client.application.as_ref().ok_or(TokenError::UnauthorizedClient)?;
    let query = AuthorizeQuery::parse(form)?;
    if !matches!(query.request_uri(), Ok(None)) {
        return Err(AuthorizeError::InvalidRequest("a pushed request has no request_uri").into());
    }
    let target = RedirectTarget::prove(&client.client_id, application, &query)?;
    let request =
        AuthorizationRequest::parse(query, &target, |token| hinted(provider, &client.client_id, token))?;
    Access::of(&client, provider.issuer(), &request.scope, &request.resource)?;
    let text = serde_json::to_string(&request).map_err(|_| AuthorizeError::ServerError)?;
    if text.len() > LONGEST {
        return Err(AuthorizeError::InvalidRequest("the request is longer than 8 KiB").into());
    }
    let request_uri = RequestUri::from_random(random_bits());
    provider.store.push_request(&request_uri, &client.client_id, &text, LIFETIME).await?;
    Ok(Pushed { request_uri, expires_in: LIFETIME })
}

/// Takes up what a client has pushed: once, whatever becomes of it, and only for that client.
pub(super) async fn take(
    provider: &Provider,
    query: &AuthorizeQuery,
    request_uri: &RequestUri,
) -> Result<Asked, Refusal> {
    let pushed = provider.store.take_pushed_request(request_uri, query.client_id()).await?;
    let Some(text) = pushed else {
        return Err(Asked::unread(provider, query, &AuthorizeError::InvalidRequestUri));
    };
    let request: AuthorizationRequest = serde_json::from_str(&text).map_err(|error| {
        tracing::error!(%error, "a pushed request cannot be read");
        Refusal::Page(ErrorCase::Internal)
    })?;
    Asked::again(provider, request)
}
