use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    response::Response,
};
use claviger_oauth::{
    AuthenticationMethod, IntrospectionRequest, IntrospectionResponse, RefreshToken, Subject, TokenError,
};
use claviger_store::Client;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;

use super::{
    answer::{Refused, private_json},
    tokens::{authenticate, out_of_date, read, unavailable},
};
use crate::{
    claims::{NotGood, OwnToken},
    clock::wall_clock,
    provider::Provider,
    registry_view::RegistryView,
};

/// Whether a token is good (RFC 7662 section 2), for those who do not verify it themselves. A client is told about its own
/// tokens, and a team about those for its resource servers; of any other token nobody learns even that it is good.
pub(super) async fn introspect(
    State(provider): State<Arc<Provider>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let form = read(&headers, body).await.map_err(Refused)?;
    let request = IntrospectionRequest::parse(&form).map_err(Refused)?;
    let caller = authenticate(&provider, &headers, &request.client, peer.ip()).await.map_err(Refused)?;
    if caller.method == AuthenticationMethod::None {
        // Section 2.1: else whoever finds a token could ask what it is good for.
        let reason = "a client that proves nothing learns nothing about tokens";
        return Err(Refused(TokenError::InvalidClient(reason.into())));
    }
    let said = about(&provider, &caller, request.token.expose_secret()).await.map_err(Refused)?;
    let body = serde_json::to_vec(&said).expect("an answer is a plain structure of texts and numbers");
    Ok(private_json(StatusCode::OK, body.into()))
}

async fn about(
    provider: &Provider,
    caller: &Client,
    token: &str,
) -> Result<IntrospectionResponse, TokenError> {
    match token.parse::<RefreshToken>() {
        Ok(token) => about_refresh_token(provider, caller, &token).await,
        Err(_) => about_access_token(provider, caller, token).await,
    }
}

async fn about_access_token(
    provider: &Provider,
    caller: &Client,
    token: &str,
) -> Result<IntrospectionResponse, TokenError> {
    let token = match OwnToken::accept(&provider.issuance, token, wall_clock()) {
        Ok(token) => token,
        Err(NotGood::Unknown) => return Err(out_of_date()),
        Err(why) => {
            tracing::info!(client_id = %caller.client_id, %why, "a token that is asked about is not good");
            return Ok(IntrospectionResponse::inactive());
        }
    };
    let may_see = may_see(&provider.issuance.registry.load(), caller, &token);
    if !may_see || !token.still_stands(provider).await.map_err(|error| unavailable(&error))? {
        return Ok(IntrospectionResponse::inactive());
    }
    Ok(IntrospectionResponse {
        active: true,
        scope: Some(token.scope).filter(|scope| !scope.is_empty()),
        client_id: Some(token.client_id.to_string()),
        token_type: Some("Bearer".to_owned()),
        exp: Some(token.exp),
        iat: Some(token.iat),
        sub: Some(token.sub.to_string()),
        aud: token.aud.iter().next().map(str::to_owned),
        iss: Some(provider.issuer().to_string()),
        jti: Some(token.jti),
        sid: token.sid,
    })
}

async fn about_refresh_token(
    provider: &Provider,
    caller: &Client,
    token: &RefreshToken,
) -> Result<IntrospectionResponse, TokenError> {
    let first_party = caller.application.as_ref().is_some_and(|application| application.first_party);
    let standing = provider.store.refresh_standing(token, &caller.client_id, !first_party).await;
    Ok(match standing.map_err(|error| unavailable(&error))? {
        None => IntrospectionResponse::inactive(),
        Some(standing) => IntrospectionResponse {
            active: true,
            scope: Some(standing.scope),
            client_id: Some(caller.client_id.to_string()),
            exp: Some(standing.expires_at),
            sub: Some(Subject::of_user(&standing.account).to_string()),
            iss: Some(provider.issuer().to_string()),
            sid: Some(standing.sid.to_string()),
            ..IntrospectionResponse::inactive()
        },
    })
}

fn may_see(registry: &RegistryView, caller: &Client, token: &OwnToken) -> bool {
    let is_the_team_s = |audience: &str| {
        let server = audience.parse().ok();
        let server = server.as_ref().and_then(|audience| registry.resource_server(audience));
        server.is_some_and(|server| server.team == caller.team)
    };
    token.client_id == caller.client_id || token.aud.iter().any(is_the_team_s)
}
