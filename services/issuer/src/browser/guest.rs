use std::time::Duration;

use aws_lc_rs::hmac;
use claviger_oauth::SessionSecret;
use claviger_store::{Session, StoreError};
use http::HeaderMap;

use super::{Binding, Cookies, CsrfToken, OwnCookie, Visit, cookies::SetCookie};
use crate::{provider::Provider, rng::random_bits};

/// How long a browser remembers a visit: longer than any page of ours may be left open before it is posted.
const VISIT: Duration = Duration::from_hours(24);

/// Somebody who has signed in with this browser, and has not signed out.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// What the browser holds.
    pub(crate) secret: SessionSecret,
    /// What is known of it.
    pub(crate) session: Session,
}

/// The secret that a browser holds for a session, whether or not there is such a session.
pub(crate) fn session_secret(cookies: Cookies, headers: &HeaderMap) -> Option<SessionSecret> {
    cookies.read(headers, OwnCookie::SESSION)?.parse().ok()
}

/// Who has signed in with the browser of a request.
///
/// # Errors
/// [`StoreError`]: that the database does not answer is never "nobody".
pub(crate) async fn signed_in(
    provider: &Provider,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, StoreError> {
    let Some(secret) = session_secret(provider.cookies(), headers) else {
        return Ok(None);
    };
    let session = provider.store.session(&secret, provider.settings().session_idle).await?;
    Ok(session.map(|session| SignedIn { secret, session }))
}

/// Whose session a browser still holds, however long it was not used: not enough to be signed in, and enough to sign out.
///
/// # Errors
/// [`StoreError`] if that cannot be told.
pub(crate) async fn held(provider: &Provider, headers: &HeaderMap) -> Result<Option<SignedIn>, StoreError> {
    let Some(secret) = session_secret(provider.cookies(), headers) else {
        return Ok(None);
    };
    let session = provider.store.held_session(&secret).await?;
    Ok(session.map(|session| SignedIn { secret, session }))
}

/// A browser that a log-in page is for.
#[derive(Debug)]
pub(crate) struct Guest(Visit);

impl Guest {
    /// The browser of a request, which may not have been here before.
    pub(crate) fn of(cookies: Cookies, headers: &HeaderMap) -> Self {
        Self(Self::known(cookies, headers).unwrap_or_else(|| Visit::from_random(random_bits())))
    }

    /// The visit that a browser is on, if it has had a page of ours.
    pub(crate) fn known(cookies: Cookies, headers: &HeaderMap) -> Option<Visit> {
        cookies.read(headers, OwnCookie::VISIT)?.parse().ok()
    }

    /// The token of a form for this browser.
    pub(crate) fn csrf_token(&self, key: &hmac::Key) -> CsrfToken {
        CsrfToken::of(key, Binding::Visit(&self.0))
    }

    /// The cookie by which it is known again.
    pub(crate) fn cookie(&self, cookies: Cookies) -> SetCookie {
        cookies.set(OwnCookie::VISIT, self.0.expose(), VISIT)
    }
}
