use axum::{
    body::Body,
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use claviger_oauth::{ClientId, Sid, UserId};
use claviger_store::{Consent, OwnSession, Session};

use super::{
    Ending, end,
    endpoint::{check_token, see_other, token},
};
use crate::{
    actor::Actor,
    authorize::{Refusal, sign_in_first},
    browser::{PostedForm, SignedIn, Visitor},
    pages::{AllowedRow, ErrorCase, Permissions, SESSIONS_PATH, SessionRow, SessionsDone, SessionsPage},
    people::office,
    provider::Provider,
};

/// A person's sessions and what they have allowed, for that person.
pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let answer = match visitor.signed_in().await {
        Ok(Some(signed_in)) => show(&visitor, &signed_in, query.as_deref().and_then(done)).await,
        Ok(None) => Ok(sign_in_first(&visitor)),
        Err(error) => Err(error.into()),
    };
    visitor.answer(answer)
}

/// Ends one of them, or all others, or takes back what an application was allowed.
pub(super) async fn end_some(visitor: Visitor, body: Body) -> Response {
    let answer = end_asked(&visitor, body).await;
    visitor.answer(answer)
}

async fn show(
    visitor: &Visitor,
    signed_in: &SignedIn,
    done: Option<SessionsDone>,
) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let Session { account, sid: current, .. } = &signed_in.session;
    let user = provider.store.user(account).await?;
    let mut own = provider.store.sessions_of(account, provider.settings().session_idle).await?;
    own.sort_by_key(|own| own.session.sid != *current);
    let own: Vec<_> = own.into_iter().map(|own| (names(provider, &own.clients), own)).collect();
    let consents = provider.store.consents_of(account).await?;
    let clients: Vec<ClientId> = consents.iter().map(|consent| consent.client_id.clone()).collect();
    let clients = names(provider, &clients);
    let token = token(visitor, signed_in)?;
    let page = SessionsPage {
        username: user.as_ref().map_or("", |user| user.username.as_str()),
        sessions: own.iter().map(|(clients, own)| row(own, clients, current)).collect(),
        allowed: consents.iter().zip(&clients).map(|(consent, name)| allowed_row(consent, name)).collect(),
        done,
        csrf_token: token.expose(),
        now: provider.store.now().await?,
    };
    Ok(page.page(&provider.site, visitor.language()).into_response())
}

async fn end_asked(visitor: &Visitor, body: Body) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let mut form = PostedForm::read(provider.issuer(), visitor.headers(), body).await?;
    let sessions = |done: &str| see_other(&format!("{}{done}", provider.issuer().join(SESSIONS_PATH)));
    let Some(signed_in) = visitor.signed_in().await? else {
        return Ok(sessions(""));
    };
    check_token(visitor, &signed_in, &form.take("csrf_token"))?;
    let Session { account, sid: current, .. } = &signed_in.session;
    if form.take("decision") == "others" {
        end(visitor, account, Ending::AllBut(current)).await?;
        return Ok(sessions("?done=others"));
    }
    let client = form.take("client");
    if !client.is_empty() {
        let client: ClientId = client.parse().map_err(|_| Refusal::Page(ErrorCase::Malformed))?;
        take_back(visitor, account, &client).await?;
        return Ok(sessions("?done=taken-back"));
    }
    let sid: Sid = form.take("sid").parse().map_err(|_| Refusal::Page(ErrorCase::Malformed))?;
    // Somebody else's is none.
    let named = provider.store.session_of_sid(&sid).await?;
    if named.is_some_and(|named| named.account == *account) {
        end(visitor, account, Ending::One(&sid)).await?;
    }
    Ok(sessions("?done=one"))
}

async fn take_back(visitor: &Visitor, account: &UserId, client: &ClientId) -> Result<(), Refusal> {
    let act = office::withdrawn(&Actor::person(account, visitor.address()), account, client);
    // Whoever has no consent any more has what was asked for.
    visitor.provider().store.withdraw_consent(account, client, &[act]).await?;
    Ok(())
}

fn done(query: &str) -> Option<SessionsDone> {
    match query {
        "done=one" => Some(SessionsDone::Ended),
        "done=others" => Some(SessionsDone::OthersEnded),
        "done=taken-back" => Some(SessionsDone::TakenBack),
        _ => None,
    }
}

fn row<'r>(own: &'r OwnSession, clients: &'r [String], current: &Sid) -> SessionRow<'r> {
    let Session { sid, user_agent, address, auth_time, seen_at, .. } = &own.session;
    SessionRow {
        sid: sid.as_str(),
        user_agent: known(user_agent),
        address: known(address),
        signed_in: *auth_time,
        seen: *seen_at,
        clients: clients.iter().map(String::as_str).collect(),
        current: sid == current,
    }
}

fn allowed_row<'r>(consent: &'r Consent, name: &'r str) -> AllowedRow<'r> {
    let Consent { client_id, allowed, granted_at } = consent;
    AllowedRow { client_id: client_id.as_str(), name, may: Permissions::from(allowed), since: *granted_at }
}

fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// What people know clients by.
pub(super) fn names(provider: &Provider, clients: &[ClientId]) -> Vec<String> {
    let registry = provider.issuance.registry.load();
    let name = |id: &ClientId| {
        let application = registry.client(id).and_then(|client| client.application.as_ref());
        application.and_then(|application| application.name.clone()).unwrap_or_else(|| id.to_string())
    };
    clients.iter().map(name).collect()
}
