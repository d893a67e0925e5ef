use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use claviger_oauth::{PresentedClient, TokenError, TokenRequest, TokenResponse};
use http::{HeaderMap, header::AUTHORIZATION};

use super::answer::{Refused, granted};
use crate::{grant, http::read_form, provider::Provider};

/// The token endpoint (RFC 6749 section 3.2).
pub(super) async fn token(
    State(provider): State<Arc<Provider>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let refused = |error: TokenError| {
        provider.issuance.counters.refusals.add(error.code());
        Refused(error)
    };
    let form = read_form(&head.headers, body).await;
    let form = form.map_err(|reason| refused(TokenError::InvalidRequest(reason.into())))?;
    let answer = answer(&provider, &head.headers, &form, peer.ip()).await.map_err(refused)?;
    Ok(granted(&answer))
}

async fn answer(
    provider: &Provider,
    headers: &HeaderMap,
    form: &[u8],
    from: IpAddr,
) -> Result<TokenResponse, TokenError> {
    let request = TokenRequest::parse(form)?;
    let authorization = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let presented = PresentedClient::from_request(authorization, &request.client)?;
    let registry = provider.issuance.registry.load();
    let client = provider.client_auth.authenticate(&registry, &presented, from).await?;
    grant::answer(provider, &client, request, from).await
}
