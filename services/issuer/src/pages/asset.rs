use std::{fmt, sync::Arc};

use aws_lc_rs::digest;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};

use super::{ErrorCase, ErrorPage, Language, Site};

/// Where assets are, under the issuer.
const FOLDER: &str = "/assets";

/// A file that pages refer to by a name that changes with what is in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Asset {
    stem: &'static str,
    name: String,
    kind: HeaderValue,
    body: Bytes,
}

impl Asset {
    pub(super) fn new(stem: &'static str, extension: &str, kind: HeaderValue, body: Bytes) -> Self {
        let hash = digest::digest(&digest::SHA256, &body);
        let hash = base64_simd::URL_SAFE_NO_PAD.encode_to_string(&hash.as_ref()[..12]);
        Self { stem, name: format!("{stem}-{hash}.{extension}"), kind, body }
    }

    /// Its path under the issuer.
    pub(super) fn path(&self) -> String {
        format!("{FOLDER}/{}", self.name)
    }

    #[cfg(test)]
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether `name` is this asset in whichever version.
    fn is_meant_by(&self, name: &str) -> bool {
        name.strip_prefix(self.stem).is_some_and(|rest| rest.starts_with('-'))
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asset({}, {} bytes)", self.name, self.body.len())
    }
}

/// The assets of a site, and the page for an address at which there is nothing. Both need neither database nor keys: an
/// error page is dressed as well.
pub(crate) fn router(site: Arc<Site>) -> Router {
    Router::new().route("/assets/{name}", get(asset)).fallback(nothing).with_state(site)
}

/// Somebody with a browser is told so in words; a program knows from the status.
async fn nothing(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let page = ErrorPage { case: ErrorCase::NotFound, reference: None };
    page.page(&site, Language::of::<&str>(&[], &headers)).into_response()
}

async fn asset(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Response {
    answer(&site, &name)
}

/// An asset under its own name may be kept for ever.
///
/// While replicas are replaced one by one, a page of one version meets a replica of the other: that one answers with
/// the asset that it has, rather than with a bare page, and no cache keeps it.
fn answer(site: &Site, name: &str) -> Response {
    let Some(asset) = site.assets().find(|asset| asset.is_meant_by(name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kept = if asset.name == name { "public, max-age=31536000, immutable" } else { "no-store" };
    let headers = [
        (CONTENT_TYPE, asset.kind.clone()),
        (CACHE_CONTROL, HeaderValue::from_static(kept)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // A logo may be an SVG, and that is a document, which may hold scripts: opened by itself it runs none.
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    (headers, asset.body.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    fn header(response: &Response, name: &HeaderName) -> String {
        response.headers()[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn an_asset_under_its_own_name_is_kept_for_ever() {
        let site = samples::site();
        for asset in site.assets() {
            let response = answer(&site, &asset.name);
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, &CACHE_CONTROL), "public, max-age=31536000, immutable");
            assert_eq!(response.headers()[CONTENT_TYPE], asset.kind);
            assert_eq!(asset.path(), format!("/assets/{}", asset.name));
        }
    }

    #[test]
    fn a_name_changes_with_what_is_in_it() {
        let name = |body: &'static str| {
            Asset::new(
                "page",
                "css",
                HeaderValue::from_static("text/css"),
                Bytes::from_static(body.as_bytes()),
            )
            .name
        };
        assert_eq!(name("a{}"), name("a{}"));
        assert_ne!(name("a{}"), name("b{}"));
    }

    #[test]
    fn a_replica_of_another_version_answers_with_what_it_has_and_nobody_keeps_it() {
        let response = answer(&samples::site(), "page-AAAAAAAAAAAAAAAA.css");
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, &CACHE_CONTROL), "no-store");
    }

    #[test]
    fn nothing_else_is_an_asset() {
        for name in ["", "page", "page.css", "..", "style.css", "../claviger.toml"] {
            assert_eq!(answer(&samples::site(), name).status(), 404, "{name}");
        }
    }

    #[tokio::test]
    async fn an_address_without_a_page_says_so_to_people_and_to_programs() {
        let ask = async |accept: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            nothing(State(Arc::new(samples::site())), headers).await
        };
        let page = ask("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").await;
        assert_eq!(
            (page.status().as_u16(), header(&page, &CONTENT_TYPE).as_str()),
            (404, "text/html; charset=utf-8")
        );
        let bare = ask("*/*").await;
        assert_eq!((bare.status().as_u16(), bare.headers().get(CONTENT_TYPE)), (404, None));
    }

    // S-96
    #[test]
    fn a_logo_that_is_opened_by_itself_runs_no_script() {
        let site = samples::site();
        for asset in site.assets() {
            let response = answer(&site, &asset.name);
            let policy = header(&response, &CONTENT_SECURITY_POLICY);
            assert!(policy.starts_with("default-src 'none'") && policy.ends_with("sandbox"), "{policy}");
            assert_eq!(header(&response, &X_CONTENT_TYPE_OPTIONS), "nosniff");
        }
    }
}
