use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use claviger_oauth::{PresentedClient, TokenError, TokenRequest, TokenResponse};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, CONTENT_TYPE},
};

use super::answer::{Refused, granted};
use crate::{
    grant,
    http::{BodyError, read_body},
    provider::Provider,
};

const BODY_LIMIT: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(10);

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
    let form = read_form(&head.headers, body).await.map_err(refused)?;
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

async fn read_form(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, TokenError> {
    let invalid = |reason: &'static str| TokenError::InvalidRequest(reason.into());
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("the body must be application/x-www-form-urlencoded"));
    }
    read_body(body, BODY_LIMIT, BODY_TIME).await.map_err(|error| match error {
        BodyError::TooLarge => invalid("the body is larger than 64 KiB"),
        BodyError::TooSlow => invalid("the body took longer than 10 s"),
        BodyError::Broken(_) => invalid("the body broke off"),
    })
}
