use std::time::Duration;

use aws_lc_rs::digest;
use axum::response::{IntoResponse, Response};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
        STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use maud::Markup;

/// A page as it is answered: what is on it, and what a browser may do with it.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct Page {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) markup: Markup,
    pub(super) policy: HeaderValue,
}

/// What a page may do beyond loading its own style and pictures and posting to its own issuer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Policy<'p> {
    /// The only script that runs.
    pub(super) script: Option<&'static str>,
    /// The redirect URI that the answer to a post may lead to.
    pub(super) leads_to: Option<&'p str>,
}

impl Policy<'_> {
    /// The `Content-Security-Policy` (CSP Level 3): nothing from elsewhere, nothing inline, no frame around the page.
    ///
    /// Browsers hold `form-action` against every redirect that follows a post. So where a post leads back to a client,
    /// its scheme is allowed, and https: a callback that passes the person on to another host of the same client
    /// would otherwise end at a log-in page that does nothing.
    pub(super) fn header(self) -> HeaderValue {
        let script = self.script.map(|script| format!("script-src 'sha256-{}'; ", base64_sha256(script)));
        let targets = match self.leads_to.map(scheme) {
            None => "'self'".to_owned(),
            Some(None | Some("https")) => "'self' https:".to_owned(),
            Some(Some(other)) => format!("'self' https: {other}:"),
        };
        let policy = format!(
            "default-src 'none'; {}style-src 'self'; img-src 'self'; base-uri 'none'; form-action {targets}; \
             frame-ancestors 'none'",
            script.unwrap_or_default()
        );
        HeaderValue::try_from(policy).expect("a scheme and base64 are printable ASCII")
    }
}

/// The scheme of a URI, if its characters are a scheme's (RFC 3986 section 3.1): none of them means something to a
/// policy.
fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let right = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(allowed);
    right.then_some(scheme)
}

/// Whether browsers may be sent there: a page never names a URI that runs in it.
pub(super) fn web(uri: &str) -> Option<&str> {
    ["https://", "http://"].iter().any(|start| uri.starts_with(start)).then_some(uri)
}

fn base64_sha256(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    base64_simd::STANDARD.encode_to_string(hash.as_ref())
}

/// The one place that adds the headers of all pages.
///
/// `Referrer-Policy` is `same-origin` and not `no-referrer`, with which browsers send `Origin: null` with the posts of
/// these pages, which are refused. There is no `Cross-Origin-Opener-Policy`: an application that opens the log-in
/// in a window of its own has to hear from it again.
impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.markup.into_string()).into_response();
        let headers = response.headers_mut();
        let fixed = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (X_FRAME_OPTIONS, "DENY"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "same-origin"),
            (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_SECURITY_POLICY, self.policy);
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}
