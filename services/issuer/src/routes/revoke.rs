use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    response::Response,
};
use claviger_jose::{Mark, Marked};
use claviger_oauth::{RefreshToken, RevocationRequest, TokenError};
use claviger_store::{Client, FamilyEnd, Revoked};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    answer::{Refused, private_json},
    tokens::{authenticate, out_of_date, read, unavailable},
};
use crate::{
    actor::Actor,
    claims::{NotGood, OwnToken},
    clock::wall_clock,
    expiry::last_expiry,
    provider::Provider,
};

/// Ends a token of the client that asks for it (RFC 7009 section 2). A refresh token ends with its whole family, and with
/// the access tokens of its session; an access token ends alone, at every verifier with the next statement of the feed.
///
/// A token that is unknown, ended already or another client's is answered as if it had been revoked, and nothing happens:
/// nobody learns here which tokens there are.
pub(super) async fn revoke(
    State(provider): State<Arc<Provider>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let form = read(&headers, body).await.map_err(Refused)?;
    let request = RevocationRequest::parse(&form).map_err(Refused)?;
    let client = authenticate(&provider, &headers, &request.client, peer.ip()).await.map_err(Refused)?;
    let actor = Actor::client_at(&client.client_id, &format!("revoke {}", peer.ip()));
    let token = request.token.expose_secret();
    let ended = match token.parse::<RefreshToken>() {
        Ok(token) => end_family(&provider, &client, &token, &actor).await,
        Err(_) => end_access_token(&provider, &client, token, &actor).await,
    };
    // It is revoked when that is written, and not before (section 2.2.1).
    if ended.map_err(Refused)? {
        provider.issuance.changed.notify_one();
    }
    Ok(private_json(StatusCode::OK, Body::empty()))
}

async fn end_family(
    provider: &Provider,
    client: &Client,
    token: &RefreshToken,
    actor: &Actor,
) -> Result<bool, TokenError> {
    let skew = provider.issuance.config.policy.lifetimes().skew;
    let until = last_expiry(wall_clock(), skew);
    let act = actor.act("refresh.revoke", "", json!({}));
    let end = FamilyEnd { client_id: &client.client_id, until, act };
    let ended = provider.store.end_family_of(token, end).await.map_err(|error| unavailable(&error))?;
    Ok(ended.is_some())
}

async fn end_access_token(
    provider: &Provider,
    client: &Client,
    token: &str,
    actor: &Actor,
) -> Result<bool, TokenError> {
    let token = match OwnToken::accept(&provider.issuance, token, wall_clock()) {
        Ok(token) => token,
        Err(NotGood::Unknown) => return Err(out_of_date()),
        Err(_) => return Ok(false),
    };
    if token.client_id != client.client_id {
        tracing::warn!(client_id = %client.client_id, "a client asks to revoke another client's token");
        return Ok(false);
    }
    let jti = Mark::of(Marked::Jti, &token.jti);
    let sub = Some(Mark::of(Marked::Sub, token.sub.as_str()));
    let until = token.exp + 2 * provider.issuance.config.policy.lifetimes().skew;
    let name = serde_json::to_value(jti).ok().and_then(|name| name.as_str().map(str::to_owned));
    let act = actor.act("revoke.jti", name.unwrap_or_default(), json!({}));
    let revoked = provider.store.revoke(&[Revoked::Token { jti, sub }], until, &[act]).await;
    revoked.map(|_| true).map_err(|error| unavailable(&error))
}
