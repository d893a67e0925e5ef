//! Principals in the signatures of axum's handlers.

use std::{any::Any, fmt, marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{Principal, Refusal, Required, Verifier, answer::Answers};

/// A principal that meets what `T` stands for.
///
/// A handler that takes one cannot be reached without, and cannot forget to ask.
pub struct Authorized<T, C = ()> {
    principal: Principal<C>,
    required: PhantomData<fn() -> T>,
}

impl<T, C> Authorized<T, C> {
    /// The principal, by value.
    #[must_use]
    pub fn into_principal(self) -> Principal<C> {
        self.principal
    }
}

impl<T, C> Deref for Authorized<T, C> {
    type Target = Principal<C>;

    fn deref(&self) -> &Principal<C> {
        &self.principal
    }
}

impl<T, C> fmt::Debug for Authorized<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.principal).finish()
    }
}

/// A refusal on its way to the caller, in the words of the verifier that refused.
#[derive(Debug)]
pub struct Rejection {
    refusal: Refusal,
    answers: Arc<Answers>,
}

impl Rejection {
    pub(crate) fn new(verifier: &Verifier, refusal: Refusal) -> Self {
        Self { refusal, answers: Arc::clone(verifier.answers()) }
    }
}

impl Deref for Rejection {
    type Target = Refusal;

    fn deref(&self) -> &Refusal {
        &self.refusal
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.answers.answer(&self.refusal).map(Body::from)
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
        principal.and_then(typed).map_err(|refusal| Rejection::new(&verifier, refusal))
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
        let checked = T::check(&principal);
        checked.map_err(|refusal| Rejection::new(&Verifier::from_ref(state), refusal))?;
        Ok(Self { principal, required: PhantomData })
    }
}

/// Most handlers read no claims of their own, and the payload is not read a second time for them.
fn typed<C: DeserializeOwned + 'static>(principal: Principal) -> Result<Principal<C>, Refusal> {
    let mut principal = Some(principal);
    let untyped: &mut dyn Any = &mut principal;
    if let Some(untyped) = untyped.downcast_mut::<Option<Principal<C>>>() {
        return Ok(untyped.take().expect("it was put in three lines above"));
    }
    principal.expect("nobody took it").with_claims()
}
