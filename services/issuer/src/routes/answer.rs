use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use claviger_oauth::{TokenError, TokenResponse, TokenType};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A token (RFC 6749 section 5.1).
///
/// Written by hand, because a serializer would look at each of a token's 700 characters for one to escape. There is
/// none: a token is base64url, dots and underscores, and the grammar of scopes has neither quotes nor backslashes.
pub(super) fn granted(answer: &TokenResponse) -> Response {
    let TokenResponse {
        access_token,
        token_type: TokenType::Bearer,
        expires_in,
        scope,
        refresh_token,
        id_token,
    } = answer;
    let scope = scope.as_ref().map(|scope| format!(r#","scope":"{scope}""#)).unwrap_or_default();
    let token = |name, token: &Option<String>| {
        token.as_ref().map(|token| format!(r#","{name}":"{token}""#)).unwrap_or_default()
    };
    let (refresh, id) = (token("refresh_token", refresh_token), token("id_token", id_token));
    let rest = format!(r#"","token_type":"Bearer","expires_in":{expires_in}{scope}{refresh}{id}}}"#);
    let body = [r#"{"access_token":""#, access_token, &rest].concat();
    private_json(StatusCode::OK, body.into())
}

/// JSON that no cache may keep.
pub(super) fn private_json(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The refusal of a token request: the code for the client, the reason for the log.
pub(super) struct Refused(pub(super) TokenError);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error) = self;
        tracing::info!(%error, "token request refused");
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let body = serde_json::to_vec(&error.body()).expect("a refusal is a plain structure of strings");
        let mut response = private_json(status, body.into());
        if let TokenError::TemporarilyUnavailable { retry_after } = error {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if let Some(challenge) = error.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn check_granted(scope: Option<&str>) {
        let mut answer = TokenResponse {
            access_token: "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2lnbmF0dXJlXy0".to_owned(),
            token_type: TokenType::Bearer,
            expires_in: 300,
            scope: scope.map(|scope| scope.parse().unwrap()),
            refresh_token: None,
            id_token: None,
        };
        for tokens in [(None, None), (Some("rt_r-_9"), None), (Some("rt_r-_9"), Some("eyJ9.e30.c2ln"))] {
            (answer.refresh_token, answer.id_token) =
                (tokens.0.map(str::to_owned), tokens.1.map(str::to_owned));
            let body = to_bytes(granted(&answer).into_body(), 1024).await.unwrap();
            assert_eq!(str::from_utf8(&body).unwrap(), serde_json::to_string(&answer).unwrap());
        }
    }

    #[tokio::test]
    async fn a_token_is_written_as_a_serializer_would() {
        check_granted(None).await;
        check_granted(Some("")).await;
        check_granted(Some("orders:read orders:write")).await;
        // All that a scope may be made of.
        let all: String = ('!'..='~').filter(|c| !r#""\"#.contains(*c)).collect();
        check_granted(Some(&all)).await;
    }
}
