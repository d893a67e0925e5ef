//! The introspection endpoint's question and answer (RFC 7662 section 2).

use claviger_jose::NumericDate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{ClientParameters, ScopeSet, TokenError, TokenTypeHint, form::Form, revocation::token};

/// A well-formed question about a token; who asks is not proven yet.
///
/// [RFC 7662 section 2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)
#[derive(Debug)]
#[non_exhaustive]
pub struct IntrospectionRequest {
    /// The token.
    pub token: SecretString,
    /// What the caller thinks it is.
    pub hint: Option<TokenTypeHint>,
    /// What the body says about the client.
    pub client: ClientParameters,
}

impl IntrospectionRequest {
    /// Reads an `application/x-www-form-urlencoded` body.
    ///
    /// # Errors
    /// As for [`RevocationRequest::parse`](crate::RevocationRequest::parse).
    pub fn parse(form: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(form, "")?;
        let (token, hint) = token(&mut form)?;
        Ok(Self { token, hint, client: ClientParameters::take(&mut form)? })
    }
}

/// What is said about a token: everything about one that is active and that the caller may see, and of every other
/// only that it is not.
///
/// [RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntrospectionResponse {
    /// Whether the token is good.
    pub active: bool,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// The client that it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// How it is presented; none for a refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<NumericDate>,
    /// When it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<NumericDate>,
    /// Whom it speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Who issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The session in which it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

impl IntrospectionResponse {
    /// That a token is not active, and nothing more: whether it is unknown, expired, revoked or somebody else's.
    #[must_use]
    pub fn inactive() -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-82
    #[test]
    fn nothing_is_said_about_a_token_that_is_not_active() {
        assert_eq!(serde_json::to_string(&IntrospectionResponse::inactive()).unwrap(), r#"{"active":false}"#);
    }

    // S-82
    #[test]
    fn a_question_is_about_one_token() {
        let parse = |form: &str| IntrospectionRequest::parse(form.as_bytes());
        assert!(parse("token=a&token_type_hint=access_token").unwrap().hint.is_some());
        assert_eq!(parse("client_id=a").unwrap_err().code(), "invalid_request");
        assert_eq!(parse("token=a&token=a").unwrap_err().code(), "invalid_request");
    }
}
