use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use claviger_oauth::{PresentedSecret, TokenError, TokenRequest, TokenResponse, TokenType};

use crate::{TestToken, shared::Shared};

const BODY_LIMIT: usize = 64 * 1024;
/// The lifetime of every token, in seconds.
const LIFETIME: u64 = 300;

/// The token endpoint for clients that act for themselves (RFC 6749 sections 3.2 and 4.4).
pub(crate) async fn token(shared: &Arc<Shared>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let answer = match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(form) => grant(shared, &head.headers, &form),
        Err(_) => Err(TokenError::InvalidRequest("the body broke off or is larger than 64 KiB".into())),
    };
    let mut response = match answer {
        Ok(granted) => Json(granted).into_response(),
        Err(error) => refuse(&error),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn grant(shared: &Arc<Shared>, headers: &HeaderMap, form: &Bytes) -> Result<TokenResponse, TokenError> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let reason = "the body must be application/x-www-form-urlencoded";
        return Err(TokenError::InvalidRequest(reason.into()));
    }
    let request = TokenRequest::parse(form)?;
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let presented = PresentedSecret::from_request(authorization, &request.client)?;
    let (audience, scope) = shared.state().authenticate(&presented)?.grant(&request)?;
    let token = TestToken::new(Arc::clone(shared), audience.as_str())
        .client_id(presented.client_id.as_str())
        .expires_in(LIFETIME);
    let token = if scope.is_empty() { token } else { token.scope(scope.as_str()) };
    Ok(TokenResponse {
        access_token: token.sign(),
        token_type: TokenType::Bearer,
        expires_in: LIFETIME,
        scope: Some(scope),
        refresh_token: None,
        id_token: None,
    })
}

fn refuse(error: &TokenError) -> Response<Body> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, Json(error.body())).into_response();
    if let Some(challenge) = error.challenge() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}
