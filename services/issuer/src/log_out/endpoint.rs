use axum::{
    body::Body,
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use claviger_oauth::{GrammarError, LogOutRequest};
use claviger_store::Session;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, LOCATION},
};
use secrecy::ExposeSecret;

use super::{Decision, Ending, Hint, HintFault, LogOutRefusal, ReturnTo, decide, end, own_sessions::names};
use crate::{
    authorize::Refusal,
    browser::{Binding, CsrfToken, OwnCookie, PostedForm, SignedIn, Visitor, held, session_secret},
    clock::wall_clock,
    first_party::clear_tokens,
    http::read_form,
    pages::{ErrorCase, Language, LogOutPage, SESSIONS_PATH, SignedOutPage},
};

impl From<LogOutRefusal> for Refusal {
    fn from(refusal: LogOutRefusal) -> Self {
        tracing::info!(%refusal, "a log-out request is refused");
        Self::Page(match refusal {
            LogOutRefusal::UnknownClient => ErrorCase::UnknownClient,
            LogOutRefusal::ReturnTo => ErrorCase::PostLogoutRedirectUri,
        })
    }
}

/// The log-out endpoint, as a client's link leads to it
/// ([OpenID Connect RP-Initiated Logout 1.0](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).
pub(super) async fn by_link(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let answer = asked(&visitor, query.unwrap_or_default().as_bytes()).await;
    visitor.answer(answer)
}

/// The same as a client's form posts to it, or the form of our own page that has asked the person.
pub(super) async fn by_form(visitor: Visitor, body: Body) -> Response {
    let answer = match read_form(visitor.headers(), body).await {
        Ok(bytes) if bytes.split(|byte| *byte == b'&').any(|pair| pair.starts_with(b"csrf_token=")) => {
            confirmed(&visitor, bytes.into()).await
        }
        Ok(bytes) => asked(&visitor, &bytes).await,
        Err(_) => Err(Refusal::Page(ErrorCase::Malformed)),
    };
    visitor.answer(answer)
}

/// A client asks, or a person has followed a link.
async fn asked(visitor: &Visitor, parameters: &[u8]) -> Result<Response, Refusal> {
    let request = parse(parameters)?;
    let hint = hint(visitor, &request)?;
    let signed_in = held(visitor.provider(), visitor.headers()).await?;
    let session = signed_in.as_ref().map(|signed_in| &signed_in.session);
    let return_to = match (decided(visitor, &request, hint.as_ref(), session)?, &signed_in) {
        (Decision::End(sid, return_to), Some(SignedIn { session, .. })) => {
            end(visitor, &session.account, Ending::One(&sid)).await?;
            return_to
        }
        (Decision::EndNamed(sid, account, return_to), _) => {
            let named = visitor.provider().store.session_of_sid(&sid).await?;
            if named.is_some_and(|named| named.account == account) {
                end(visitor, &account, Ending::One(&sid)).await?;
            }
            return_to
        }
        (Decision::Ask(return_to), Some(signed_in)) => {
            return ask(visitor, &request, signed_in, return_to.as_ref()).await;
        }
        (Decision::End(_, return_to) | Decision::Ask(return_to) | Decision::Nothing(return_to), _) => {
            return_to
        }
    };
    Ok(signed_out(visitor, &request, return_to.as_ref()))
}

/// The person has answered the page that asked. What was asked is decided anew: it was in the browser meanwhile.
async fn confirmed(visitor: &Visitor, body: Body) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let mut form = PostedForm::read(provider.issuer(), visitor.headers(), body).await?;
    let request = parse(form.take("interaction").as_bytes())?;
    let signed_in = held(visitor.provider(), visitor.headers()).await?;
    let session = signed_in.as_ref().map(|signed_in| &signed_in.session);
    let (Decision::Ask(return_to) | Decision::Nothing(return_to)) =
        decided(visitor, &request, None, session)?
    else {
        return Err(Refusal::Page(ErrorCase::Malformed));
    };
    let Some(signed_in) = signed_in else {
        return Ok(signed_out(visitor, &request, return_to.as_ref()));
    };
    check_token(visitor, &signed_in, &form.take("csrf_token"))?;
    match form.take("decision").as_str() {
        "allow" => {}
        "deny" => return Ok(see_other(&provider.issuer().join(SESSIONS_PATH))),
        _ => return Err(Refusal::Page(ErrorCase::Malformed)),
    }
    end(visitor, &signed_in.session.account, Ending::One(&signed_in.session.sid)).await?;
    Ok(signed_out(visitor, &request, return_to.as_ref()))
}

fn parse(parameters: &[u8]) -> Result<LogOutRequest, Refusal> {
    let malformed = |error: GrammarError| {
        tracing::info!(%error, "a log-out request cannot be read");
        Refusal::Page(ErrorCase::Malformed)
    };
    LogOutRequest::parse(parameters).map_err(malformed)
}

/// A hint that shows nothing is none: the person is asked then. One that was given to another client than asks is a fault
/// that somebody should see.
fn hint(visitor: &Visitor, request: &LogOutRequest) -> Result<Option<Hint>, Refusal> {
    let Some(token) = &request.id_token_hint else {
        return Ok(None);
    };
    let issuance = &visitor.provider().issuance;
    let keys = issuance.keys.load();
    let latest = wall_clock() + issuance.config.policy.lifetimes().skew;
    let (token, issuer) = (token.expose_secret(), &issuance.config.issuer);
    match Hint::verify(token, &keys.keyring, issuer, request.client_id.as_ref(), latest) {
        Ok(hint) => Ok(Some(hint)),
        Err(fault) => {
            tracing::info!(%fault, "an id_token_hint shows nothing");
            if fault == HintFault::OtherClient { Err(Refusal::Page(ErrorCase::Malformed)) } else { Ok(None) }
        }
    }
}

fn decided(
    visitor: &Visitor,
    request: &LogOutRequest,
    hint: Option<&Hint>,
    session: Option<&Session>,
) -> Result<Decision, LogOutRefusal> {
    let registry = visitor.provider().issuance.registry.load();
    let client_id = hint.map(|hint| &hint.client_id).or(request.client_id.as_ref());
    let client = client_id.and_then(|id| registry.client(id));
    decide(request, hint, client.map(AsRef::as_ref), session)
}

async fn ask(
    visitor: &Visitor,
    request: &LogOutRequest,
    signed_in: &SignedIn,
    return_to: Option<&ReturnTo>,
) -> Result<Response, Refusal> {
    let provider = visitor.provider();
    let Session { account, sid, .. } = &signed_in.session;
    let user = provider.store.user(account).await?;
    let own = provider.store.sessions_of(account, provider.settings().session_idle).await?;
    let clients = own.into_iter().find(|own| own.session.sid == *sid).map(|own| own.clients);
    let clients = names(provider, &clients.unwrap_or_default());
    let (token, interaction) = (token(visitor, signed_in)?, request.to_form());
    let page = LogOutPage {
        username: user.as_ref().map_or("", |user| user.username.as_str()),
        clients: clients.iter().map(String::as_str).collect(),
        csrf_token: token.expose(),
        interaction: &interaction,
        returns_to: return_to.map(ReturnTo::as_str),
    };
    Ok(page.page(&provider.site, language(visitor, request)).into_response())
}

/// The person goes back to where the client wants them, or is told; and the browser forgets the session and what the house's
/// own applications keep beside it. One that has shown none keeps it: a post from another site brings no cookie, and must
/// not take away what it cannot end.
fn signed_out(visitor: &Visitor, request: &LogOutRequest, return_to: Option<&ReturnTo>) -> Response {
    let provider = visitor.provider();
    let mut response = match return_to {
        Some(return_to) => see_other(return_to.as_str()),
        None => SignedOutPage::default().page(&provider.site, language(visitor, request)).into_response(),
    };
    if session_secret(provider.cookies(), visitor.headers()).is_some() {
        provider.cookies().forget(OwnCookie::SESSION).put(response.headers_mut());
        clear_tokens(response.headers_mut());
    }
    response
}

fn language(visitor: &Visitor, request: &LogOutRequest) -> Language {
    Language::of(&request.ui_locales, visitor.headers())
}

/// The token of a form for somebody who has signed in.
pub(super) fn token(visitor: &Visitor, signed_in: &SignedIn) -> Result<CsrfToken, Refusal> {
    let secrets = visitor.provider().secrets()?;
    Ok(CsrfToken::of(secrets.csrf(), Binding::Session(&signed_in.secret)))
}

/// The form must be one that this issuer has made for this session (S-95).
pub(super) fn check_token(visitor: &Visitor, signed_in: &SignedIn, presented: &str) -> Result<(), Refusal> {
    let secrets = visitor.provider().secrets()?;
    let is_ours = CsrfToken::is_of(secrets.csrf(), Binding::Session(&signed_in.secret), presented);
    if is_ours { Ok(()) } else { Err(Refusal::Page(ErrorCase::Forged)) }
}

/// 303: a browser goes on with GET, whatever it came with (RFC 9110 section 15.4.4).
pub(super) fn see_other(url: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(LOCATION, HeaderValue::try_from(url).expect("a registered URI is printable ASCII"));
    response
}
