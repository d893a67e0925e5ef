//! The page on which a person sees their orders, and the life of the token that shows them.

use axum::response::{IntoResponse, Response};
use axum::{Json, Router, http::HeaderValue, routing::get};
use reqwest::{Url, header};
use serde::Serialize;

const HTML: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/page.css");
const SCRIPT: &str = include_str!("../page/page.js");

/// The page as a client of the issuer: a public one, since it has no place for a secret.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Page {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) audience: String,
    pub(crate) scope: &'static str,
}

impl Page {
    /// The routes of the page. No token is needed for them: they are the same for everybody.
    ///
    /// # Errors
    /// If the issuer is not a URL: the page's policy has to name its origin.
    pub(crate) fn router(self) -> anyhow::Result<Router> {
        let issuer = Url::parse(&self.issuer)?.origin().ascii_serialization();
        // Nothing is embedded, nothing comes from elsewhere, and calls go to this service and to the issuer alone.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' {issuer}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::try_from(policy)?;
        let file = |media_type: &'static str, text: &'static str| {
            let policy = policy.clone();
            get(async move || guarded(policy, media_type, text))
        };
        Ok(Router::new()
            .route("/", file("text/html; charset=utf-8", HTML))
            .route("/page.css", file("text/css; charset=utf-8", STYLE))
            .route("/page.js", file("text/javascript; charset=utf-8", SCRIPT))
            .route("/page.json", get(async move || Json(self))))
    }
}

fn guarded(policy: HeaderValue, media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // The address of the page carries a code for a moment.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
