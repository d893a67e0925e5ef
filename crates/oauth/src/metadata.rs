//! What a server publishes about itself, and where (RFC 8414, OpenID Connect Discovery 1.0).

use serde::{Deserialize, Serialize};

use crate::{AuthenticationMethod, Issuer, ScopeSet};

/// The path of the token endpoint, under the issuer.
pub const TOKEN_PATH: &str = "/oauth2/token";
/// The path of the JWK set, under the issuer.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";
/// The path of the revocation feed, under the issuer.
pub const REVOCATIONS_PATH: &str = "/.well-known/revocations";
/// The well-known path of OpenID Connect Discovery, behind an issuer's own path.
pub const OIDC_DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
/// The well-known path of RFC 8414, before an issuer's own path.
pub const OAUTH_DISCOVERY_PATH: &str = "/.well-known/oauth-authorization-server";

/// The document that both discovery endpoints answer with.
///
/// Every URL in it is made from the configured issuer, never from the request, so a forged Host
/// header changes nothing. On reading, names of other servers' scopes, methods and algorithms are
/// taken as they are, and only `issuer`, `token_endpoint` and `jwks_uri` are required.
///
/// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// Who the server is; a reader compares it with whom it asked.
    pub issuer: Issuer,
    /// The URL of the token endpoint.
    pub token_endpoint: String,
    /// The URL of the JWK set.
    pub jwks_uri: String,
    /// The URL of the revocation feed, where there is one. A member of this house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations_uri: Option<String>,
    /// The scopes that may be asked for.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// Empty, and present because it is a required member: there is no authorization endpoint.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// Always present: leaving it out would announce the implicit grant.
    #[serde(default)]
    pub grant_types_supported: Vec<String>,
    /// How clients may authenticate at the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of the server's signatures (OpenID Connect Discovery section 3).
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// How subjects are named: the same to every client (OpenID Connect Core section 8).
    #[serde(default)]
    pub subject_types_supported: Vec<String>,
}

impl ServerMetadata {
    /// The document of our own server.
    #[must_use]
    pub fn of(issuer: &Issuer, scopes: &ScopeSet) -> Self {
        Self {
            issuer: issuer.clone(),
            token_endpoint: issuer.join(TOKEN_PATH),
            jwks_uri: issuer.join(JWKS_PATH),
            revocations_uri: Some(issuer.join(REVOCATIONS_PATH)),
            scopes_supported: names(scopes.iter()),
            response_types_supported: Vec::new(),
            grant_types_supported: names(["client_credentials"]),
            token_endpoint_auth_methods_supported: names(
                AuthenticationMethod::ALL.map(AuthenticationMethod::as_str),
            ),
            id_token_signing_alg_values_supported: names(["RS256", "ES256"]),
            subject_types_supported: names(["public"]),
        }
    }
}

/// The URL of an issuer's metadata by RFC 8414 section 3.1: the well-known path goes between host
/// and issuer path.
#[must_use]
pub fn oauth_discovery_url(issuer: &Issuer) -> String {
    let text = issuer.as_str();
    let authority = text.find("://").map_or(0, |at| at + "://".len());
    let path = text[authority..].find('/').map_or(text.len(), |at| authority + at);
    let (origin, path) = text.split_at(path);
    format!("{origin}{OAUTH_DISCOVERY_PATH}{path}")
}

/// The URL of an issuer's metadata by OpenID Connect Discovery section 4: the well-known path goes
/// behind the issuer path.
#[must_use]
pub fn oidc_discovery_url(issuer: &Issuer) -> String {
    issuer.join(OIDC_DISCOVERY_PATH)
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn issuer(text: &str) -> Issuer {
        text.parse().unwrap()
    }

    #[test]
    fn the_document_has_all_that_clients_look_for() {
        let scopes = "ledger:read orders:read".parse().unwrap();
        let metadata = ServerMetadata::of(&issuer("https://id.fleet.test"), &scopes);
        expect![[r#"
            {
              "issuer": "https://id.fleet.test",
              "token_endpoint": "https://id.fleet.test/oauth2/token",
              "jwks_uri": "https://id.fleet.test/.well-known/jwks.json",
              "revocations_uri": "https://id.fleet.test/.well-known/revocations",
              "scopes_supported": [
                "ledger:read",
                "orders:read"
              ],
              "response_types_supported": [],
              "grant_types_supported": [
                "client_credentials"
              ],
              "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post"
              ],
              "id_token_signing_alg_values_supported": [
                "RS256",
                "ES256"
              ],
              "subject_types_supported": [
                "public"
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&metadata).unwrap());
    }

    #[test]
    fn lists_are_present_even_when_they_are_empty() {
        let metadata = ServerMetadata::of(&issuer("https://id.fleet.test"), &ScopeSet::default());
        let json = serde_json::to_value(&metadata).unwrap();
        assert_eq!(json["scopes_supported"], serde_json::json!([]));
        assert_eq!(json["response_types_supported"], serde_json::json!([]));
    }

    #[test]
    fn other_servers_documents_are_read() {
        let read = |json: &str| serde_json::from_str::<ServerMetadata>(json);
        let metadata = read(
            r#"{"issuer":"https://a.test","token_endpoint":"https://a.test/t","jwks_uri":"https://a.test/k",
                "token_endpoint_auth_methods_supported":["private_key_jwt"],"new":true}"#,
        )
        .unwrap();
        assert_eq!(metadata.token_endpoint_auth_methods_supported, ["private_key_jwt"]);
        assert!(metadata.grant_types_supported.is_empty());
        assert!(read(r#"{"issuer":"https://a.test","token_endpoint":"https://a.test/t"}"#).is_err());
        assert!(read(r#"{"issuer":"http://a.test","token_endpoint":"x","jwks_uri":"x"}"#).is_err());
    }

    #[test]
    fn the_well_known_path_goes_where_its_standard_says() {
        let check = |text: &str, oauth: &str, oidc: &str| {
            assert_eq!(oauth_discovery_url(&issuer(text)), oauth);
            assert_eq!(oidc_discovery_url(&issuer(text)), oidc);
        };
        check(
            "https://a.test",
            "https://a.test/.well-known/oauth-authorization-server",
            "https://a.test/.well-known/openid-configuration",
        );
        check(
            "https://a.test:8443/t/1",
            "https://a.test:8443/.well-known/oauth-authorization-server/t/1",
            "https://a.test:8443/t/1/.well-known/openid-configuration",
        );
        check(
            "http://[::1]:8080/t",
            "http://[::1]:8080/.well-known/oauth-authorization-server/t",
            "http://[::1]:8080/t/.well-known/openid-configuration",
        );
    }
}
