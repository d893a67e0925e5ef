use claviger_oauth::Issuer;
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, ORIGIN},
};

/// What a browser says of the site that a request comes from.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Why a request is not believed to come from a page of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForeignOrigin {
    /// The browser says that another site's page has sent it, or does not want to say which.
    #[error("sent by a page of another origin")]
    Foreign,
    /// There are cookies and no `Origin`: every browser that has cookies for us names the origin of a post.
    #[error("cookies without an Origin")]
    Missing,
}

/// Whether a request that changes something was sent by a page of this issuer.
///
/// `Origin` must be ours and ours alone; `null`, which a sandboxed frame or a redirect across sites has, is nobody's.
/// `Sec-Fetch-Site`, where there is one, must agree. Without cookies there is nothing that could be abused: a program
/// sends neither, and passes.
///
/// # Errors
/// [`ForeignOrigin`], which is answered with 403 whatever else is right.
pub(crate) fn check_origin(headers: &HeaderMap, issuer: &Issuer) -> Result<(), ForeignOrigin> {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    if sites.any(|site| site != "same-origin") {
        return Err(ForeignOrigin::Foreign);
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if is_of(origin, issuer) => Ok(()),
        (Some(_), _) => Err(ForeignOrigin::Foreign),
        (None, _) if headers.contains_key(COOKIE) => Err(ForeignOrigin::Missing),
        (None, _) => Ok(()),
    }
}

fn is_of(origin: &HeaderValue, issuer: &Issuer) -> bool {
    origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(origin_of(issuer)))
}

/// Scheme, host and port, as a browser writes them: without the port that goes without saying.
fn origin_of(issuer: &Issuer) -> &str {
    let text = issuer.as_str();
    let host = text.find("://").map_or(0, |at| at + 3);
    let end = text[host..].find('/').map_or(text.len(), |at| host + at);
    let origin = &text[..end];
    let usual = if origin.starts_with("https") { ":443" } else { ":80" };
    origin.strip_suffix(usual).unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://id.test";

    fn check(issuer: &str, sent: &[(&'static str, &'static str)], expected: Result<(), ForeignOrigin>) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(check_origin(&headers, &issuer.parse().unwrap()), expected, "{sent:?}");
    }

    // S-95
    #[test]
    fn a_post_comes_from_a_page_of_ours_or_is_refused() {
        let cookie = ("cookie", "a=b");
        let foreign = Err(ForeignOrigin::Foreign);
        check(OURS, &[cookie, ("origin", OURS)], Ok(()));
        check(OURS, &[cookie, ("origin", OURS), ("sec-fetch-site", "same-origin")], Ok(()));
        check(OURS, &[cookie], Err(ForeignOrigin::Missing));
        check(OURS, &[cookie, ("sec-fetch-site", "same-origin")], Err(ForeignOrigin::Missing));
        check(OURS, &[], Ok(()));
        for other in [
            "null",
            "",
            "https://evil.test",
            "http://id.test",
            "https://id.test.evil.test",
            "https://sub.id.test",
            "https://id.test:8443",
            "https://id.test/",
            "https://id.test https://evil.test",
        ] {
            check(OURS, &[cookie, ("origin", other)], foreign);
            check(OURS, &[("origin", other)], foreign);
        }
        for site in ["cross-site", "same-site", "none", "", "Same-Origin"] {
            check(OURS, &[cookie, ("origin", OURS), ("sec-fetch-site", site)], foreign);
        }
        check(OURS, &[cookie, ("origin", OURS), ("origin", "https://evil.test")], foreign);
        check(OURS, &[cookie, ("origin", "https://evil.test"), ("origin", OURS)], foreign);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_as_browsers_write_them() {
        let origin = |issuer: &str| origin_of(&issuer.parse().unwrap()).to_owned();
        assert_eq!(origin("https://id.test/tenant/a"), "https://id.test");
        assert_eq!(origin("https://id.test:443/a"), "https://id.test");
        assert_eq!(origin("https://id.test:8443"), "https://id.test:8443");
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(origin("http://[::1]:80"), "http://[::1]");
    }
}
