//! Who may pass: a good token with the scope of the endpoint.

use std::{net::SocketAddr, time::Duration};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use claviger_jose::{Mark, Marked};
use claviger_verifier::{Principal, Refusal, Requirement, StaticScope, TokenFault, Verifier};
use http::request::Parts;

use super::{desk::Desk, request_id::RequestId};
use crate::{
    actor::Actor,
    feed::{Revocable, denies},
};

/// When it is worth asking again where there are no keys.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Lets a request through whose token has the scope of the endpoint, and notes in it who acts.
pub(super) async fn admit(
    State((desk, scope)): State<(Desk, StaticScope)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let Some(verifier) = desk.verifier() else {
        return Refusal::KeysUnavailable { retry_after: RETRY_AFTER }.into_response();
    };
    match principal(&desk, &verifier, &head, scope).await {
        Ok(principal) => {
            let actor = actor(&head, principal.client_id());
            head.extensions.insert(Caller(actor));
            next.run(Request::from_parts(head, body)).await
        }
        Err(refusal) => {
            tracing::info!(%refusal, path = head.uri.path(), peer = %peer(&head), "nobody was let in to the admin API");
            verifier.refuse(refusal).into_response()
        }
    }
}

async fn principal(
    desk: &Desk,
    verifier: &Verifier,
    request: &Parts,
    scope: StaticScope,
) -> Result<Principal, Refusal> {
    let principal = verifier.authenticate(request).await?;
    let token = Revocable {
        jti: principal.jti().map(|jti| Mark::of(Marked::Jti, jti)),
        sid: principal.sid().map(|sid| Mark::of(Marked::Sid, sid)),
        sub: Mark::of(Marked::Sub, principal.sub()),
        client: Mark::of(Marked::Client, principal.client_id()),
        issued: principal.iat(),
    };
    if denies(&desk.issuance.revocations.load(), &token) {
        tracing::info!(client_id = principal.client_id(), "a revoked token is refused");
        return Err(Refusal::InvalidToken(TokenFault::UnknownSubject));
    }
    principal.require(&Requirement::Scope(scope))?;
    Ok(principal)
}

fn actor(request: &Parts, client_id: &str) -> Actor {
    let request_id = request.extensions.get::<RequestId>().map(RequestId::to_string).unwrap_or_default();
    Actor::client(client_id, &peer(request), request_id)
}

fn peer(request: &Parts) -> String {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(peer)| peer.to_string())
}

/// Who acts. Only behind the guard is there one: a route without it answers 500 to everybody.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = super::problem::Problem;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        request.extensions.get::<Self>().cloned().ok_or_else(super::problem::Problem::internal)
    }
}
