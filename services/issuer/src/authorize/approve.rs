use axum::response::{IntoResponse, Redirect, Response};
use claviger_oauth::{Authorization, AuthorizationCode, RedirectAnswer};
use claviger_store::{NewCode, Session};
use http::{HeaderValue, header::CACHE_CONTROL};

use super::{Asked, Refusal};
use crate::{browser::Visitor, pages::FormPostPage, rng::random_bits};

/// Gives a client its code, by way of the browser (RFC 6749 section 4.1.2).
///
/// The code is bound to all that the person has said yes to, and to the session; only its hash is kept, before anybody
/// is told of it.
pub(super) async fn approve(
    visitor: &Visitor,
    asked: &Asked,
    session: &Session,
) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let Asked { client, target, request, access } = asked;
    let code = AuthorizationCode::from_random(random_bits());
    let authorization = Authorization {
        scope: access.scope.clone(),
        audiences: access.audiences.clone(),
        allowed: Some(access.allowed.clone()),
        redirect_uri: Some(request.redirect_uri.clone()),
        code_challenge: Some(request.code_challenge.clone()),
        nonce: request.nonce.clone(),
        auth_time: session.auth_time,
        amr: session.amr.clone(),
        acr: session.acr.clone(),
        claims: request.claims.clone(),
        dpop_jkt: None,
    };
    let new = NewCode {
        client_id: client.client_id.clone(),
        account: session.account.clone(),
        sid: session.sid.clone(),
        authorization,
        lifetime: provider.settings().code_lifetime,
    };
    provider.store.add_code(&code, &new).await?;
    Ok(deliver(visitor, asked.name(), &target.answer(&code, provider.issuer())))
}

/// Sends an answer through the browser: by a redirect that never repeats a POST, or in a form of its own.
pub(crate) fn deliver(visitor: &Visitor, client: &str, answer: &RedirectAnswer) -> Response {
    match answer {
        RedirectAnswer::SeeOther(url) => {
            let mut response = Redirect::to(url).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        RedirectAnswer::FormPost { action, fields } => {
            let fields = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let page = FormPostPage { client, action, fields };
            page.page(&visitor.provider().site, visitor.language()).into_response()
        }
    }
}
