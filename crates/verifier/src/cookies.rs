//! Tokens in cookies, for services that browsers call directly.

use std::{borrow::Cow, time::Duration};

use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use subtle::ConstantTimeEq;
use tracing::debug;

use crate::{Refusal, TokenFault, VerifierBuilder};

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Shorter ones could be guessed, or are somebody's placeholder.
const MIN_CSRF: usize = 16;
/// What browsers keep of a cookie, attributes included ([RFC 6265 section 6.1](https://www.rfc-editor.org/rfc/rfc6265#section-6.1)).
const MAX_COOKIE: usize = 4096;
const PREFIX: &str = "__Host-";

/// Cookies that carry an access token, and what shows that the site's own pages sent them.
///
/// A browser adds cookies to requests of any site. So a request with a token in a cookie and a method other
/// than GET, HEAD and OPTIONS must repeat the value of a second cookie in the header `X-CSRF-Token`, which only
/// the site's own scripts can read; `Sec-Fetch-Site: cross-site` is refused outright. So handlers of GET must
/// change nothing.
///
/// The handshake of a `WebSocket` (any request with `Upgrade`) needs exactly one
/// `Sec-Fetch-Site: same-origin`: a page of any other host of the site could open one, and no header of its
/// own can stand against that. A program that is no browser sends its token in `Authorization`.
///
/// Whoever sets the second cookie binds its value to the session: at least 16 characters of base64url, best
/// an HMAC over the session's id with a key of the service, and a new one at every sign-in. Both cookies have
/// the prefix `__Host-`: neither another host of the site nor plain http can set them.
#[derive(Debug, Clone)]
pub struct Cookies {
    token: Cow<'static, str>,
    csrf: Cow<'static, str>,
}

/// What cannot be sent in a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// Other hosts of the site could set a cookie of this name, or it cannot be sent.
    #[error("the names of the two cookies must differ, begin with `__Host-` and be tokens of RFC 9110")]
    Name,
    /// It has characters that a cookie may not have, or none.
    #[error(
        "the value of a cookie must have 1 or more characters, none of them a space, quote, comma or semicolon"
    )]
    Characters,
    /// A browser would not keep it.
    #[error("a cookie must not be longer than {MAX_COOKIE} bytes")]
    TooLong,
    /// It would be refused when it comes back.
    #[error("the value against cross-site requests must have at least {MIN_CSRF} characters")]
    ShortCsrf,
}

impl VerifierBuilder {
    /// Takes tokens from cookies as well. Without this no cookie is ever looked at.
    pub fn cookies(mut self, cookies: Cookies) -> Self {
        self.places.cookies = Some(cookies);
        self
    }
}

/// `__Host-access_token` and `__Host-csrf_token`.
impl Default for Cookies {
    fn default() -> Self {
        Self { token: "__Host-access_token".into(), csrf: "__Host-csrf_token".into() }
    }
}

impl Cookies {
    /// Cookies of other names; both begin with `__Host-`.
    ///
    /// # Errors
    /// [`CookieError::Name`].
    pub fn named(token: &str, csrf: &str) -> Result<Self, CookieError> {
        for name in [token, csrf] {
            let letter = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.len() <= PREFIX.len() || !name.starts_with(PREFIX) || !name.bytes().all(letter) {
                return Err(CookieError::Name);
            }
        }
        if token == csrf {
            return Err(CookieError::Name);
        }
        Ok(Self { token: token.to_owned().into(), csrf: csrf.to_owned().into() })
    }

    /// Two values of `Set-Cookie`: the token, which no script can read, and the value against cross-site requests,
    /// which the site's own scripts repeat in `X-CSRF-Token`. Both end after `max_age`, in whole seconds.
    ///
    /// # Errors
    /// [`CookieError`].
    pub fn set(&self, token: &str, csrf: &str, max_age: Duration) -> Result<[HeaderValue; 2], CookieError> {
        if csrf.len() < MIN_CSRF {
            return Err(CookieError::ShortCsrf);
        }
        let set = |name: &str, value: &str, script| {
            let octet = |b| matches!(b, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E);
            if value.is_empty() || !value.bytes().all(octet) {
                return Err(CookieError::Characters);
            }
            let written = set_cookie(name, value, max_age, script);
            if written.len() > MAX_COOKIE { Err(CookieError::TooLong) } else { Ok(written) }
        };
        Ok([set(&self.token, token, false)?, set(&self.csrf, csrf, true)?])
    }

    /// Two values of `Set-Cookie` that make a browser forget both: for signing out.
    #[must_use]
    pub fn clear(&self) -> [HeaderValue; 2] {
        let clear = |name, script| set_cookie(name, "", Duration::ZERO, script);
        [clear(&self.token, false), clear(&self.csrf, true)]
    }

    /// The token, of which there may be one.
    pub(crate) fn token<'r>(&self, request: &'r Parts) -> Result<Option<&'r str>, Refusal> {
        the_one(&request.headers, &self.token)
    }

    /// Whether the site's own page has sent the request.
    pub(crate) fn check_same_site(&self, request: &Parts) -> Result<(), Refusal> {
        let headers = &request.headers;
        let safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let sites: Vec<_> = headers.get_all(FETCH_SITE).iter().collect();
        let good = if headers.contains_key(header::UPGRADE) {
            // Neither CORS nor a second cookie stands before a connection that is open for reading and writing.
            matches!(*sites, [site] if site == "same-origin") && (safe || self.is_repeated(headers))
        } else {
            safe || (sites.iter().all(|site| *site != "cross-site") && self.is_repeated(headers))
        };
        if !good {
            debug!(reason = Refusal::CrossSite.reason(), "a token in a cookie is refused");
            return Err(Refusal::CrossSite);
        }
        Ok(())
    }

    /// Double submit: another site can have the cookie sent, but not read it.
    fn is_repeated(&self, headers: &HeaderMap) -> bool {
        let mut told = headers.get_all(CSRF_HEADER).iter();
        let (Ok(Some(kept)), Some(told), None) = (the_one(headers, &self.csrf), told.next(), told.next())
        else {
            return false;
        };
        kept.len() >= MIN_CSRF && bool::from(kept.as_bytes().ct_eq(told.as_bytes()))
    }
}

/// The value of the one cookie of this name, in however many headers (HTTP/2 splits them).
///
/// Browsers know a name by its bytes. So whoever trimmed more than they do would take a cookie that another host
/// may set for one with the prefix, and whoever read more than the value would let any other cookie spoil it.
fn the_one<'r>(headers: &'r HeaderMap, name: &str) -> Result<Option<&'r str>, Refusal> {
    let mut found = None;
    let pairs =
        headers.get_all(header::COOKIE).iter().flat_map(|header| header.as_bytes().split(|b| *b == b';'));
    for pair in pairs {
        // What has no `=` is the value of a cookie without a name.
        let Some(at) = pair.iter().position(|b| *b == b'=') else {
            continue;
        };
        let is_it = trimmed(&pair[..at]) == name.as_bytes();
        if is_it && found.replace(trimmed(&pair[at + 1..])).is_some() {
            return Err(Refusal::RepeatedToken);
        }
    }
    let read = |value| str::from_utf8(value).map_err(|_| Refusal::InvalidToken(TokenFault::Malformed));
    found.map(read).transpose()
}

/// Without the spaces and tabs that may stand around names and values (RFC 6265 section 5.2), and no others.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn set_cookie(name: &str, value: &str, max_age: Duration, script: bool) -> HeaderValue {
    let max_age = cookie::time::Duration::try_from(max_age).unwrap_or(cookie::time::Duration::MAX);
    let cookie = Cookie::build((name, value)).path("/").secure(true).same_site(SameSite::Lax);
    let cookie = cookie.http_only(!script).max_age(max_age).build().to_string();
    let mut value = HeaderValue::try_from(cookie).expect("names and values were checked to be visible ASCII");
    // No log and no table of HPACK shall keep what only the browser may know.
    value.set_sensitive(!script);
    value
}
