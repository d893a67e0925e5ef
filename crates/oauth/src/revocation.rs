//! The revocation endpoint's question (RFC 7009 section 2.1).

use secrecy::SecretString;

use crate::{ClientParameters, TokenError, form::Form};

/// A well-formed request to revoke a token; who sent it is not proven yet.
///
/// [RFC 7009 section 2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)
#[derive(Debug)]
#[non_exhaustive]
pub struct RevocationRequest {
    /// The token.
    pub token: SecretString,
    /// What the client thinks it is.
    pub hint: Option<TokenTypeHint>,
    /// What the body says about the client.
    pub client: ClientParameters,
}

/// What a client thinks that a token is. A wrong hint changes nothing but the order of looking: a token says by
/// itself what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// `access_token`.
    AccessToken,
    /// `refresh_token`.
    RefreshToken,
}

impl RevocationRequest {
    /// Reads an `application/x-www-form-urlencoded` body. A hint that is unknown is none
    /// ([RFC 7009 section 2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)).
    ///
    /// # Errors
    /// `invalid_request` for a malformed body, a repeated parameter and a missing `token`; `invalid_client` for a
    /// malformed `client_id`.
    pub fn parse(form: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(form, "")?;
        let (token, hint) = token(&mut form)?;
        Ok(Self { token, hint, client: ClientParameters::take(&mut form)? })
    }
}

/// What the endpoints that are asked about a token have in common.
pub(crate) fn token(form: &mut Form) -> Result<(SecretString, Option<TokenTypeHint>), TokenError> {
    let token = form.take("token").ok_or(TokenError::InvalidRequest("token is missing".into()))?;
    let hint = match form.take("token_type_hint").as_deref() {
        Some("access_token") => Some(TokenTypeHint::AccessToken),
        Some("refresh_token") => Some(TokenTypeHint::RefreshToken),
        _ => None,
    };
    Ok((token.into(), hint))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parse(form: &str) -> Result<RevocationRequest, TokenError> {
        RevocationRequest::parse(form.as_bytes())
    }

    // S-81
    #[test]
    fn a_request_names_one_token() {
        let request = parse("token=rt_abc&token_type_hint=refresh_token&client_id=shop").unwrap();
        assert_eq!(request.token.expose_secret(), "rt_abc");
        assert_eq!(request.hint, Some(TokenTypeHint::RefreshToken));
        assert_eq!(request.client.client_id, Some("shop".parse().unwrap()));
        assert_eq!(parse("token=a&token_type_hint=saml").unwrap().hint, None);
        for form in ["", "token=", "token=a&token=b", "token=%zz", &format!("token={}", "a".repeat(8193))] {
            assert_eq!(parse(form).unwrap_err().code(), "invalid_request", "{form}");
        }
    }

    // S-103
    #[test]
    fn a_request_does_not_print_the_token() {
        assert!(!format!("{:?}", parse("token=canary").unwrap()).contains("canary"));
    }
}
