//! The guard before whole routers and services of tower.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    AnswerBody, Authorized, Principal, Refusal, Rejection, Required, Requirement, Verifier,
    verifier::Authenticated,
};

/// A layer that lets only requests with a good token through: to a router, a route or any service of tower.
///
/// A refused request never reaches what is behind it. What it has verified is not verified again by an extractor
/// with the same verifier; services without extractors ask [`principal_of`].
///
/// ```
/// # use claviger_verifier::{Requirement, Verifier, required_scope};
/// # use axum::{Router, routing::get};
/// required_scope!(OrdersRead = "orders:read");
///
/// # fn routes(verifier: &Verifier) -> Router {
/// Router::new()
///     .route("/orders", get(async || "all orders"))
///     .layer(verifier.layer().require::<OrdersRead>().require_that(Requirement::Role("clerk")))
/// # }
/// ```
///
/// The service's responses have a body that can be made from a text: those of axum and of `http-body-util` do.
/// For the services of tonic there is `RequireToken::grpc` (feature `tonic`).
#[derive(Clone, Debug)]
#[must_use = "put it before a service"]
pub struct RequireToken(pub(crate) Arc<Guard>);

/// A service behind a [`RequireToken`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: Arc<Guard>,
}

/// The principal that a layer or an extractor has verified in this request, the last one if there were several
/// verifiers: `principal_of(request.extensions())`. `None` if none was asked, or if there was no token.
#[must_use]
pub fn principal_of(extensions: &Extensions) -> Option<&Principal> {
    extensions.get::<Authenticated>()?.last().map(|(principal, _)| principal)
}

/// The principal of this request, if it meets what `T` stands for: `authorized::<T>(request.extensions())?`.
///
/// # Errors
/// [`Refusal::NoToken`] if there is none, and the refusal that belongs to the requirement.
pub fn authorized<T: Required>(extensions: &Extensions) -> Result<Authorized<T>, Rejection> {
    let known = extensions.get::<Authenticated>().and_then(Authenticated::last);
    let (principal, by) = known.ok_or(Refusal::NoToken)?;
    Authorized::new(principal.clone()).map_err(|refusal| by.refuse(refusal))
}

impl Verifier {
    /// Begins a layer that lets only requests with a good token through.
    pub fn layer(&self) -> RequireToken {
        RequireToken(Arc::new(Guard::new(self)))
    }
}

impl RequireToken {
    /// Requires what `T` stands for as well.
    pub fn require<T: Required>(mut self) -> Self {
        Arc::make_mut(&mut self.0).checks.push(Check::Type(T::check));
        self
    }

    /// Requires this as well.
    pub fn require_that(mut self, requirement: Requirement) -> Self {
        Arc::make_mut(&mut self.0).checks.push(Check::Value(requirement));
        self
    }

    /// Lets requests without a token through, whatever else is required: for routes that are open to all and
    /// know their friends. A bad token is refused still.
    pub fn optional(mut self) -> Self {
        Arc::make_mut(&mut self.0).optional = true;
        self
    }
}

impl<S> Layer<S> for RequireToken {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: Arc::clone(&self.0) }
    }
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<AnswerBody> + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let guard = Arc::clone(&self.guard);
        let answer = |refused: &Rejection| refused.response().map(R::from);
        Box::pin(guard.pass(ready_of(&mut self.inner), request, answer))
    }
}

/// The service that was asked whether it is ready; a clone of it was not, and waits for the next request.
pub(crate) fn ready_of<S: Clone>(inner: &mut S) -> S {
    let clone = inner.clone();
    mem::replace(inner, clone)
}

/// What a layer asks of a request.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    verifier: Verifier,
    checks: Vec<Check>,
    optional: bool,
}

#[derive(Clone, Copy)]
enum Check {
    Type(fn(&Principal) -> Result<(), Refusal>),
    Value(Requirement),
}

impl Guard {
    fn new(verifier: &Verifier) -> Self {
        Self { verifier: verifier.clone(), checks: Vec::new(), optional: false }
    }

    pub(crate) async fn pass<S, B, R>(
        self: Arc<Self>,
        mut inner: S,
        request: Request<B>,
        answer: impl FnOnce(&Rejection) -> Response<R>,
    ) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let (mut parts, body) = request.into_parts();
        match self.admit(&mut parts).await {
            Ok(()) => inner.call(Request::from_parts(parts, body)).await,
            Err(refusal) => Ok(answer(&self.verifier.refuse(refusal))),
        }
    }

    async fn admit(&self, request: &mut Parts) -> Result<(), Refusal> {
        let principal = match self.verifier.authenticate_once(request).await {
            Err(Refusal::NoToken) if self.optional => return Ok(()),
            verdict => verdict?,
        };
        self.checks.iter().try_for_each(|check| match check {
            Check::Type(check) => check(&principal),
            Check::Value(requirement) => principal.require(requirement),
        })
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(_) => f.write_str("Type(..)"),
            Self::Value(requirement) => requirement.fmt(f),
        }
    }
}
