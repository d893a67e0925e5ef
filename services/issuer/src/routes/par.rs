use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use claviger_oauth::TokenError;
use http::{HeaderMap, StatusCode, header::CACHE_CONTROL};
use serde_json::json;

use super::answer::Refused;
use crate::{
    authorize::{PushRefusal, Pushed, push},
    http::read_form,
    provider::Provider,
};

/// Where clients push their authorization requests (RFC 9126 section 2).
pub(super) async fn par(
    State(provider): State<Arc<Provider>>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let form =
            read_form(&headers, body).await.map_err(|reason| TokenError::InvalidRequest(reason.into()))?;
        push(&provider, &headers, &form, peer.ip()).await
    };
    match answer.await {
        Ok(Pushed { request_uri, expires_in }) => {
            let body = json!({ "request_uri": request_uri.expose(), "expires_in": expires_in.as_secs() });
            (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(PushRefusal::Client(error)) => Refused(error).into_response(),
        Err(PushRefusal::TooMany { retry_after }) => {
            // RFC 9126 section 2.3; the body is what a client of this endpoint can read.
            let retry_after = u32::try_from(retry_after.as_secs() + 1).unwrap_or(u32::MAX);
            let mut response = Refused(TokenError::TemporarilyUnavailable { retry_after }).into_response();
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response
        }
        Err(PushRefusal::Request(error)) => {
            tracing::info!(%error, "a pushed request is refused");
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            (status, [(CACHE_CONTROL, "no-store")], Json(error.body())).into_response()
        }
    }
}
