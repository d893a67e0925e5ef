use std::time::Duration;

use axum::response::Response;
use claviger_oauth::{RefreshToken, Sid, TokenResponse};
use claviger_store::Session;
use claviger_verifier as resource;
use cookie::{Cookie, SameSite};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};

use super::Refusal;
use crate::{
    browser::{Binding, CsrfToken, SignedIn, check_origin, held},
    provider::Provider,
};

const REFRESH: &str = "__Host-refresh_token";
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// A browser whose own page has sent the request: it has repeated what only it can read.
pub(super) struct OwnPage {
    /// The session that the value is bound to.
    pub(super) sid: Sid,
    /// What it keeps besides.
    pub(super) refresh_token: Option<RefreshToken>,
}

impl OwnPage {
    /// Whether a page of this very origin has sent a request with cookies. `None` if the browser holds no session: then
    /// there is nothing to protect.
    ///
    /// The value in `X-CSRF-Token` is an HMAC over the session's name: one of another session, or one that somebody has
    /// planted beside a planted cookie, is worth nothing.
    ///
    /// # Errors
    /// [`Refusal::CrossSite`] if not; [`Refusal::Unavailable`] while that cannot be told.
    pub(super) async fn of(provider: &Provider, headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        check_origin(headers, provider.issuer())?;
        let Some(SignedIn { session: Session { sid, .. }, .. }) = held(provider, headers).await? else {
            return Ok(None);
        };
        let mut told = headers.get_all(CSRF_HEADER).iter();
        let (Some(told), None) = (told.next(), told.next()) else { return Err(Refusal::CrossSite) };
        let told = told.to_str().map_err(|_| Refusal::CrossSite)?;
        if !CsrfToken::is_of(provider.secrets()?.csrf(), Binding::Page(&sid), told) {
            return Err(Refusal::CrossSite);
        }
        let refresh_token = the_one(headers, REFRESH).and_then(|text| text.parse().ok());
        Ok(Some(Self { sid, refresh_token }))
    }
}

/// Puts the tokens into cookies, and takes them out of the answer: the access token and the value against cross-site requests
/// as services that verify take them ([`resource::Cookies`]), the refresh token for this issuer alone.
///
/// # Errors
/// [`Refusal::CookieTooLong`] for a token with more claims than a cookie can hold.
pub(super) fn put_tokens(
    response: &mut Response,
    provider: &Provider,
    sid: &Sid,
    tokens: &TokenResponse,
) -> Result<(), Refusal> {
    let csrf = CsrfToken::of(provider.secrets()?.csrf(), Binding::Page(sid));
    let set = |age| {
        let cookies = resource::Cookies::default().set(&tokens.access_token, csrf.expose(), age);
        cookies.map_err(|_| Refusal::CookieTooLong)
    };
    let idle = provider.settings().refresh_idle;
    let [access, _] = set(Duration::from_secs(tokens.expires_in))?;
    // It outlives the access token: without it there is no next one.
    let [_, csrf] = set(idle)?;
    let headers = response.headers_mut();
    for cookie in [access, csrf] {
        headers.append(SET_COOKIE, cookie);
    }
    if let Some(refresh_token) = &tokens.refresh_token {
        headers.append(SET_COOKIE, refresh_cookie(refresh_token, idle));
    }
    Ok(())
}

/// Makes the browser forget all of them.
pub(crate) fn clear_tokens(headers: &mut HeaderMap) {
    for cookie in resource::Cookies::default().clear() {
        headers.append(SET_COOKIE, cookie);
    }
    headers.append(SET_COOKIE, refresh_cookie("", Duration::ZERO));
}

/// Not even a link from elsewhere makes a browser send it.
fn refresh_cookie(value: &str, age: Duration) -> HeaderValue {
    let age = cookie::time::Duration::try_from(age).unwrap_or(cookie::time::Duration::MAX);
    let cookie =
        Cookie::build((REFRESH, value)).path("/").secure(true).http_only(true).same_site(SameSite::Strict);
    let mut value = HeaderValue::try_from(cookie.max_age(age).build().to_string())
        .expect("a refresh token is visible ASCII without semicolons");
    value.set_sensitive(true);
    value
}

/// Of two cookies with this name none is believed: one of them is not ours.
fn the_one(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    let mut values = cookies.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned());
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-94
    #[test]
    fn a_refresh_token_is_for_this_host_alone_and_out_of_reach_of_scripts_and_other_sites() {
        let set = refresh_cookie("rt_x", Duration::from_hours(1));
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-refresh_token=rt_x; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=3600"
        );
        assert!(set.is_sensitive());
    }

    // S-94
    #[test]
    fn of_two_cookies_none_is_believed() {
        let read = |line: &'static str| {
            the_one(&HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]), REFRESH)
        };
        assert_eq!(read("a=b; __Host-refresh_token=rt_x").as_deref(), Some("rt_x"));
        assert_eq!(read("__Host-refresh_token=rt_x; __Host-refresh_token=rt_y"), None);
        assert_eq!(read("refresh_token=rt_x; __host-refresh_token=rt_x"), None);
    }

    #[test]
    fn what_is_cleared_is_what_was_set() {
        let mut headers = HeaderMap::new();
        clear_tokens(&mut headers);
        let cleared: Vec<_> =
            headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        for name in ["__Host-access_token=;", "__Host-csrf_token=;", "__Host-refresh_token=;"] {
            assert!(
                cleared.iter().any(|cookie| cookie.starts_with(name) && cookie.contains("Max-Age=0")),
                "{name}"
            );
        }
    }
}
