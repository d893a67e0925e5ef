//! What a client can find out about a service by itself (RFC 9728).

use axum::{Router, body::Bytes, response::IntoResponse, routing::get};
use claviger_oauth::{GrammarError, Scope};
use http::{Uri, header};
use serde_json::json;

use crate::{Verifier, builder::is_resource_url};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const CACHED: &str = "public, max-age=3600";

/// The protected resource metadata of a service. Made by [`resource_metadata`].
#[derive(Debug)]
#[must_use = "serve it"]
pub struct ResourceMetadata {
    resource: String,
    issuers: Vec<String>,
    scopes: Vec<String>,
    dpop: bool,
}

/// Metadata that would be of no use to a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The service has no URL.
    #[error(
        "{0:?} is no https URL (or http on this machine) without fragment; name the service's URL with `resource`"
    )]
    Resource(String),
    /// A router of axum has no route for the path of the URL.
    #[error("the path of {0:?} cannot be served: a segment begins with `:` or `*`, which axum refuses")]
    Path(String),
    /// A scope breaks the grammar.
    #[error("the scope {given:?} cannot be used: {reason}")]
    Scope {
        /// The scope as it was given.
        given: String,
        /// The rule that it breaks.
        reason: GrammarError,
    },
}

/// Begins the protected resource metadata of the service that `verifier` was made for
/// ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)): its audience, and all issuers that it trusts.
///
/// ```
/// # use claviger_verifier::{Verifier, resource_metadata};
/// # fn routes(verifier: &Verifier) -> Result<axum::Router, claviger_verifier::MetadataError> {
/// let app = axum::Router::new().merge(resource_metadata(verifier).scopes(["orders:read"]).router()?);
/// # Ok(app)
/// # }
/// ```
pub fn resource_metadata(verifier: &Verifier) -> ResourceMetadata {
    ResourceMetadata {
        resource: verifier.audience().to_owned(),
        issuers: verifier.key_sets().map(|keys| keys.issuer().to_owned()).collect(),
        scopes: Vec::new(),
        dpop: verifier.answers().dpop,
    }
}

impl ResourceMetadata {
    /// The URL of the service, where that is not its audience.
    pub fn resource(mut self, url: &str) -> Self {
        url.clone_into(&mut self.resource);
        self
    }

    /// The scopes that the service asks for.
    pub fn scopes<'s>(mut self, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        self.scopes.extend(scopes.into_iter().map(str::to_owned));
        self
    }

    /// The route of the metadata: `/.well-known/oauth-protected-resource`, followed by the path of the
    /// service's URL (section 3.1). It is open to all.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub fn router(self) -> Result<Router, MetadataError> {
        let resource = Some(&self.resource).filter(|url| is_resource_url(url));
        let Some(uri) = resource.and_then(|url| url.parse::<Uri>().ok()) else {
            return Err(MetadataError::Resource(self.resource));
        };
        // Axum panics at these, here or in the router that this one is merged into.
        if uri.path().split('/').any(|segment| segment.starts_with([':', '*'])) {
            return Err(MetadataError::Path(self.resource));
        }
        for scope in &self.scopes {
            if let Err(reason) = scope.parse::<Scope>() {
                return Err(MetadataError::Scope { given: scope.clone(), reason });
            }
        }
        let path = format!("{WELL_KNOWN}{}", uri.path().trim_end_matches('/'));
        let document = Bytes::from(self.document());
        let served = get(async move || {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, CACHED)];
            (headers, document).into_response()
        });
        // A path of the URL is no pattern: braces in it stand for themselves.
        let path = path.replace('{', "{{").replace('}', "}}");
        Ok(Router::new().route(&path, served))
    }

    fn document(&self) -> String {
        let mut document = json!({
            "resource": self.resource,
            "authorization_servers": self.issuers,
            "bearer_methods_supported": ["header"],
        });
        if !self.scopes.is_empty() {
            document["scopes_supported"] = json!(self.scopes);
        }
        if self.dpop {
            document["dpop_signing_alg_values_supported"] = json!(["ES256", "RS256"]);
        }
        document.to_string()
    }
}
