//! What a server publishes about itself, and where (RFC 8414, OpenID Connect Discovery 1.0).

use serde::{Deserialize, Serialize};

use crate::{
    AuthenticationMethod, GrantType, IDENTITY_SCOPES, Issuer, Prompt, ResponseMode, ScopeSet, pkce::S256,
    standard_claims,
};

/// The path of the token endpoint, under the issuer.
pub const TOKEN_PATH: &str = "/oauth2/token";
/// The path of the authorization endpoint, under the issuer.
pub const AUTHORIZE_PATH: &str = "/oauth2/authorize";
/// The path of the endpoint for pushed authorization requests (RFC 9126), under the issuer.
pub const PAR_PATH: &str = "/oauth2/par";
/// The path of the authorization challenge endpoint (OAuth 2.0 for First-Party Applications), under the issuer.
pub const AUTHORIZE_CHALLENGE_PATH: &str = "/oauth2/authorize-challenge";
/// The path of the userinfo endpoint, under the issuer.
pub const USERINFO_PATH: &str = "/oauth2/userinfo";
/// The path of the revocation endpoint (RFC 7009), under the issuer.
pub const REVOKE_PATH: &str = "/oauth2/revoke";
/// The path of the introspection endpoint (RFC 7662), under the issuer.
pub const INTROSPECT_PATH: &str = "/oauth2/introspect";
/// The path where people sign out (OpenID Connect RP-Initiated Logout), under the issuer.
pub const LOGOUT_PATH: &str = "/oauth2/logout";
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
    /// Empty where there is no authorization endpoint, and present because it is a required member.
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
    /// What there is where people sign in.
    #[serde(flatten)]
    pub sign_in: SignInMetadata,
}

/// What a server publishes about signing people in; empty where nobody does.
///
/// [OpenID Connect Discovery section 3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata),
/// [RFC 9126 section 5](https://www.rfc-editor.org/rfc/rfc9126#section-5),
/// [RFC 9207 section 3](https://www.rfc-editor.org/rfc/rfc9207#section-3)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SignInMetadata {
    /// Where people sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where clients push their requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether every client must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_pushed_authorization_requests: Option<bool>,
    /// Where first-party applications send what people typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_challenge_endpoint: Option<String>,
    /// Where clients learn about people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<String>,
    /// Where tokens are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// How clients authenticate there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// Where tokens are asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// How clients authenticate there: not with nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Where people sign out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_session_endpoint: Option<String>,
    /// How answers reach clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<String>,
    /// The methods of PKCE: there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<String>,
    /// Every answer says whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_response_iss_parameter_supported: Option<bool>,
    /// The algorithms of client assertions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// What may be asked to be shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt_values_supported: Vec<String>,
    /// The claims that there may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims_supported: Vec<String>,
    /// Claims stand by themselves, never elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claim_types_supported: Vec<String>,
    /// Claims may be asked for by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims_parameter_supported: Option<bool>,
    /// Requests are no JWTs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameter_supported: Option<bool>,
    /// Requests are not fetched from anywhere. Left out, it would say that they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_uri_parameter_supported: Option<bool>,
    /// The languages of the pages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ui_locales_supported: Vec<String>,
    /// Clients are told when a session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_supported: Option<bool>,
    /// And which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_session_supported: Option<bool>,
}

impl ServerMetadata {
    /// The document of a server of this house where only services get tokens.
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
            token_endpoint_auth_methods_supported: methods(AuthenticationMethod::has_secret),
            id_token_signing_alg_values_supported: names(["RS256", "ES256"]),
            subject_types_supported: names(["public"]),
            sign_in: SignInMetadata::default(),
        }
    }

    /// The document of a server of this house where people sign in. `scopes` are those of the resource servers, `locales`
    /// the languages of the pages.
    #[must_use]
    pub fn of_provider(issuer: &Issuer, scopes: &ScopeSet, locales: &[&str]) -> Self {
        Self {
            scopes_supported: names(IDENTITY_SCOPES.into_iter().chain(scopes.iter())),
            response_types_supported: names(["code"]),
            grant_types_supported: names(GrantType::ALL.map(GrantType::as_str)),
            token_endpoint_auth_methods_supported: methods(|_| true),
            sign_in: SignInMetadata::of(issuer, locales),
            ..Self::of(issuer, scopes)
        }
    }
}

impl SignInMetadata {
    fn of(issuer: &Issuer, locales: &[&str]) -> Self {
        let protocol = ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "sid"];
        Self {
            authorization_endpoint: Some(issuer.join(AUTHORIZE_PATH)),
            pushed_authorization_request_endpoint: Some(issuer.join(PAR_PATH)),
            require_pushed_authorization_requests: Some(false),
            authorization_challenge_endpoint: Some(issuer.join(AUTHORIZE_CHALLENGE_PATH)),
            userinfo_endpoint: Some(issuer.join(USERINFO_PATH)),
            revocation_endpoint: Some(issuer.join(REVOKE_PATH)),
            revocation_endpoint_auth_methods_supported: methods(|_| true),
            introspection_endpoint: Some(issuer.join(INTROSPECT_PATH)),
            introspection_endpoint_auth_methods_supported: methods(|method| {
                method != AuthenticationMethod::None
            }),
            end_session_endpoint: Some(issuer.join(LOGOUT_PATH)),
            response_modes_supported: names(ResponseMode::ALL.map(ResponseMode::as_str)),
            code_challenge_methods_supported: names([S256]),
            authorization_response_iss_parameter_supported: Some(true),
            token_endpoint_auth_signing_alg_values_supported: names(["RS256", "ES256"]),
            prompt_values_supported: names(Prompt::ALL.map(Prompt::as_str)),
            claims_supported: names(protocol.into_iter().chain(standard_claims())),
            claim_types_supported: names(["normal"]),
            claims_parameter_supported: Some(true),
            request_parameter_supported: Some(false),
            request_uri_parameter_supported: Some(false),
            ui_locales_supported: names(locales.iter().copied()),
            backchannel_logout_supported: Some(true),
            backchannel_logout_session_supported: Some(true),
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

fn methods(which: impl Fn(AuthenticationMethod) -> bool) -> Vec<String> {
    names(
        AuthenticationMethod::ALL
            .into_iter()
            .filter(|method| which(*method))
            .map(AuthenticationMethod::as_str),
    )
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

    // S-65
    #[test]
    fn every_endpoint_is_under_the_configured_issuer_and_every_answer_says_whose_it_is() {
        let scopes = "orders:read".parse().unwrap();
        let metadata =
            ServerMetadata::of_provider(&issuer("https://id.fleet.test/t"), &scopes, &["en", "ko"]);
        let json = serde_json::to_value(&metadata).unwrap();
        let members = json.as_object().unwrap();
        let urls: Vec<_> = members.iter().filter(|(_, value)| value.to_string().contains("://")).collect();
        assert_eq!(urls.len(), 11, "{urls:?}");
        for (name, url) in urls {
            assert!(url.as_str().unwrap().starts_with("https://id.fleet.test/t"), "{name}");
        }
        assert_eq!(json["authorization_response_iss_parameter_supported"], true);
        assert_eq!(json["grant_types_supported"][1], "authorization_code");
        assert_eq!(json["scopes_supported"].as_array().unwrap().len(), 7);
    }

    // S-61
    #[test]
    fn the_document_announces_nothing_that_there_is_not() {
        let metadata =
            ServerMetadata::of_provider(&issuer("https://id.fleet.test"), &ScopeSet::default(), &["en"]);
        let json = serde_json::to_value(&metadata).unwrap();
        assert_eq!(json["response_types_supported"], serde_json::json!(["code"]));
        assert_eq!(json["code_challenge_methods_supported"], serde_json::json!(["S256"]));
        assert_eq!(json["request_uri_parameter_supported"], false);
        let text = json.to_string();
        assert!(!text.contains("implicit") && !text.contains("\"password\"") && !text.contains("plain"));
        // A document of an older server is read as one where nobody signs in.
        let older = ServerMetadata::of(&issuer("https://id.fleet.test"), &ScopeSet::default());
        assert_eq!(older.sign_in, SignInMetadata::default());
        let read: ServerMetadata = serde_json::from_value(json).unwrap();
        assert_eq!(read, metadata);
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
