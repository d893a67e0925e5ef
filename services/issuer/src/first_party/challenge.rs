use axum::{body::Body, response::Response};
use claviger_oauth::{Audience, ClientParameters, Form, ScopeSet};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::json;

use super::{
    InProtocol, Refusal, malformed, private,
    sign_in::{Asked, Bound, Keeper, Typed, first_party, sign_in},
};
use crate::{browser::Visitor, http::read_form};

/// The authorization challenge endpoint (OAuth 2.0 for First-Party Applications, section 5).
///
/// It keeps nothing between two requests, and so hands out no `auth_session`: a client sends what the person has typed with
/// the request that the code is for.
pub(super) async fn authorize_challenge(visitor: Visitor, body: Body) -> Result<Response, InProtocol> {
    let form = read_form(visitor.headers(), body).await;
    let form = form.map_err(|_| malformed("the body must be a form of at most 64 KiB"))?;
    let client = first_party(&visitor, &ClientParameters::parse(&form)?).await?;
    let challenge = Challenge::parse(&form)?;
    let access = challenge.asked.access(&visitor, &client)?;
    let typed = challenge.typed.ok_or(Refusal::Insufficient)?;
    let arrival = sign_in(&visitor, &typed, Keeper::Client).await?;
    let code = arrival.code(&visitor, &client, access, challenge.bound).await?;
    Ok(private(StatusCode::OK, &json!({ "authorization_code": code.expose() })))
}

/// A well-formed request.
struct Challenge {
    asked: Asked,
    bound: Bound,
    typed: Option<Typed>,
}

impl Challenge {
    /// PKCE is for every client (RFC 9700 section 2.1.1); a redirect URI is for none here, for nobody is redirected.
    fn parse(form: &[u8]) -> Result<Self, Refusal> {
        let mut form = Form::parse(form, "resource").map_err(Refusal::from)?;
        if form.take("response_type").is_some_and(|kind| kind != "code") {
            return Err(malformed("response_type must be code"));
        }
        if form.take("redirect_uri").is_some() {
            return Err(malformed("redirect_uri has no meaning here"));
        }
        if form.take("code_challenge_method").as_deref() != Some("S256") {
            return Err(malformed("code_challenge_method must be S256"));
        }
        let code_challenge =
            form.take("code_challenge").ok_or_else(|| malformed("code_challenge is missing"))?;
        let code_challenge = code_challenge.parse().map_err(|_| malformed("code_challenge is malformed"))?;
        let scope: Option<ScopeSet> = form
            .take("scope")
            .map(|scope| scope.parse())
            .transpose()
            .map_err(|_| malformed("scope is malformed"))?;
        let mut resource: Vec<Audience> = Vec::new();
        while let Some(audience) = form.take("resource") {
            resource.push(audience.parse().map_err(|_| malformed("resource is malformed"))?);
        }
        let nonce = form.take("nonce");
        let typed = match (form.take("username"), form.take("password")) {
            (Some(username), Some(password)) => {
                Some(Typed { username, password: SecretString::from(password) })
            }
            _ => None,
        };
        Ok(Self { asked: Asked { scope, resource }, bound: Bound { code_challenge, nonce }, typed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PKCE: &str =
        "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    #[track_caller]
    fn check(form: &str, expected: Result<bool, &str>) {
        let parsed = Challenge::parse(form.as_bytes());
        let found = parsed.map(|challenge| challenge.typed.is_some()).map_err(|refusal| refusal.to_string());
        assert_eq!(found.as_ref().map_err(String::as_str).copied(), expected, "{form}");
    }

    // S-62 S-68
    #[test]
    fn a_challenge_has_pkce_and_no_redirect_uri() {
        check(&format!("{PKCE}&username=ann&password=p"), Ok(true));
        check(&format!("{PKCE}&username=ann"), Ok(false));
        check(&format!("{PKCE}&username=&password=p"), Ok(false));
        check(&format!("{PKCE}&response_type=code&scope=openid"), Ok(false));
        check("username=ann&password=p", Err("code_challenge_method must be S256"));
        check(&PKCE.replace("S256", "plain"), Err("code_challenge_method must be S256"));
        check("code_challenge_method=S256", Err("code_challenge is missing"));
        check("code_challenge_method=S256&code_challenge=short", Err("code_challenge is malformed"));
        check(
            &format!("{PKCE}&redirect_uri=https%3A%2F%2Fa.example"),
            Err("redirect_uri has no meaning here"),
        );
        check(&format!("{PKCE}&response_type=token"), Err("response_type must be code"));
        check(&format!("{PKCE}&resource=not%20one"), Err("resource is malformed"));
        let repeated = Challenge::parse(format!("{PKCE}&username=a&username=b").as_bytes());
        assert!(matches!(repeated, Err(Refusal::Token(error)) if error.code() == "invalid_request"));
    }
}
