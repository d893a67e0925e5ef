//! What a person allowed a client: bound to a code when it is given, and to all that follows from it.

use claviger_jose::NumericDate;
use serde::{Deserialize, Serialize};

use crate::{Allowed, Audience, ClaimsRequest, CodeChallenge, CodeVerifier, ScopeSet, TokenError};

/// What a person allowed a client, and how that person had authenticated. Kept as JSON with a code and with
/// the family of refresh tokens that comes of it.
///
/// [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    /// What was allowed. It only ever narrows.
    pub scope: ScopeSet,
    /// At which resource servers.
    pub audiences: Vec<Audience>,
    /// Which of the scopes at which of them, and which of the person's identity. `None` of what was allowed before this was
    /// kept: no consent covers that.
    #[serde(default)]
    pub allowed: Option<Allowed>,
    /// The redirect URI of the request, to be repeated when the code is redeemed; none where the code was not
    /// sent through a browser.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// What the client has to prove when it redeems the code.
    #[serde(default)]
    pub code_challenge: Option<CodeChallenge>,
    /// What the client is to find again in the ID token.
    #[serde(default)]
    pub nonce: Option<String>,
    /// When the person authenticated.
    pub auth_time: NumericDate,
    /// In which ways (RFC 8176).
    #[serde(default)]
    pub amr: Vec<String>,
    /// How strongly.
    #[serde(default)]
    pub acr: Option<String>,
    /// Claims that were asked for by name.
    #[serde(default)]
    pub claims: Option<ClaimsRequest>,
    /// The thumbprint of the key that tokens are bound to (RFC 9449 section 10). So far none is: a request with `dpop_jkt`
    /// is refused.
    #[serde(default)]
    pub dpop_jkt: Option<String>,
}

impl Authorization {
    /// Whether a code that is bound to this may be redeemed so: by whoever has the verifier of the challenge, with the
    /// redirect URI repeated byte for byte.
    ///
    /// Asked when it is proven which client redeems the code. Whatever the answer, the code is used up: else its
    /// verifier could be guessed at leisure.
    ///
    /// # Errors
    /// `invalid_grant` for a wrong verifier, for a code without a challenge, and for another redirect URI, one too many
    /// or one too few.
    ///
    /// [RFC 7636 section 4.6](https://www.rfc-editor.org/rfc/rfc7636#section-4.6),
    /// [RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)
    pub fn check_redemption(
        &self,
        redirect_uri: Option<&str>,
        code_verifier: &CodeVerifier,
    ) -> Result<(), TokenError> {
        let refuse = |reason: &'static str| Err(TokenError::InvalidGrant(reason.into()));
        match &self.code_challenge {
            None => return refuse("a verifier for a code without a challenge"),
            Some(challenge) if !challenge.is_of(code_verifier) => return refuse("wrong code_verifier"),
            Some(_) => {}
        }
        if self.redirect_uri.as_deref() != redirect_uri {
            return refuse("not the redirect_uri of the request");
        }
        Ok(())
    }

    /// What a request for tokens gets of this: it narrows, and never widens
    /// ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
    ///
    /// # Errors
    /// `invalid_scope` for a scope that was not allowed.
    pub fn narrow(&self, requested: Option<&ScopeSet>) -> Result<ScopeSet, TokenError> {
        self.scope.narrow(requested).map_err(|_| TokenError::InvalidScope)
    }

    /// Whether a token for this audience may have the scope, of those that were allowed.
    #[must_use]
    pub fn allows_at(&self, audience: &Audience, scope: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.allows_at(audience, scope))
    }

    /// Which of the resource servers a request is for: the one that it names, or the only one there is
    /// ([RFC 8707 section 2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2)).
    ///
    /// # Errors
    /// `invalid_target` for one that was not allowed, for several at once, and for none where there are several.
    pub fn audience(&self, requested: &[Audience]) -> Result<&Audience, TokenError> {
        let audience = match (requested, &self.audiences[..]) {
            ([requested], allowed) => allowed.iter().find(|allowed| *allowed == requested),
            ([], [only]) => Some(only),
            _ => None,
        };
        audience.ok_or(TokenError::InvalidTarget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const URI: &str = "https://app.example/cb";

    fn authorization() -> Authorization {
        Authorization {
            scope: "openid orders:read orders:write".parse().unwrap(),
            audiences: vec!["urn:orders".parse().unwrap(), "urn:ledger".parse().unwrap()],
            allowed: None,
            redirect_uri: Some(URI.to_owned()),
            code_challenge: Some(CodeChallenge::of(&VERIFIER.parse().unwrap())),
            nonce: None,
            auth_time: NumericDate::from_secs(1_700_000_000),
            amr: vec!["pwd".to_owned()],
            acr: None,
            claims: None,
            dpop_jkt: None,
        }
    }

    fn redeem(
        authorization: &Authorization,
        redirect_uri: Option<&str>,
        verifier: &str,
    ) -> Result<(), &'static str> {
        let verifier = verifier.parse().unwrap();
        authorization.check_redemption(redirect_uri, &verifier).map_err(|error| error.code())
    }

    // S-62
    #[test]
    fn only_the_verifier_of_its_challenge_redeems_a_code() {
        assert_eq!(redeem(&authorization(), Some(URI), VERIFIER), Ok(()));
        assert_eq!(redeem(&authorization(), Some(URI), &VERIFIER.replace('k', "l")), Err("invalid_grant"));
        let challenge = authorization().code_challenge.unwrap();
        assert_eq!(redeem(&authorization(), Some(URI), challenge.as_str()), Err("invalid_grant"));
        let without = Authorization { code_challenge: None, ..authorization() };
        assert_eq!(redeem(&without, Some(URI), VERIFIER), Err("invalid_grant"));
    }

    // S-63
    #[test]
    fn a_code_is_redeemed_with_the_redirect_uri_of_its_request() {
        for other in [None, Some(""), Some("https://app.example/cb/"), Some("https://APP.example/cb")] {
            assert_eq!(redeem(&authorization(), other, VERIFIER), Err("invalid_grant"), "{other:?}");
        }
        let direct = Authorization { redirect_uri: None, ..authorization() };
        assert_eq!(redeem(&direct, None, VERIFIER), Ok(()));
        assert_eq!(redeem(&direct, Some(URI), VERIFIER), Err("invalid_grant"));
    }

    // S-77
    #[test]
    fn what_was_allowed_only_narrows() {
        let narrow =
            |scope: &str| authorization().narrow(Some(&scope.parse().unwrap())).map_err(|error| error.code());
        assert_eq!(authorization().narrow(None), Ok(authorization().scope));
        assert_eq!(narrow("orders:read"), Ok("orders:read".parse().unwrap()));
        assert_eq!(narrow("orders:read orders:delete"), Err("invalid_scope"));
        assert_eq!(narrow("offline_access"), Err("invalid_scope"));
    }

    // S-77
    #[test]
    fn an_audience_is_one_of_those_that_were_allowed() {
        let of = |authorization: &Authorization, requested: &[&str]| {
            let requested: Vec<Audience> = requested.iter().map(|text| text.parse().unwrap()).collect();
            authorization.audience(&requested).map(Audience::to_string).map_err(|error| error.code())
        };
        let both = authorization();
        assert_eq!(of(&both, &["urn:ledger"]), Ok("urn:ledger".to_owned()));
        assert_eq!(of(&both, &["urn:other"]), Err("invalid_target"));
        assert_eq!(of(&both, &["urn:ledger", "urn:orders"]), Err("invalid_target"));
        assert_eq!(of(&both, &[]), Err("invalid_target"));
        let one = Authorization { audiences: vec!["urn:orders".parse().unwrap()], ..authorization() };
        assert_eq!(of(&one, &[]), Ok("urn:orders".to_owned()));
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let kept = serde_json::to_string(&authorization()).unwrap();
        assert_eq!(serde_json::from_str::<Authorization>(&kept).unwrap(), authorization());
        let least = r#"{"scope":"openid","audiences":[],"auth_time":1700000000}"#;
        assert!(serde_json::from_str::<Authorization>(least).is_ok());
    }
}
