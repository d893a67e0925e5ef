//! The same guard before gRPC services.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode, header};
use tonic::{Code, Status, metadata::MetadataMap, server::NamedService};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Refusal, Rejection, RequireToken,
    layer::{Guard, ready_of},
};

/// A [`RequireToken`] for gRPC: before a whole server of tonic, or around one of its services. Made by
/// [`RequireToken::grpc`].
///
/// A refusal is a trailers-only response: the status code (`UNAUTHENTICATED`, `PERMISSION_DENIED` or
/// `UNAVAILABLE`) with a constant message, and what HTTP would have in headers as metadata (`www-authenticate`,
/// `retry-after`). In the service, [`principal_of`](crate::principal_of) tells who calls, and
/// [`authorized`](crate::authorized) asks for more:
///
/// ```
/// # use claviger_verifier::{authorized, required_scope};
/// required_scope!(OrdersRead = "orders:read");
///
/// async fn list(request: tonic::Request<()>) -> Result<tonic::Response<()>, tonic::Status> {
///     let caller = authorized::<OrdersRead>(request.extensions())?;
/// #   let _ = caller;
///     Ok(tonic::Response::new(()))
/// }
/// ```
///
/// Of an answer of the service's own ([`answer_with`](crate::VerifierBuilder::answer_with)) the status and the
/// headers count.
#[derive(Clone, Debug)]
#[must_use = "put it before a service"]
pub struct RequireTokenGrpc(Arc<Guard>);

/// A service behind a [`RequireTokenGrpc`].
#[derive(Clone, Debug)]
pub struct GuardedGrpc<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl RequireToken {
    /// The same for gRPC: refusals are answered in status codes.
    pub fn grpc(self) -> RequireTokenGrpc {
        RequireTokenGrpc(self.0)
    }
}

impl<S> Layer<S> for RequireTokenGrpc {
    type Service = GuardedGrpc<S>;

    fn layer(&self, inner: S) -> GuardedGrpc<S> {
        GuardedGrpc { inner, guard: Arc::clone(&self.0) }
    }
}

impl<S, B, R> Service<Request<B>> for GuardedGrpc<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let guard = Arc::clone(&self.guard);
        let answer = |refused: &Rejection| status(refused).into_http();
        Box::pin(guard.pass(ready_of(&mut self.inner), request, answer))
    }
}

impl<S: NamedService> NamedService for GuardedGrpc<S> {
    const NAME: &'static str = S::NAME;
}

impl From<Rejection> for Status {
    fn from(refused: Rejection) -> Self {
        status(&refused)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal.into())
    }
}

fn status(refused: &Rejection) -> Status {
    let (answer, _) = refused.response().into_parts();
    let mut headers = answer.headers;
    // What they describe is not sent.
    headers.remove(header::CONTENT_TYPE);
    headers.remove(header::CONTENT_LENGTH);
    let (code, message) = code_and_message(answer.status);
    Status::with_metadata(code, message, MetadataMap::from_headers(headers))
}

/// As gRPC reads statuses of HTTP, but for 400: two tokens are a fault of the credentials, not of the message.
fn code_and_message(status: StatusCode) -> (Code, &'static str) {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
            (Code::Unauthenticated, "the request needs an acceptable access token")
        }
        StatusCode::FORBIDDEN => (Code::PermissionDenied, "the access token does not allow this"),
        StatusCode::NOT_FOUND => (Code::Unimplemented, "there is no such method"),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => (Code::Unavailable, "access tokens cannot be verified at present"),
        _ => (Code::Unknown, "the request is refused"),
    }
}
