//! Guarded routes, called as a server would call them, without a socket.

use std::{convert::Infallible, hint::black_box, sync::Arc};

use anyhow::ensure;
use axum::{Router, extract::FromRequestParts, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Parts};
use http_body_util::Empty;
use tower::Service;

use super::Check;
use crate::stage::at_once;

/// Sends each token through a service, which answers 200 to a good one.
pub(crate) fn through<S, B>(mut service: S) -> Check
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + 'static,
{
    Box::new(move |presented| {
        let Ok(answer) = at_once(service.call(presented.request()))?;
        ensure!(answer.status() == StatusCode::OK, "answered by {}", answer.status());
        Ok(())
    })
}

/// A route with the extractor that one writes by hand around a function from token to claims.
pub(crate) fn by_hand<C: Send + 'static>(
    verify: impl Fn(&str) -> anyhow::Result<C> + Send + Sync + 'static,
) -> Check {
    async fn whoami<C>(Caller(claims): Caller<C>) -> StatusCode {
        black_box(claims);
        StatusCode::OK
    }
    through(Router::new().route("/", get(whoami::<C>)).with_state(ByHand(Arc::new(verify))))
}

type Verify<C> = dyn Fn(&str) -> anyhow::Result<C> + Send + Sync;

struct ByHand<C>(Arc<Verify<C>>);

impl<C> Clone for ByHand<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Caller<C>(C);

impl<C> FromRequestParts<ByHand<C>> for Caller<C> {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &ByHand<C>) -> Result<Self, StatusCode> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        (state.0)(token).map(Caller).map_err(|_| StatusCode::UNAUTHORIZED)
    }
}
