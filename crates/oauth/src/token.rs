//! The token endpoint's question and answer (RFC 6749 sections 4.1.3, 4.4.2, 5.1 and 6, RFC 8707 section 2).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::form::Form;
use crate::{
    Audience, AuthorizationCode, ClientParameters, CodeVerifier, GrammarError, GrantType, RefreshToken,
    ScopeSet, TokenError,
};

/// A well-formed token request; who sent it is not proven yet.
///
/// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2),
/// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
#[derive(Debug)]
pub struct TokenRequest {
    /// What the client trades for a token.
    pub grant: GrantRequest,
    /// The scopes asked for; none: all that the client may have.
    pub scope: Option<ScopeSet>,
    /// The resource servers asked for, at most eight, without repetition.
    pub resource: Vec<Audience>,
    /// What the body says about the client.
    pub client: ClientParameters,
}

/// What a client trades for a token: one variant per grant type.
///
/// [RFC 6749 section 1.3](https://www.rfc-editor.org/rfc/rfc6749#section-1.3)
#[derive(Debug)]
pub enum GrantRequest {
    /// The client acts for itself ([RFC 6749 section
    /// 4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)).
    ClientCredentials,
    /// The client acts for a person who has signed in
    /// ([RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)).
    AuthorizationCode {
        /// The code.
        code: AuthorizationCode,
        /// The redirect URI of the authorization request, repeated.
        redirect_uri: Option<String>,
        /// The proof that this client has asked for the code. There is no request without one.
        code_verifier: CodeVerifier,
    },
    /// The client goes on acting for that person
    /// ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
    RefreshToken {
        /// The refresh token.
        refresh_token: RefreshToken,
    },
}

impl GrantRequest {
    /// The type of the grant.
    #[must_use]
    pub fn grant_type(&self) -> GrantType {
        match self {
            Self::ClientCredentials => GrantType::ClientCredentials,
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken { .. } => GrantType::RefreshToken,
        }
    }

    fn take(form: &mut Form) -> Result<Self, TokenError> {
        let invalid = |reason: &'static str| TokenError::InvalidRequest(reason.into());
        let name = form.take("grant_type").ok_or_else(|| invalid("grant_type is missing"))?;
        match name.parse().map_err(|_| TokenError::UnsupportedGrantType)? {
            GrantType::ClientCredentials => Ok(Self::ClientCredentials),
            GrantType::AuthorizationCode => {
                let code = form.take("code").ok_or_else(|| invalid("code is missing"))?;
                let verifier =
                    form.take("code_verifier").ok_or_else(|| invalid("code_verifier is missing"))?;
                Ok(Self::AuthorizationCode {
                    code: code.parse().map_err(|_| TokenError::InvalidGrant("not a code".into()))?,
                    redirect_uri: form.take("redirect_uri"),
                    code_verifier: verifier.parse().map_err(|GrammarError(rule)| invalid(rule))?,
                })
            }
            GrantType::RefreshToken => {
                let token = form.take("refresh_token").ok_or_else(|| invalid("refresh_token is missing"))?;
                let token = token.parse().map_err(|_| TokenError::InvalidGrant("not a refresh token".into()));
                Ok(Self::RefreshToken { refresh_token: token? })
            }
        }
    }
}

const MAX_RESOURCES: usize = 8;

impl TokenRequest {
    /// Reads an `application/x-www-form-urlencoded` body.
    ///
    /// Unknown parameters are ignored, but must be as well-formed as the others: given once, at
    /// most 8 KiB, whole percent escapes, UTF-8 without control characters. A parameter without a
    /// value counts as left out; a malformed one never does.
    ///
    /// # Errors
    /// `invalid_request` for a malformed body, a repeated parameter (except `resource`) and a
    /// missing `grant_type` or part of the grant, then `unsupported_grant_type`, `invalid_grant`,
    /// `invalid_scope`, `invalid_target` and `invalid_client` for malformed values of theirs.
    pub fn parse(form: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(form, "resource")?;
        let grant = GrantRequest::take(&mut form)?;
        let scope = form.take("scope").map(|text| text.parse()).transpose();
        Ok(Self {
            grant,
            scope: scope.map_err(|_| TokenError::InvalidScope)?,
            resource: resources(&mut form).map_err(|MalformedResource| TokenError::InvalidTarget)?,
            client: ClientParameters::take(&mut form)?,
        })
    }
}

/// A `resource` that is no audience, or too many of them.
pub(crate) struct MalformedResource;

/// Takes all resources out of a form (RFC 8707 section 2).
pub(crate) fn resources(form: &mut Form) -> Result<Vec<Audience>, MalformedResource> {
    let mut resources = Vec::new();
    while let Some(text) = form.take("resource") {
        let resource = text.parse().map_err(|_| MalformedResource)?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
        if resources.len() > MAX_RESOURCES {
            return Err(MalformedResource);
        }
    }
    Ok(resources)
}

/// The answer to a token request: the token and how long it lives, and for a person who signs in the
/// tokens beside it.
///
/// [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The token, to be sent to a resource server and shown to nobody else.
    pub access_token: String,
    /// How to present the token.
    pub token_type: TokenType,
    /// The token's lifetime from now, in seconds.
    pub expires_in: u64,
    /// What the token allows; may be left out if it is what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// The token to get the next one with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Who has signed in
    /// ([OpenID Connect Core section 3.1.3.3](https://openid.net/specs/openid-connect-core-1_0.html#TokenResponse)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// How a token is presented: as a bearer token, the only type there is here.
///
/// Any other type is an error on reading: a client must not send a token in a way it does not
/// understand ([RFC 6749 section 7.1](https://www.rfc-editor.org/rfc/rfc6749#section-7.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TokenType {
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750).
    Bearer,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &format_args!("[hidden]"))
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("refresh_token", &self.refresh_token.as_ref().map(|_| format_args!("[hidden]")))
            .field("id_token", &self.id_token.as_ref().map(|_| format_args!("[hidden]")))
            .finish()
    }
}

impl<'de> Deserialize<'de> for TokenType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.eq_ignore_ascii_case("Bearer") {
            Ok(Self::Bearer)
        } else {
            Err(de::Error::custom("the token type is not Bearer"))
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parse(form: &str) -> TokenRequest {
        TokenRequest::parse(form.as_bytes()).unwrap_or_else(|e| panic!("{form}: {e}"))
    }

    /// The grant type and then `rest`, refused with the code.
    fn refuses(rest: &str, code: &str) {
        let form = format!("grant_type=client_credentials{rest}");
        refuses_form(form.as_bytes(), code);
    }

    fn refuses_form(form: &[u8], code: &str) {
        let error = TokenRequest::parse(form).expect_err(code);
        assert_eq!(error.code(), code, "{}", String::from_utf8_lossy(form));
    }

    #[test]
    fn a_whole_request_is_read() {
        let request = parse(
            "grant_type=client_credentials&scope=ledger%3Aread+ledger%3Apost&resource=https%3A%2F%2Fledger.fleet.test\
             &resource=urn:b&client_id=orders&client_secret=s%2Bcret",
        );
        assert_eq!(request.grant.grant_type(), GrantType::ClientCredentials);
        assert_eq!(request.scope, Some("ledger:read ledger:post".parse().unwrap()));
        let resources: Vec<&str> = request.resource.iter().map(Audience::as_str).collect();
        assert_eq!(resources, ["https://ledger.fleet.test", "urn:b"]);
        assert_eq!(request.client.client_id, Some("orders".parse().unwrap()));
        assert_eq!(request.client.client_secret.unwrap().expose_secret(), "s+cret");
    }

    #[test]
    fn a_short_request_is_read() {
        let request = parse("grant_type=client_credentials");
        assert!(request.scope.is_none() && request.resource.is_empty());
        assert!(request.client.client_id.is_none() && request.client.client_secret.is_none());
    }

    #[test]
    fn the_grant_type_is_one_of_ours() {
        refuses_form(b"", "invalid_request");
        refuses_form(b"scope=a", "invalid_request");
        refuses_form(b"grant_type=", "invalid_request");
        refuses_form(b"grant_type", "invalid_request");
        refuses_form(b"Grant_Type=client_credentials", "invalid_request");
        for other in ["password", "implicit", "Client_Credentials", "client_credentials+", "refresh"] {
            refuses_form(format!("grant_type={other}").as_bytes(), "unsupported_grant_type");
        }
    }

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn code_form(code: &str, rest: &str) -> String {
        format!("grant_type=authorization_code&code={code}{rest}")
    }

    #[test]
    fn a_code_is_redeemed_with_its_verifier() {
        let code = AuthorizationCode::from_random([1; 32]);
        let rest = format!("&code_verifier={VERIFIER}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb");
        let request = parse(&code_form(code.expose(), &rest));
        let GrantRequest::AuthorizationCode { code: read, redirect_uri, code_verifier } = request.grant
        else {
            panic!("another grant");
        };
        assert_eq!(read.hash(), code.hash());
        assert_eq!(redirect_uri.as_deref(), Some("https://app.example/cb"));
        assert_eq!(code_verifier.expose(), VERIFIER);
    }

    // S-62
    #[test]
    fn no_code_is_redeemed_without_a_verifier() {
        let code = AuthorizationCode::from_random([1; 32]);
        let refuses = |rest: &str| refuses_form(code_form(code.expose(), rest).as_bytes(), "invalid_request");
        refuses("");
        refuses("&code_verifier=");
        refuses("&code_verifier=a");
        refuses(&format!("&code_verifier={}", &VERIFIER[1..]));
        refuses(&format!("&code_verifier={}", "a".repeat(129)));
        refuses(&format!("&code_verifier={VERIFIER}%2B"));
        refuses(&format!("&code_verifier={VERIFIER}&code_verifier={VERIFIER}"));
        refuses_form(
            format!("grant_type=authorization_code&code_verifier={VERIFIER}").as_bytes(),
            "invalid_request",
        );
    }

    // S-71
    #[test]
    fn a_token_of_another_kind_is_no_grant() {
        let encoded = &RefreshToken::from_random([1; 32]).expose()[3..].to_owned();
        let verifier = format!("&code_verifier={VERIFIER}");
        parse(&format!("grant_type=refresh_token&refresh_token=rt_{encoded}"));
        let jwt = "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2lnbmF0dXJl";
        for token in [format!("ac_{encoded}"), encoded.clone(), format!("ss_{encoded}"), jwt.to_owned()] {
            let form = format!("grant_type=refresh_token&refresh_token={token}");
            refuses_form(form.as_bytes(), "invalid_grant");
        }
        for code in [format!("rt_{encoded}"), encoded.clone(), jwt.to_owned()] {
            refuses_form(code_form(&code, &verifier).as_bytes(), "invalid_grant");
        }
        refuses_form(b"grant_type=refresh_token", "invalid_request");
    }

    // S-68
    #[test]
    fn a_repeated_parameter_is_refused() {
        refuses("&grant_type=client_credentials", "invalid_request");
        refuses("&grant_type=password", "invalid_request");
        refuses("&grant%5Ftype=client_credentials", "invalid_request");
        refuses("&scope=a&scope=b", "invalid_request");
        refuses("&scope=a&scope=a", "invalid_request");
        refuses("&scope=&scope=a", "invalid_request");
        refuses("&scope&scope", "invalid_request");
        refuses("&client_id=a&client_id=a", "invalid_request");
        refuses("&client_secret=a&client_secret=b", "invalid_request");
        refuses("&unknown=a&unknown=b", "invalid_request");
        refuses("&=a&=b", "invalid_request");
    }

    // S-68
    #[test]
    fn an_unknown_parameter_is_ignored_but_must_be_well_formed() {
        assert!(parse("grant_type=client_credentials&subject_token=x&a=%C3%A9").scope.is_none());
        refuses("&x=%", "invalid_request");
        refuses("&x%zz=1", "invalid_request");
        refuses("&x=%ff", "invalid_request");
        refuses("&x=%00", "invalid_request");
        refuses("&x=a%0Ab", "invalid_request");
        refuses_form(b"grant_type=client_credentials&x=\xff", "invalid_request");
        let many = (0..64).map(|n| format!("&p{n}=")).collect::<Vec<_>>().concat();
        refuses(&many, "invalid_request");
    }

    // S-68
    #[test]
    fn an_over_long_parameter_is_refused_and_never_left_out() {
        for name in ["scope", "resource", "client_id", "client_secret", "subject_token", "unknown"] {
            refuses(&format!("&{name}={}", "a".repeat(8193)), "invalid_request");
            refuses(&format!("&{name}={}", "a".repeat(65_536)), "invalid_request");
        }
        refuses(&format!("&{}=1", "n".repeat(8193)), "invalid_request");
        parse(&format!("grant_type=client_credentials&subject_token={}", "a".repeat(8192)));
    }

    // S-68
    #[test]
    fn a_parameter_without_a_value_counts_as_left_out() {
        for form in [
            "grant_type=client_credentials&scope=&resource=&client_id=&client_secret=",
            "grant_type=client_credentials&scope&resource&client_id&client_secret",
            "&&grant_type=client_credentials&&resource=&resource=&",
        ] {
            let request = parse(form);
            assert!(request.scope.is_none() && request.resource.is_empty());
            assert!(request.client.client_id.is_none() && request.client.client_secret.is_none());
        }
        assert_eq!(parse("grant_type=client_credentials&resource=&resource=urn:a").resource.len(), 1);
    }

    #[test]
    fn malformed_values_have_the_code_of_their_parameter() {
        refuses("&scope=+", "invalid_scope");
        refuses("&scope=a++b", "invalid_scope");
        refuses("&scope=a%22", "invalid_scope");
        refuses("&scope=%C3%A9", "invalid_scope");
        refuses(&format!("&scope={}", "a+".repeat(1025)), "invalid_scope");
        refuses("&resource=ledger", "invalid_target");
        refuses("&resource=https://a.test%23part", "invalid_target");
        refuses("&resource=urn:a&resource=nothing", "invalid_target");
        refuses("&client_id=user:alice", "invalid_client");
    }

    #[test]
    fn at_most_eight_resources_are_asked_for() {
        let resources = |count: usize| {
            let all: Vec<_> = (0..count).map(|n| format!("&resource=urn:r{n}")).collect();
            all.concat()
        };
        assert_eq!(parse(&format!("grant_type=client_credentials{}", resources(8))).resource.len(), 8);
        refuses(&resources(9), "invalid_target");
        assert_eq!(parse("grant_type=client_credentials&resource=urn:a&resource=urn:a").resource.len(), 1);
    }

    // S-103
    #[test]
    fn neither_request_nor_response_shows_a_secret() {
        let request = parse("grant_type=client_credentials&client_id=orders&client_secret=canary");
        assert!(!format!("{request:?}").contains("canary"));
        let code = AuthorizationCode::from_random([1; 32]);
        let request =
            format!("{:?}", parse(&code_form(code.expose(), &format!("&code_verifier={VERIFIER}"))));
        assert!(!request.contains(code.expose()) && !request.contains(VERIFIER));
        let response = TokenResponse {
            access_token: "canary".into(),
            token_type: TokenType::Bearer,
            expires_in: 300,
            scope: None,
            refresh_token: Some("canary".into()),
            id_token: Some("canary".into()),
        };
        assert!(!format!("{response:?}").contains("canary"));
    }

    #[test]
    fn a_response_is_that_of_the_standard() {
        let mut response = TokenResponse {
            access_token: "t".into(),
            token_type: TokenType::Bearer,
            expires_in: 300,
            scope: Some("a b".parse().unwrap()),
            refresh_token: None,
            id_token: None,
        };
        let json = serde_json::to_string(&response).unwrap();
        assert_eq!(json, r#"{"access_token":"t","token_type":"Bearer","expires_in":300,"scope":"a b"}"#);
        response.scope = None;
        let json = serde_json::to_string(&response).unwrap();
        assert_eq!(json, r#"{"access_token":"t","token_type":"Bearer","expires_in":300}"#);
        (response.refresh_token, response.id_token) = (Some("r".into()), Some("i".into()));
        let json = serde_json::to_string(&response).unwrap();
        assert_eq!(
            json,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":300,"refresh_token":"r","id_token":"i"}"#
        );
    }

    #[test]
    fn a_response_is_read_with_the_type_in_any_case() {
        let read = |kind: &str| {
            let json = format!(r#"{{"access_token":"t","token_type":"{kind}","expires_in":300,"new":1}}"#);
            serde_json::from_str::<TokenResponse>(&json).is_ok()
        };
        assert!(read("Bearer") && read("bearer") && read("BEARER"));
        assert!(!read("DPoP") && !read("") && !read("mac"));
    }
}
