//! Principals in the signatures of axum's handlers.

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{Authorized, Principal, Refusal, Rejection, Required, Verifier};

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}

impl<S, C> FromRequestParts<S> for Principal<C>
where
    Verifier: FromRef<S>,
    S: Send + Sync,
    C: DeserializeOwned + Send + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let verifier = Verifier::from_ref(state);
        let principal = verifier.authenticate_once(parts).await;
        principal.and_then(Principal::with_claims).map_err(|refusal| verifier.refuse(refusal))
    }
}

/// For routes that are open to all and know their friends: only a request without a token is
/// `None`. A bad token is refused here as everywhere, or a client would not learn that its has
/// expired.
impl<S, C> OptionalFromRequestParts<S> for Principal<C>
where
    Verifier: FromRef<S>,
    S: Send + Sync,
    C: DeserializeOwned + Send + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(principal) => Ok(Some(principal)),
            Err(rejection) if *rejection == Refusal::NoToken => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

impl<S, T, C> FromRequestParts<S> for Authorized<T, C>
where
    Verifier: FromRef<S>,
    S: Send + Sync,
    T: Required,
    C: DeserializeOwned + Send + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let principal = <Principal<C> as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Self::new(principal).map_err(|refusal| Verifier::from_ref(state).refuse(refusal))
    }
}
