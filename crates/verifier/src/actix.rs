//! Principals in the signatures of actix-web's handlers.

use std::{pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::Payload,
    error::ErrorInternalServerError,
    http::{StatusCode, header as actix},
    web::Data,
};
use http::{Request, request::Parts};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tracing::error;

use crate::{
    Authorized, Principal, Refusal, Rejection, Required, TokenFault, Verifier, verifier::Authenticated,
};

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, actix_web::Error>>>>;

/// For routes of actix-web that are open to all and know their friends: only a request without a token is
/// `None`.
///
/// Not `Option<Principal>`: there, actix-web makes `None` of every error, a bad token and an issuer that cannot be
/// reached among them.
#[derive(Debug, Clone)]
pub struct MaybePrincipal<C = ()>(pub Option<Principal<C>>);

impl<C: DeserializeOwned + 'static> FromRequest for Principal<C> {
    type Error = actix_web::Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |principal| principal?.with_claims())
    }
}

impl<C: DeserializeOwned + 'static> FromRequest for MaybePrincipal<C> {
    type Error = actix_web::Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |principal| match principal {
            Err(Refusal::NoToken) => Ok(Self(None)),
            principal => Ok(Self(Some(principal?.with_claims()?))),
        })
    }
}

impl<T: Required + 'static, C: DeserializeOwned + 'static> FromRequest for Authorized<T, C> {
    type Error = actix_web::Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, |principal| Self::new(principal?.with_claims()?))
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        status_of(&self.response())
    }

    fn error_response(&self) -> HttpResponse {
        let response = self.response();
        let status = status_of(&response);
        let (answer, body) = response.into_parts();
        let mut response = HttpResponse::with_body(status, BoxBody::new(body.into_owned()));
        for (name, value) in &answer.headers {
            let name = actix::HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, actix::HeaderValue::from_bytes(value.as_bytes())) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        status_of(&self.response())
    }

    fn error_response(&self) -> HttpResponse {
        Rejection::from(self.clone()).error_response()
    }
}

fn status_of<B>(response: &http::Response<B>) -> StatusCode {
    StatusCode::from_u16(response.status().as_u16()).expect("both libraries know the same statuses")
}

fn extract<T: 'static>(
    request: &HttpRequest,
    of: impl FnOnce(Result<Principal, Refusal>) -> Result<T, Refusal> + 'static,
) -> Extracted<T> {
    let request = request.clone();
    Box::pin(async move {
        let verifier = verifier_of(&request)?;
        let principal = authenticate_once(&verifier, &request).await;
        of(principal).map_err(|refusal| verifier.refuse(refusal).into())
    })
}

/// The verifier of the innermost scope that has one. Which of two kinds of data was set further inside, nobody can
/// tell: to guess would be to judge the tokens of one scope by the rules of another.
fn verifier_of(request: &HttpRequest) -> Result<Verifier, actix_web::Error> {
    let shared = request.app_data::<Data<Verifier>>().map(Data::get_ref);
    match (request.app_data::<Verifier>(), shared) {
        (Some(own), Some(shared)) if !own.is(shared) => {
            error!("one verifier is set with `app_data` and another as `web::Data`: set all in one way");
            Err(ErrorInternalServerError("two verifiers: set all of them in one way"))
        }
        (Some(verifier), _) | (None, Some(verifier)) => Ok(verifier.clone()),
        (None, None) => Err(ErrorInternalServerError("no verifier: add one to the app with `app_data`")),
    }
}

/// The extractors of one handler run at the same time: whoever is second waits for what the first has found.
#[derive(Clone, Default)]
struct Turn(Arc<Mutex<()>>);

async fn authenticate_once(verifier: &Verifier, request: &HttpRequest) -> Result<Principal, Refusal> {
    let turn = turn_of(request);
    let _first = turn.0.lock().await;
    let known = request.extensions().get::<Authenticated>().cloned();
    if let Some(principal) = known.as_ref().and_then(|known| known.accepted_by(verifier)) {
        return Ok(principal);
    }
    let mut parts = parts_of(request)?;
    known.map(|known| parts.extensions.insert(known));
    let principal = verifier.authenticate_once(&mut parts).await?;
    if let Some(found) = parts.extensions.remove::<Authenticated>() {
        request.extensions_mut().insert(found);
    }
    Ok(principal)
}

fn turn_of(request: &HttpRequest) -> Turn {
    let mut extensions = request.extensions_mut();
    if let Some(turn) = extensions.get::<Turn>() {
        return turn.clone();
    }
    let turn = Turn::default();
    extensions.insert(turn.clone());
    turn
}

/// The head of the request in the types of `http` 1, which actix-web does not speak.
fn parts_of(request: &HttpRequest) -> Result<Parts, Refusal> {
    let mut head = Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        head = head.header(name.as_str(), value.as_bytes());
    }
    let head = head.body(()).map_err(|_| TokenFault::Malformed)?;
    #[cfg_attr(not(feature = "mtls"), expect(unused_mut, reason = "nobody looks at certificates"))]
    let (mut parts, ()) = head.into_parts();
    #[cfg(feature = "mtls")]
    {
        let own = request.extensions().get::<crate::ClientCertificate>().copied();
        let certificate = own.or_else(|| request.conn_data().copied());
        certificate.map(|certificate| parts.extensions.insert(certificate));
    }
    Ok(parts)
}
