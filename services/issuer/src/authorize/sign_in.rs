use axum::{
    body::Body,
    response::{IntoResponse, Redirect, Response},
};
use claviger_oauth::{AuthorizationRequest, AuthorizeError, SessionSecret, Sid};
use claviger_store::{NewSession, Session, User};
use http::HeaderMap;
use secrecy::SecretString;

use super::{
    Asked, Goal, Interaction, Opened, Refusal,
    go_on::{Form, log_in_page},
};
use crate::{
    actor::Actor,
    browser::{Binding, CsrfToken, Guest, OwnCookie, PostedForm, Visitor},
    clock::wall_clock,
    expiry::last_expiry,
    pages::{ErrorCase, LogInProblem},
    people::{Credentials, Gate, LogInError, LoggedIn, Origin, log_in},
    rng::{random_bits, random_id},
};

/// How long a browser is known to be one in which somebody has signed in before.
const DEVICE: std::time::Duration = std::time::Duration::from_hours(365 * 24);

/// What the log-in page posts.
pub(super) async fn sign_in(visitor: Visitor, body: Body) -> Response {
    let answer = attempt(&visitor, body).await;
    visitor.answer(answer)
}

async fn attempt(visitor: &Visitor, body: Body) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let mut form = PostedForm::read(provider.issuer(), visitor.headers(), body).await?;
    let gate = provider.gate()?;
    let opened = visitor.open(&form.take("interaction"))?;
    let is_ours = is_of_this_browser(visitor, &form.take("csrf_token"))?;
    let interaction = match opened {
        Opened::Fresh(interaction) if is_ours => interaction,
        Opened::Fresh(interaction) | Opened::Stale(interaction) => {
            return start_over(visitor, &interaction).await;
        }
    };
    match (form.take("decision").as_str(), &interaction.goal) {
        ("deny", Goal::Client(request)) => {
            let asked = Asked::again(provider, AuthorizationRequest::clone(request))?;
            return Err(asked.refuse(provider, &AuthorizeError::AccessDenied));
        }
        ("allow" | "", _) => {}
        _ => return Err(Refusal::Page(ErrorCase::Malformed)),
    }
    let (username, password) = (form.take("username"), form.take_secret("password"));
    let problem = match log_in_first(visitor, gate, &username, &password).await {
        Ok(logged_in) => return enter(visitor, interaction, &logged_in).await,
        Err(LogInError::Malformed(_) | LogInError::Wrong) => LogInProblem::Wrong,
        Err(LogInError::TooMany { retry_after }) => LogInProblem::TooMany { retry_after },
        Err(LogInError::Stopped) => LogInProblem::Stopped,
        Err(LogInError::Busy(_)) => LogInProblem::Busy,
        Err(LogInError::Unavailable(error)) => {
            tracing::warn!(%error, "nobody can sign in");
            LogInProblem::Unavailable
        }
    };
    log_in_page(
        visitor,
        &interaction,
        &Form { username: Some(&username), problem: Some(problem), again: false },
    )
}

/// Whether the form was made for this browser.
fn is_of_this_browser(visitor: &Visitor, token: &str) -> Result<bool, Refusal> {
    let provider = visitor.provider();
    let key = provider.secrets()?.csrf();
    let visit = Guest::known(provider.cookies(), visitor.headers());
    Ok(visit.is_some_and(|visit| CsrfToken::is_of(key, Binding::Visit(&visit), token)))
}

/// The form is too old, or was made for this browser before somebody signed in with it in another window. What it says is
/// not looked at.
async fn start_over(visitor: &Visitor, interaction: &Interaction) -> Result<Response, Refusal> {
    let retry = |refusal: Refusal| refusal.with_retry(|| visitor.way_on(interaction).ok());
    if visitor.signed_in().await.map_err(Refusal::from).map_err(retry)?.is_some() {
        return Ok(Redirect::to(&visitor.way_on(interaction)?).into_response());
    }
    log_in_page(visitor, interaction, &Form { problem: Some(LogInProblem::Stale), ..Form::default() })
}

/// Checks a name and a password, with whatever this browser is known by.
pub(crate) async fn log_in_first(
    visitor: &Visitor,
    gate: &Gate,
    username: &str,
    password: &SecretString,
) -> Result<LoggedIn, LogInError> {
    let provider = visitor.provider();
    let device = provider.cookies().read(visitor.headers(), OwnCookie::DEVICE);
    let origin = Origin { address: visitor.address(), device: device.as_deref() };
    log_in(gate, Credentials { username, password }, origin).await
}

/// Lets somebody in: a session under a new secret, and on to what the log-in was for.
async fn enter(
    visitor: &Visitor,
    interaction: Interaction,
    logged_in: &LoggedIn,
) -> Result<Response, Refusal> {
    let (secret, session) = match begin_session(visitor, &logged_in.user).await {
        Ok(Some(begun)) => begun,
        // Between the password and now the account was disabled: the same answer as a moment later (S-89).
        Ok(None) => {
            let form = Form { problem: Some(LogInProblem::Wrong), ..Form::default() };
            return log_in_page(visitor, &interaction, &form);
        }
        Err(Refusal::Unavailable { .. }) => {
            let form = Form { problem: Some(LogInProblem::Unavailable), ..Form::default() };
            return log_in_page(visitor, &interaction, &form);
        }
        Err(other) => return Err(other),
    };
    let interaction = interaction.after_log_in(session.sid);
    let mut response = Redirect::to(&visitor.way_on(&interaction)?).into_response();
    remember(visitor, &secret, &logged_in.device, response.headers_mut());
    Ok(response)
}

/// Lets a browser keep who has signed in with it, and be known again as one in which somebody has.
pub(crate) fn remember(visitor: &Visitor, secret: &SessionSecret, device: &str, headers: &mut HeaderMap) {
    let (cookies, lifetime) = (visitor.provider().cookies(), visitor.provider().settings().session_lifetime);
    cookies.set(OwnCookie::SESSION, secret.expose(), lifetime).put(headers);
    cookies.set(OwnCookie::DEVICE, device, DEVICE).put(headers);
    // What a page before the log-in knew is worth nothing after it.
    cookies.forget(OwnCookie::VISIT).put(headers);
}

/// Begins a session for somebody who has shown who they are, under a secret that nobody has seen before; `None` if the
/// account may not sign in any more.
///
/// Whatever session the browser has had is none afterwards: one of the same person goes on under the new secret, so that
/// the applications in it stay signed in; somebody else's ends (S-94).
pub(crate) async fn begin_session(
    visitor: &Visitor,
    user: &User,
) -> Result<Option<(SessionSecret, Session)>, Refusal> {
    let provider = visitor.provider();
    let secret = SessionSecret::from_random(random_bits());
    let new = new_session(visitor, user);
    let old = visitor.signed_in().await?;
    let (own, other) = match old {
        Some(old) if old.session.account == user.id => (Some(old), None),
        other => (None, other),
    };
    if let Some(own) = own
        && let Some(session) = provider.store.renew_session(&own.secret, &secret, &new).await?
    {
        return Ok(Some((secret, session)));
    }
    let Some(session) = provider.store.begin_session(&secret, &new).await? else { return Ok(None) };
    // Not before it is certain who comes instead: who may not sign in ends nobody's session.
    if let Some(Session { account, sid, .. }) = other.map(|other| other.session) {
        let until = last_expiry(wall_clock(), provider.issuance.config.policy.lifetimes().skew);
        let actor = Actor::person(&account, visitor.address());
        let act = actor.act("session.replace", sid.as_str(), serde_json::Value::Null);
        provider.store.end_session(&sid, until, &[act]).await?;
    }
    Ok(Some((secret, session)))
}

/// What is known of a session that somebody begins who has shown who they are.
pub(crate) fn new_session(visitor: &Visitor, user: &User) -> NewSession {
    NewSession {
        sid: Sid::from_random(*random_id().as_bytes()),
        account: user.id.clone(),
        not_before: user.not_before,
        amr: vec!["pwd".to_owned()],
        acr: None,
        lifetime: visitor.provider().settings().session_lifetime,
        user_agent: user_agent(visitor.headers()),
        address: visitor.address().to_string(),
    }
}

fn user_agent(headers: &HeaderMap) -> String {
    let agent = headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().to_owned()
}
