//! Principals in the signatures of axum's handlers.

use std::{fmt, marker::PhantomData, ops::Deref};

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{Principal, Refusal, RequiredScope, Verifier};

/// A principal whose token allows the scope that `T` stands for.
///
/// A handler that takes one cannot be reached without the scope, and cannot forget to ask.
pub struct Scoped<T> {
    principal: Principal,
    scope: PhantomData<fn() -> T>,
}

impl<T> Scoped<T> {
    /// The principal, by value.
    #[must_use]
    pub fn into_principal(self) -> Principal {
        self.principal
    }
}

impl<T> Deref for Scoped<T> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<T> fmt::Debug for Scoped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoped").field(&self.principal).finish()
    }
}

/// The principal that a request was found to come from. Private, so that nothing else can put one
/// into a request.
#[derive(Clone)]
struct Authenticated {
    principal: Principal,
    /// What another verifier has accepted was accepted for another audience.
    by: Verifier,
}

impl<S> FromRequestParts<S> for Principal
where
    Verifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let verifier = Verifier::from_ref(state);
        match parts.extensions.get::<Authenticated>() {
            Some(known) if known.by.is_clone_of(&verifier) => return Ok(known.principal.clone()),
            _ => {}
        }
        let principal = verifier.authenticate(&parts.headers).await?;
        parts.extensions.insert(Authenticated { principal: principal.clone(), by: verifier });
        Ok(principal)
    }
}

/// For routes that are open to all and know their friends: only a request without a token is
/// `None`. A bad token is refused here as everywhere, or a client would not learn that its has
/// expired.
impl<S> OptionalFromRequestParts<S> for Principal
where
    Verifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(principal) => Ok(Some(principal)),
            Err(Refusal::NoToken) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

impl<S, T> FromRequestParts<S> for Scoped<T>
where
    Verifier: FromRef<S>,
    S: Send + Sync,
    T: RequiredScope,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let principal = <Principal as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        // Asked twice, so that only a refusal pays for a `Scope` of its own.
        if !principal.has_scope(T::SCOPE.as_str()) {
            principal.require(&T::SCOPE.into())?;
        }
        Ok(Self { principal, scope: PhantomData })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}
