use std::time::Duration;

use claviger_oauth::Issuer;
use cookie::{Cookie, SameSite};
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};

/// A cookie of ours, by the name that it has where it need not be protected from other hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnCookie(pub(crate) &'static str);

impl OwnCookie {
    /// Who has signed in: a session's secret.
    pub(crate) const SESSION: Self = Self("claviger-session");
    /// A browser in which nobody has signed in yet.
    pub(crate) const VISIT: Self = Self("claviger-visit");
    /// A browser in which somebody has signed in before: it need not wait while others guess.
    pub(crate) const DEVICE: Self = Self("claviger-device");
}

/// Reads and writes the cookies of an issuer.
///
/// Over https their names begin with `__Host-`: a browser takes such a cookie from this very host over https only, so that
/// neither a neighbour under the same domain nor somebody on the network can plant one. A loopback issuer on plain
/// http is for development; there the names are plain, for browsers would refuse the others.
///
/// [RFC 6265bis section 4.1.3.2](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2)
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookies {
    secure: bool,
}

impl Cookies {
    pub(crate) fn of(issuer: &Issuer) -> Self {
        Self { secure: issuer.as_str().starts_with("https://") }
    }

    fn name(self, cookie: OwnCookie) -> String {
        if self.secure { format!("__Host-{}", cookie.0) } else { cookie.0.to_owned() }
    }

    /// The value of a cookie. Of two with the same name none is believed: one of them is not ours.
    pub(crate) fn read(self, headers: &HeaderMap, cookie: OwnCookie) -> Option<String> {
        let name = self.name(cookie);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
        let mut values =
            cookies.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned());
        values.next().filter(|_| values.next().is_none())
    }

    /// Sets a cookie for a time. No script can read it, and no other site's post or frame carries it.
    pub(crate) fn set(self, cookie: OwnCookie, value: &str, lifetime: Duration) -> SetCookie {
        let age = cookie::time::Duration::try_from(lifetime).unwrap_or(cookie::time::Duration::MAX);
        self.build(cookie, value, age)
    }

    /// Makes the browser forget a cookie.
    pub(crate) fn forget(self, cookie: OwnCookie) -> SetCookie {
        self.build(cookie, "", cookie::time::Duration::ZERO)
    }

    fn build(self, cookie: OwnCookie, value: &str, age: cookie::time::Duration) -> SetCookie {
        let built = Cookie::build((self.name(cookie), value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .max_age(age)
            .build();
        let mut header = HeaderValue::try_from(built.to_string()).expect("names and secrets are plain ASCII");
        header.set_sensitive(true);
        SetCookie(header)
    }
}

/// A `Set-Cookie` header. What it holds is not shown.
#[derive(Debug, Clone)]
pub(crate) struct SetCookie(HeaderValue);

impl SetCookie {
    /// Adds it to an answer, beside others.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        headers.append(SET_COOKIE, self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(issuer: &str) -> Cookies {
        Cookies::of(&issuer.parse().unwrap())
    }

    fn sent(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    fn text(cookie: &SetCookie) -> &str {
        cookie.0.to_str().unwrap()
    }

    // S-94
    #[test]
    fn a_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts_and_other_sites() {
        let set = cookies("https://id.test").set(OwnCookie::SESSION, "ss_x", Duration::from_hours(1));
        assert_eq!(
            text(&set),
            "__Host-claviger-session=ss_x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600"
        );
        let local = cookies("http://127.0.0.1:8080").set(OwnCookie::SESSION, "ss_x", Duration::from_secs(9));
        assert_eq!(text(&local), "claviger-session=ss_x; HttpOnly; SameSite=Lax; Path=/; Max-Age=9");
        let forgotten = cookies("https://id.test").forget(OwnCookie::VISIT);
        assert_eq!(
            text(&forgotten),
            "__Host-claviger-visit=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"
        );
    }

    // S-94
    #[test]
    fn a_cookie_of_a_plain_name_or_one_of_two_is_not_believed_over_https() {
        let read = |lines: &[&'static str]| cookies("https://id.test").read(&sent(lines), OwnCookie::SESSION);
        assert_eq!(read(&["a=b; __Host-claviger-session=ss_x"]).as_deref(), Some("ss_x"));
        assert_eq!(read(&["a=b", "__Host-claviger-session=ss_x; c=d"]).as_deref(), Some("ss_x"));
        assert_eq!(read(&["claviger-session=ss_x"]), None);
        assert_eq!(read(&["__Host-claviger-session=a; __Host-claviger-session=b"]), None);
        assert_eq!(read(&["__Host-claviger-session=a", "__Host-claviger-session=a"]), None);
        assert_eq!(read(&["__Host-Claviger-Session=ss_x"]), None);
        assert_eq!(read(&[]), None);
    }

    // S-103
    #[test]
    fn a_cookie_that_is_set_is_not_shown() {
        let set = cookies("https://id.test").set(OwnCookie::SESSION, "canary", Duration::from_secs(9));
        assert!(!format!("{set:?}").contains("canary"));
    }
}
