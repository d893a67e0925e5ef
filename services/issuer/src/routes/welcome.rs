use axum::{
    body::Body,
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;

use crate::{
    authorize::Refusal,
    browser::{Binding, CsrfToken, Guest, PostedForm, Visitor},
    pages::{AdministratorMadePage, ErrorCase, FirstAdministratorPage, FirstAdministratorProblem as Problem},
    people::{
        Origin, PasswordFault,
        first_administrator::{Welcome, WelcomeError, accept, is_usable},
    },
};

/// The page on which the first administrator chooses a name and a password, by a link that is good once (S-93).
pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let link = query.as_deref().and_then(|query| query.strip_prefix("link=")).unwrap_or_default();
    let answer = match is_usable(&visitor.provider().store, link).await {
        Ok(true) => page(&visitor, link, "", None),
        Ok(false) => Err(Refusal::Page(ErrorCase::Link)),
        Err(error) => Err(error.into()),
    };
    visitor.answer(answer)
}

/// What that page posts.
pub(super) async fn choose(visitor: Visitor, body: Body) -> Response {
    let answer = make(&visitor, body).await;
    visitor.answer(answer)
}

async fn make(visitor: &Visitor, body: Body) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let mut form = PostedForm::read(provider.issuer(), visitor.headers(), body).await?;
    let (key, gate) = (provider.secrets()?.csrf(), provider.gate()?);
    let visit = Guest::known(provider.cookies(), visitor.headers());
    let token = form.take("csrf_token");
    if !visit.is_some_and(|visit| CsrfToken::is_of(key, Binding::Visit(&visit), &token)) {
        return Err(Refusal::Page(ErrorCase::Forged));
    }
    let (link, username) = (form.take("link"), form.take("username"));
    let (password, again) = (form.take_secret("password"), form.take_secret("password_again"));
    if password.expose_secret() != again.expose_secret() {
        return page(visitor, &link, &username, Some(Problem::Different));
    }
    let welcome = Welcome { link: &link, username: &username, password: &password };
    let origin = Origin { address: visitor.address(), device: None };
    let problem = match accept(gate, &provider.password_rules, welcome, origin).await {
        Ok(_) => {
            let page = AdministratorMadePage { username: &username };
            return Ok(page.page(&provider.site, visitor.language()).into_response());
        }
        Err(WelcomeError::Link) => return Err(Refusal::Page(ErrorCase::Link)),
        Err(WelcomeError::Username(_)) => Problem::Username,
        Err(WelcomeError::Taken) => Problem::UsernameTaken,
        Err(WelcomeError::Password(fault)) => problem(fault),
        Err(WelcomeError::Busy(_)) => Problem::Unavailable,
        Err(WelcomeError::Unavailable(error)) => {
            tracing::warn!(%error, "the first administrator is not kept");
            Problem::Unavailable
        }
    };
    page(visitor, &link, &username, Some(problem))
}

fn problem(fault: PasswordFault) -> Problem {
    match fault {
        PasswordFault::TooShort { .. } => Problem::PasswordTooShort,
        PasswordFault::TooLong => Problem::PasswordTooLong,
        PasswordFault::Common => Problem::PasswordCommon,
        _ => Problem::PasswordCharacters,
    }
}

fn page(
    visitor: &Visitor,
    link: &str,
    username: &str,
    problem: Option<Problem>,
) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let guest = Guest::of(provider.cookies(), visitor.headers());
    let token = guest.csrf_token(provider.secrets()?.csrf());
    let page = FirstAdministratorPage {
        username,
        password_min: provider.settings().password_min,
        problem,
        csrf_token: token.expose(),
        link,
    };
    let mut response = page.page(&provider.site, visitor.language()).into_response();
    guest.cookie(provider.cookies()).put(response.headers_mut());
    Ok(response)
}
