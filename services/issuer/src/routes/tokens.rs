//! The endpoints that are shown a token: what clients learn of it, and what they end.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
    routing::post,
};
use claviger_oauth::{
    ClientParameters, INTROSPECT_PATH, PresentedClient, REVOKE_PATH, TokenError, USERINFO_PATH,
};
use claviger_store::{Client, StoreError};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::{cors, introspect::introspect, revoke::revoke, userinfo::userinfo};
use crate::{http::read_form, provider::Provider, server::Issuance};

/// How soon it is worth asking again when the database does not answer.
const RETRY_AFTER: u32 = 5;

/// Their routes. Pages of registered origins may call those that an application calls; introspection is for services.
pub(super) fn router(issuance: &Arc<Issuance>) -> Router<Arc<Provider>> {
    Router::new()
        .route(USERINFO_PATH, get(userinfo).post(userinfo))
        .route(REVOKE_PATH, post(revoke))
        .layer(cors::registered_origins(issuance))
        .route(INTROSPECT_PATH, post(introspect))
}

/// The form of a request.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, TokenError> {
    read_form(headers, body).await.map_err(|reason| TokenError::InvalidRequest(reason.into()))
}

/// The client that a request comes from.
pub(super) async fn authenticate(
    provider: &Provider,
    headers: &HeaderMap,
    parameters: &ClientParameters,
    from: IpAddr,
) -> Result<Arc<Client>, TokenError> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let presented = PresentedClient::from_request(authorization, parameters)?;
    let registry = provider.issuance.registry.load_full();
    provider.client_auth.authenticate(&registry, &presented, from).await
}

/// Trouble with the database is never told as a verdict on a token: a client throws its token away on that (S-78).
pub(super) fn unavailable(error: &StoreError) -> TokenError {
    tracing::warn!(%error, "nothing can be said about a token now");
    TokenError::TemporarilyUnavailable { retry_after: RETRY_AFTER }
}

/// The same where the keys at hand are too old.
pub(super) fn out_of_date() -> TokenError {
    TokenError::TemporarilyUnavailable { retry_after: RETRY_AFTER }
}
