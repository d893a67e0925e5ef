use axum::{body::Body, response::Response};
use claviger_oauth::{AuthorizationRequest, AuthorizeError};
use serde_json::json;

use super::{
    Asked, Goal, Opened, Refusal, Step,
    approve::approve,
    go_on::{go_on, next},
};
use crate::{
    actor::Actor,
    browser::{Binding, CsrfToken, PostedForm, Visitor},
    pages::ErrorCase,
};

/// What the consent page posts.
pub(super) async fn consent(visitor: Visitor, body: Body) -> Response {
    let answer = decide(&visitor, body).await;
    visitor.answer(answer)
}

async fn decide(visitor: &Visitor, body: Body) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let mut form = PostedForm::read(provider.issuer(), visitor.headers(), body).await?;
    let secrets = provider.secrets()?;
    let opened = visitor.open(&form.take("interaction"))?;
    let (Opened::Fresh(interaction) | Opened::Stale(interaction)) = &opened;
    let retry = |refusal: Refusal| refusal.with_retry(|| visitor.way_on(interaction).ok());
    let Some(someone) = visitor.signed_in().await.map_err(Refusal::from).map_err(retry)? else {
        return go_on(visitor, interaction).await;
    };
    if !CsrfToken::is_of(secrets.csrf(), Binding::Session(&someone.secret), &form.take("csrf_token")) {
        return Err(Refusal::Page(ErrorCase::Forged));
    }
    let (Opened::Fresh(_), Goal::Client(request)) = (&opened, &interaction.goal) else {
        return go_on(visitor, interaction).await;
    };
    let asked = Asked::again(provider, AuthorizationRequest::clone(request))?;
    match form.take("decision").as_str() {
        "allow" => {}
        "deny" => return Err(asked.refuse(provider, &AuthorizeError::AccessDenied)),
        _ => return Err(Refusal::Page(ErrorCase::Malformed)),
    }
    // The page may have been open while everything else has changed: what has to come first still does.
    match next(visitor, interaction, &asked, Some(&someone)).await.map_err(retry)? {
        Step::Consent | Step::Approve => {}
        Step::LogIn => return go_on(visitor, interaction).await,
        Step::Refuse(error) => return Err(asked.refuse(provider, &error)),
    }
    // What the registry allows may be more by now than what the page has shown.
    if !interaction.shown.as_ref().is_some_and(|shown| shown.covers(&asked.access.allowed)) {
        return go_on(visitor, interaction).await;
    }
    if !asked.is_first_party() {
        let actor = Actor::person(&someone.session.account, visitor.address());
        let detail = json!(asked.access.allowed);
        let act = actor.act("consent.grant", asked.client.client_id.as_str(), detail);
        let (account, client_id) = (&someone.session.account, &asked.client.client_id);
        let acts = [act];
        let granted = provider.store.grant_consent(account, client_id, &asked.access.allowed, &acts);
        granted.await.map_err(Refusal::from).map_err(retry)?;
    }
    approve(visitor, &asked, &someone.session).await.map_err(retry)
}
