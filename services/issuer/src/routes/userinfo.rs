use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use claviger_oauth::{OPENID, PresentedToken, PresentedTokenError, TokenScheme};
use claviger_store::StoreError;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Map, Value};

use super::answer::private_json;
use crate::{
    claims::{self, NotGood, OwnToken},
    clock::wall_clock,
    provider::Provider,
};

/// What clients may learn about the person that a token speaks for (OpenID Connect Core section 5.3). Any access token of
/// this issuer's will do that `openid` was granted for, whatever service it is for.
pub(super) async fn userinfo(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    match claims(&provider, &headers).await {
        Ok(claims) => private_json(StatusCode::OK, Value::Object(claims).to_string().into()),
        Err(refusal) => refusal.into_response(),
    }
}

async fn claims(provider: &Provider, headers: &HeaderMap) -> Result<Map<String, Value>, Refusal> {
    let presented = PresentedToken::parse(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes))?;
    if presented.scheme() != TokenScheme::Bearer {
        // No token of ours is bound to a key: with a proof beside it, it is something else.
        return Err(Refusal::Invalid("not a bearer token"));
    }
    let token = OwnToken::accept(&provider.issuance, presented.as_str(), wall_clock())?;
    if !token.scope.contains(OPENID) {
        return Err(Refusal::Scope);
    }
    let person =
        token.person(provider).await?.ok_or(Refusal::Invalid("nobody whom the token could speak for"))?;
    Ok(claims::userinfo(&person.user, &person.client, &token.scope))
}

/// Why nothing is told (RFC 6750 section 3.1). The reason is for the log.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no token")]
    Missing,
    #[error("more than one token")]
    Request,
    #[error("{0}")]
    Invalid(&'static str),
    #[error("a token without the scope openid")]
    Scope,
    #[error("neither keys nor database can be asked")]
    Unavailable,
}

impl From<PresentedTokenError> for Refusal {
    fn from(error: PresentedTokenError) -> Self {
        match error {
            PresentedTokenError::Missing => Self::Missing,
            PresentedTokenError::Repeated => Self::Request,
            _ => Self::Invalid("malformed"),
        }
    }
}

impl From<NotGood> for Refusal {
    fn from(why: NotGood) -> Self {
        match why {
            NotGood::Unknown => Self::Unavailable,
            NotGood::NotOurs => Self::Invalid("not an access token of this issuer"),
            NotGood::Time => Self::Invalid("not valid at this time"),
            NotGood::Bound => Self::Invalid("bound to a key of its holder"),
            NotGood::Revoked => Self::Invalid("revoked"),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "nothing can be said about a person now");
        Self::Unavailable
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::info!(refusal = %self, "userinfo is refused");
        let (status, challenge) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, Some("Bearer")),
            Self::Request => (StatusCode::BAD_REQUEST, Some(r#"Bearer error="invalid_request""#)),
            Self::Invalid(_) => (StatusCode::UNAUTHORIZED, Some(r#"Bearer error="invalid_token""#)),
            Self::Scope => {
                (StatusCode::FORBIDDEN, Some(r#"Bearer error="insufficient_scope", scope="openid""#))
            }
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        let mut response = (status, [(CACHE_CONTROL, "no-store")]).into_response();
        match challenge {
            Some(challenge) => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
            }
            None => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5")),
        };
        response
    }
}
