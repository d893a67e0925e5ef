use axum::response::{IntoResponse, Redirect, Response};
use claviger_oauth::AuthorizationRequest;

use super::{Asked, CONTINUE_PATH, Goal, Interaction, Opened, Refusal, Step, approve::approve};
use crate::{
    authorize::interaction::NotOurs,
    browser::{Binding, CsrfToken, Guest, SignedIn, Visitor},
    clock::wall_clock,
    pages::{ConsentPage, ErrorCase, LogInPage, LogInProblem, Permissions, SESSIONS_PATH},
};

/// Takes the next step of an interaction: a page, or the way back to the client.
pub(super) async fn go_on(visitor: &Visitor, interaction: &Interaction) -> Result<Response, Refusal> {
    step(visitor, interaction)
        .await
        .map_err(|refusal| refusal.with_retry(|| visitor.way_on(interaction).ok()))
}

async fn step(visitor: &Visitor, interaction: &Interaction) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let signed_in = visitor.signed_in().await?;
    let Goal::Client(request) = &interaction.goal else {
        return match signed_in {
            Some(_) => Ok(Redirect::to(&provider.issuer().join(SESSIONS_PATH)).into_response()),
            None => log_in_page(visitor, interaction, &Form::default()),
        };
    };
    let asked = Asked::again(provider, AuthorizationRequest::clone(request))?;
    let step = next(visitor, interaction, &asked, signed_in.as_ref()).await?;
    match (step, &signed_in) {
        (Step::LogIn, _) => {
            let form = Form { again: signed_in.is_some(), ..Form::default() };
            log_in_page(visitor, interaction, &form)
        }
        (Step::Consent, Some(someone)) => consent_page(visitor, interaction, &asked, someone).await,
        (Step::Approve, Some(someone)) => approve(visitor, &asked, &someone.session).await,
        (Step::Refuse(error), _) => Err(asked.refuse(provider, &error)),
        // Without a session the next step is always to sign in.
        (Step::Consent | Step::Approve, None) => log_in_page(visitor, interaction, &Form::default()),
    }
}

/// The log-in page of the issuer itself, for whoever wants to see his own sessions.
pub(crate) fn sign_in_first(visitor: &Visitor) -> Response {
    let interaction = Interaction::new(Goal::Sessions, wall_clock());
    visitor.answer(log_in_page(visitor, &interaction, &Form::default()))
}

/// What comes next for whoever has signed in.
pub(super) async fn next(
    visitor: &Visitor,
    interaction: &Interaction,
    asked: &Asked,
    signed_in: Option<&SignedIn>,
) -> Result<Step, Refusal> {
    let allowed = match signed_in {
        Some(someone) if !asked.is_first_party() => {
            let store = &visitor.provider().store;
            store.consent(&someone.session.account, &asked.client.client_id).await?
        }
        _ => None,
    };
    let allowed = allowed.as_ref().map(|consent| &consent.allowed);
    Ok(asked.situation(interaction, signed_in, allowed, wall_clock()).next())
}

/// What a log-in page is shown with.
#[derive(Debug, Default)]
pub(super) struct Form<'f> {
    /// What was typed in already.
    pub(super) username: Option<&'f str>,
    /// Whether somebody is signed in and is asked all the same.
    pub(super) again: bool,
    /// Why the page is shown once more.
    pub(super) problem: Option<LogInProblem>,
}

/// The page on which somebody signs in.
pub(super) fn log_in_page(
    visitor: &Visitor,
    interaction: &Interaction,
    form: &Form<'_>,
) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let secrets = provider.secrets()?;
    let guest = Guest::of(provider.cookies(), visitor.headers());
    let sealed = interaction.seal(secrets.interactions(), provider.issuer());
    let token = guest.csrf_token(secrets.csrf());
    let asked = match &interaction.goal {
        Goal::Client(request) => Some(Asked::again(provider, AuthorizationRequest::clone(request))?),
        Goal::Sessions => None,
    };
    let hint = asked.as_ref().and_then(|asked| asked.request.login_hint.as_deref());
    let page = LogInPage {
        client: asked.as_ref().map(Asked::name),
        username: form.username.or(hint).unwrap_or_default(),
        again: form.again,
        problem: form.problem,
        csrf_token: token.expose(),
        interaction: &sealed,
        returns_to: asked.as_ref().map(|asked| asked.request.redirect_uri.as_str()),
    };
    let mut response = page.page(&provider.site, visitor.language()).into_response();
    guest.cookie(provider.cookies()).put(response.headers_mut());
    Ok(response)
}

async fn consent_page(
    visitor: &Visitor,
    interaction: &Interaction,
    asked: &Asked,
    someone: &SignedIn,
) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let secrets = provider.secrets()?;
    let user = provider.store.user(&someone.session.account).await?;
    let interaction = interaction.clone().showing(asked.access.allowed.clone());
    let sealed = interaction.seal(secrets.interactions(), provider.issuer());
    let token = CsrfToken::of(secrets.csrf(), Binding::Session(&someone.secret));
    let page = ConsentPage {
        client: asked.name(),
        username: user.as_ref().map_or("", |user| user.username.as_str()),
        wants: Permissions::from(&asked.access.allowed),
        csrf_token: token.expose(),
        interaction: &sealed,
        returns_to: &asked.request.redirect_uri,
    };
    Ok(page.page(&provider.site, visitor.language()).into_response())
}

impl Visitor {
    /// Opens what a page has brought back.
    pub(super) fn open(&self, sealed: &str) -> Result<Opened, Refusal> {
        let provider = self.provider();
        let key = provider.secrets()?.interactions();
        let opened = Interaction::open(sealed, key, provider.issuer(), wall_clock())
            .map_err(|NotOurs| Refusal::Page(ErrorCase::Expired))?;
        let (Opened::Fresh(interaction) | Opened::Stale(interaction)) = &opened;
        if let Goal::Client(request) = &interaction.goal {
            self.speak(&request.ui_locales);
        }
        Ok(opened)
    }

    /// The address at which an interaction goes on.
    pub(super) fn way_on(&self, interaction: &Interaction) -> Result<String, Refusal> {
        let provider = self.provider();
        let interaction = interaction.clone().showing_nothing();
        let sealed = interaction.seal(provider.secrets()?.interactions(), provider.issuer());
        Ok(format!("{}?interaction={sealed}", provider.issuer().join(CONTINUE_PATH)))
    }
}
