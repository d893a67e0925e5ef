use std::sync::Arc;

use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use claviger_oauth::AuthorizeQuery;
use http::{StatusCode, header::ALLOW};

use super::{Asked, Goal, Interaction, Opened, Refusal, go_on::go_on, push::take};
use crate::{browser::Visitor, clock::wall_clock, http::read_form, pages::ErrorCase, provider::Provider};

/// What a request may be long: it travels on inside of pages and addresses, which are bounded too. A longer one is
/// pushed.
pub(super) const LONGEST: usize = 8 * 1024;

/// The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core 1.0 section 3.1.2.1).
pub(super) async fn authorize(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let answer = begin(&visitor, query.unwrap_or_default().as_bytes()).await;
    visitor.answer(answer)
}

/// The same by POST. A page of another site has sent it, so the browser leaves our cookies out; asked again by GET it
/// brings them along. Nothing is changed by either.
pub(super) async fn authorize_by_post(
    State(provider): State<Arc<Provider>>,
    visitor: Visitor,
    body: Body,
) -> Response {
    let form = match read_form(visitor.headers(), body).await {
        Ok(form) if form.len() <= LONGEST && form.iter().all(u8::is_ascii_graphic) => form,
        _ => return visitor.answer(Err(Refusal::Page(ErrorCase::Malformed))),
    };
    // Whatever was escaped stays so; a `#` would end the query.
    let query = String::from_utf8_lossy(&form).replace('#', "%23");
    let url = provider.issuer().join(claviger_oauth::AUTHORIZE_PATH);
    Redirect::to(&format!("{url}?{query}")).into_response()
}

/// A request that a client has pushed is taken up once, and a code is for whoever reads the answer: what previews links, or
/// looks whether they still work, must do neither. `get` alone would answer it.
pub(super) fn no_head(allowed: &'static str) -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allowed)])
}

/// What a form was posted to, opened once more: by the back button, or from the address bar. The form is gone.
pub(super) async fn come_back(visitor: Visitor) -> Response {
    visitor.answer(Err(Refusal::Page(ErrorCase::Expired)))
}

async fn begin(visitor: &Visitor, query: &[u8]) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    if query.len() > LONGEST {
        return Err(Refusal::Page(ErrorCase::Malformed));
    }
    let query = AuthorizeQuery::parse(query)?;
    let asked = match query.request_uri() {
        Ok(None) => {
            visitor.speak(query.ui_locales());
            Asked::read(provider, query)?
        }
        Ok(Some(uri)) => take(provider, &query, &uri).await?,
        Err(error) => return Err(Asked::unread(provider, &query, &error)),
    };
    visitor.speak(&asked.request.ui_locales);
    let interaction = Interaction::new(Goal::Client(Box::new(asked.request.clone())), wall_clock());
    go_on(visitor, &interaction).await
}

/// Takes up an interaction where it was: after a log-in, and after the database was away.
pub(super) async fn resume(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let answer = async {
        let sealed = query.as_deref().and_then(|query| query.strip_prefix("interaction="));
        let interaction = match visitor.open(sealed.unwrap_or_default())? {
            Opened::Fresh(interaction) | Opened::Stale(interaction) => interaction,
        };
        go_on(&visitor, &interaction).await
    };
    let answer = answer.await;
    visitor.answer(answer)
}
