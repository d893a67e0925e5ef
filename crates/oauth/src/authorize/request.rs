use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ClaimsRequest, Prompts, ResponseMode};
use crate::{
    Audience, AuthorizeError, AuthorizeQuery, ClientId, CodeChallenge, GrammarError, RedirectTarget,
    ScopeSet, Subject,
    form::Form,
    pkce::S256,
    token::{MalformedResource, resources},
};

/// A well-formed request for a code, by a client whose redirect URI is proven; whether the client may have
/// what it asks for, and who signs in, is not decided yet.
///
/// As JSON it is kept while a person signs in, and when it was pushed.
///
/// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1),
/// [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest),
/// [RFC 7636 section 4.3](https://www.rfc-editor.org/rfc/rfc7636#section-4.3),
/// [RFC 8707 section 2.1](https://www.rfc-editor.org/rfc/rfc8707#section-2.1)
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes: what was presented, which is not what is registered where a native application
    /// chose its port.
    pub redirect_uri: String,
    /// How the answer goes there.
    pub response_mode: ResponseMode,
    /// The scopes asked for; empty: none.
    pub scope: ScopeSet,
    /// What the client is to find again in the answer.
    #[serde(default)]
    pub state: Option<String>,
    /// What the client is to find again in the ID token.
    #[serde(default)]
    pub nonce: Option<String>,
    /// What the client will prove when it redeems the code. There is no request without one.
    pub code_challenge: CodeChallenge,
    /// What is to be shown, or not.
    #[serde(default)]
    pub prompt: Prompts,
    /// How long ago the person may have authenticated.
    #[serde(default)]
    pub max_age: Option<Duration>,
    /// Who will probably sign in.
    #[serde(default)]
    pub login_hint: Option<String>,
    /// The person that the client means: of whom an ID token tells that it has shown.
    #[serde(default)]
    pub hinted: Option<Subject>,
    /// How strongly the person is asked to authenticate, the best first. A wish.
    #[serde(default)]
    pub acr_values: Vec<String>,
    /// Claims that are asked for by name.
    #[serde(default)]
    pub claims: Option<ClaimsRequest>,
    /// The languages of the person, the best first.
    #[serde(default)]
    pub ui_locales: Vec<String>,
    /// The resource servers asked for, at most eight, without repetition.
    #[serde(default)]
    pub resource: Vec<Audience>,
}

/// The longest values that are kept with a code, in bytes.
const MAX_NONCE: usize = 512;
const MAX_LOGIN_HINT: usize = 512;
/// The most names in a list that is no more than a wish.
const MAX_WISHES: usize = 16;

impl AuthorizationRequest {
    /// Reads the request. An unknown parameter is ignored, but must be as well-formed as the others; a malformed
    /// one is an error and never left out.
    ///
    /// `hinted` verifies an ID token that the client shows as `id_token_hint`, and answers whom it tells of.
    ///
    /// # Errors
    /// To be answered through the target: `invalid_request`, `unsupported_response_type`, `invalid_scope`,
    /// `invalid_target`, `request_not_supported`, `registration_not_supported`.
    pub fn parse(
        query: AuthorizeQuery,
        target: &RedirectTarget,
        hinted: impl FnOnce(&str) -> Option<Subject>,
    ) -> Result<Self, AuthorizeError> {
        if query.is_reference() {
            // RFC 9126 section 4: what is referred to was taken before, or cannot be taken at all.
            return Err(AuthorizeError::RequestUriNotSupported);
        }
        let (mut form, client_id, state) = query.into_parts();
        if let Some(fault) = form.fault() {
            return Err(fault.into());
        }
        refuse_what_is_not_supported(&mut form)?;
        response_type(&mut form)?;
        response_mode(&mut form, target)?;
        let scope = form.take("scope").map(|text| text.parse()).transpose();
        Ok(Self {
            client_id,
            redirect_uri: target.redirect_uri().to_owned(),
            response_mode: target.response_mode(),
            code_challenge: code_challenge(&mut form)?,
            scope: scope.map_err(|_| AuthorizeError::InvalidScope)?.unwrap_or_default(),
            state,
            nonce: bounded(&mut form, "nonce", MAX_NONCE, "nonce is longer than 512 bytes")?,
            prompt: form
                .take("prompt")
                .map_or_else(|| Ok(Prompts::default()), |text| Prompts::parse(&text))?,
            max_age: max_age(&mut form)?,
            login_hint: bounded(
                &mut form,
                "login_hint",
                MAX_LOGIN_HINT,
                "login_hint is longer than 512 bytes",
            )?,
            hinted: match form.take("id_token_hint") {
                Some(token) => {
                    Some(hinted(&token).ok_or(invalid("id_token_hint is no ID token of this client"))?)
                }
                None => None,
            },
            acr_values: list(&mut form, "acr_values")?,
            claims: form.take("claims").map(|text| ClaimsRequest::parse(&text)).transpose()?,
            ui_locales: list(&mut form, "ui_locales")?,
            resource: resources(&mut form).map_err(|MalformedResource| AuthorizeError::InvalidTarget)?,
        })
    }

    /// Whether an answer may be about this person: the client may have asked for somebody in particular, and an answer about
    /// anybody else is an error ([OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
    #[must_use]
    pub fn may_be_about(&self, subject: &Subject) -> bool {
        let demanded = self.claims.as_ref().and_then(ClaimsRequest::demanded_subject);
        let mut asked_for = demanded.into_iter().chain(self.hinted.as_ref().map(Subject::as_str));
        asked_for.all(|asked_for| asked_for == subject.as_str())
    }

    /// Whether it is a request of OpenID Connect: there will be an ID token.
    #[must_use]
    pub fn is_openid(&self) -> bool {
        self.scope.contains(crate::OPENID)
    }
}

fn refuse_what_is_not_supported(form: &mut Form) -> Result<(), AuthorizeError> {
    if form.take("request").is_some() {
        return Err(AuthorizeError::RequestNotSupported);
    }
    if form.take("registration").is_some() {
        return Err(AuthorizeError::RegistrationNotSupported);
    }
    // A client that wants its code bound to a key must not believe that it is.
    if form.take("dpop_jkt").is_some() {
        return Err(invalid("dpop_jkt is not supported: codes are bound by PKCE"));
    }
    Ok(())
}

/// There is one type: the implicit and the hybrid flows show tokens to the browser
/// (RFC 9700 section 2.1.2).
fn response_type(form: &mut Form) -> Result<(), AuthorizeError> {
    match form.take("response_type").as_deref() {
        Some("code") => Ok(()),
        Some(_) => Err(AuthorizeError::UnsupportedResponseType),
        None => Err(invalid("response_type is missing")),
    }
}

fn response_mode(form: &mut Form, target: &RedirectTarget) -> Result<(), AuthorizeError> {
    match form.take("response_mode").map(|name| ResponseMode::named(&name)) {
        Some(None) => Err(invalid("response_mode is not query or form_post")),
        Some(Some(mode)) if mode != target.response_mode() => {
            Err(invalid("response_mode form_post is for a redirect_uri of https or http"))
        }
        _ => Ok(()),
    }
}

/// RFC 7636 section 4.3 reads a method that is left out as `plain`, which nobody has here.
fn code_challenge(form: &mut Form) -> Result<CodeChallenge, AuthorizeError> {
    let challenge = form.take("code_challenge").ok_or(invalid("code_challenge is missing"))?;
    if form.take("code_challenge_method").as_deref() != Some(S256) {
        return Err(invalid("code_challenge_method is not S256"));
    }
    challenge.parse().map_err(|GrammarError(rule)| invalid(rule))
}

fn max_age(form: &mut Form) -> Result<Option<Duration>, AuthorizeError> {
    let Some(text) = form.take("max_age") else {
        return Ok(None);
    };
    let seconds = text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let seconds = seconds.ok_or(invalid("max_age is not a number of seconds"))?;
    Ok(Some(Duration::from_secs(seconds.into())))
}

fn bounded(
    form: &mut Form,
    name: &str,
    most: usize,
    rule: &'static str,
) -> Result<Option<String>, AuthorizeError> {
    let text = form.take(name);
    if text.as_ref().is_some_and(|text| text.len() > most) { Err(invalid(rule)) } else { Ok(text) }
}

fn list(form: &mut Form, name: &str) -> Result<Vec<String>, AuthorizeError> {
    let text = form.take(name).unwrap_or_default();
    let items: Vec<String> = text.split(' ').filter(|item| !item.is_empty()).map(str::to_owned).collect();
    if items.len() > MAX_WISHES || items.iter().any(|item| item.len() > 128) {
        return Err(invalid("acr_values or ui_locales is longer than 16 names of 128 bytes"));
    }
    Ok(items)
}

fn invalid(reason: &'static str) -> AuthorizeError {
    AuthorizeError::InvalidRequest(reason)
}

impl fmt::Debug for AuthorizationRequest {
    /// Without what a client or a person put into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client_id", &self.client_id)
            .field("scope", &self.scope)
            .field("prompt", &self.prompt)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Application, Prompt};

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const PKCE: &str =
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn parse(rest: &str) -> Result<AuthorizationRequest, AuthorizeError> {
        let text = format!("client_id=shop&redirect_uri=https://app.example/cb{rest}");
        let query = AuthorizeQuery::parse(text.as_bytes()).unwrap();
        let application = Application {
            redirect_uris: vec!["https://app.example/cb".parse().unwrap()],
            ..Application::default()
        };
        let target = RedirectTarget::prove(&"shop".parse().unwrap(), &application, &query).unwrap();
        let hinted = |token: &str| token.strip_prefix("good.").map(|subject| subject.parse().unwrap());
        AuthorizationRequest::parse(query, &target, hinted)
    }

    /// A good request, and then `rest`.
    fn good(rest: &str) -> Result<AuthorizationRequest, AuthorizeError> {
        parse(&format!("&response_type=code{PKCE}{rest}"))
    }

    fn refuses(rest: &str, code: &str) {
        let error = good(rest).expect_err(code);
        assert_eq!(error.code(), code, "{rest}: {error}");
    }

    #[test]
    fn a_whole_request_is_read_and_kept() {
        let request = good(
            "&scope=openid+orders%3Aread&state=s&nonce=n&prompt=login+consent&max_age=300&login_hint=alice\
             &acr_values=mfa+pwd&claims=%7B%22id_token%22%3A%7B%22email%22%3Anull%7D%7D&ui_locales=ko+en\
             &resource=https%3A%2F%2Forders.fleet.test&response_mode=form_post&unknown=1",
        )
        .unwrap();
        assert_eq!(request.code_challenge.as_str(), CHALLENGE);
        assert!(request.is_openid() && request.prompt.contains(Prompt::Consent));
        assert_eq!(request.max_age, Some(Duration::from_mins(5)));
        assert_eq!(request.ui_locales, ["ko", "en"]);
        assert_eq!(request.response_mode, ResponseMode::FormPost);
        assert!(request.claims.as_ref().unwrap().wants_in_id_token("email"));
        let kept = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<AuthorizationRequest>(&kept).unwrap(), request);
    }

    #[test]
    fn a_short_request_is_read() {
        let request = good("").unwrap();
        assert!(request.scope.is_empty() && !request.is_openid() && request.state.is_none());
        assert_eq!(request.response_mode, ResponseMode::Query);
        assert_eq!((request.prompt, request.max_age), (Prompts::default(), None));
    }

    // S-61
    #[test]
    fn the_only_response_type_is_code() {
        for other in
            ["token", "id_token", "id_token%20token", "code%20id_token", "code%20token", "none", "Code"]
        {
            let error = parse(&format!("&response_type={other}{PKCE}")).unwrap_err();
            assert_eq!(error, AuthorizeError::UnsupportedResponseType, "{other}");
        }
        assert_eq!(parse(PKCE).unwrap_err().code(), "invalid_request");
        refuses("&response_type=code", "invalid_request");
        refuses("&response_mode=fragment", "invalid_request");
    }

    // S-62
    #[test]
    fn no_code_is_given_without_a_challenge_of_s256() {
        let refused = |rest: &str| {
            assert_eq!(
                parse(&format!("&response_type=code{rest}")).unwrap_err().code(),
                "invalid_request",
                "{rest}"
            );
        };
        refused("");
        refused("&code_challenge=");
        refused("&code_challenge_method=S256");
        refused(&format!("&code_challenge={CHALLENGE}"));
        refused(&format!("&code_challenge={CHALLENGE}&code_challenge_method="));
        refused(&format!("&code_challenge={CHALLENGE}&code_challenge_method=plain"));
        refused(&format!("&code_challenge={CHALLENGE}&code_challenge_method=s256"));
        refused(&format!("&code_challenge={}&code_challenge_method=S256", &CHALLENGE[1..]));
        refused(&format!("&code_challenge={CHALLENGE}%3D&code_challenge_method=S256"));
        refused(&format!(
            "&code_challenge={CHALLENGE}&code_challenge={CHALLENGE}&code_challenge_method=S256"
        ));
    }

    // S-68
    #[test]
    fn a_repeated_over_long_or_malformed_parameter_is_refused() {
        for name in ["scope", "nonce", "prompt", "max_age", "login_hint", "claims", "state", "anything"] {
            refuses(&format!("&{name}=login&{name}=login"), "invalid_request");
            refuses(&format!("&{name}=&{name}="), "invalid_request");
            refuses(&format!("&{name}={}", "a".repeat(8193)), "invalid_request");
            refuses(&format!("&{name}=%zz"), "invalid_request");
            refuses(&format!("&{name}=a%00"), "invalid_request");
        }
        for rest in [
            "&max_age=-1",
            "&max_age=1.5",
            "&max_age=%2B1",
            "&max_age=4294967296",
            "&prompt=none+login",
            "&prompt=shout",
            "&claims=%5B%5D",
        ] {
            refuses(rest, "invalid_request");
        }
        refuses(&format!("&nonce={}", "n".repeat(513)), "invalid_request");
        refuses(&format!("&login_hint={}", "n".repeat(513)), "invalid_request");
        refuses(&format!("&acr_values={}", "a+".repeat(17)), "invalid_request");
        refuses("&scope=a++b", "invalid_scope");
        refuses("&resource=orders", "invalid_target");
    }

    // S-68
    #[test]
    fn a_parameter_without_a_value_counts_as_left_out() {
        let empty =
            good("&scope=&state=&nonce=&prompt=&max_age=&claims=&resource=&request=&response_mode=").unwrap();
        assert_eq!(empty, good("").unwrap());
    }

    // S-67
    #[test]
    fn a_request_that_is_elsewhere_is_not_mixed_with_one_that_is_here() {
        refuses("&request_uri=https://evil.example/request.jwt", "request_uri_not_supported");
        refuses("&request=eyJhbGciOiJub25lIn0.e30.", "request_not_supported");
        refuses("&registration=%7B%7D", "registration_not_supported");
    }

    // S-66
    #[test]
    fn a_code_that_is_to_be_bound_to_a_key_is_refused_and_not_left_unbound() {
        refuses("&dpop_jkt=0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "invalid_request");
    }

    #[test]
    fn a_client_that_means_somebody_gets_nobody_else() {
        let about = |rest: &str| good(rest).unwrap().may_be_about(&"user:ada".parse().unwrap());
        let claims = |subject: &str| {
            format!("&claims=%7B%22id_token%22:%7B%22sub%22:%7B%22value%22:%22{subject}%22%7D%7D%7D")
        };
        assert!(about("") && about("&id_token_hint=good.user:ada") && about(&claims("user:ada")));
        assert!(!about("&id_token_hint=good.user:bob") && !about(&claims("user:bob")));
        assert!(!about(&format!("{}&id_token_hint=good.user:bob", claims("user:ada"))));
        refuses("&id_token_hint=forged", "invalid_request");
    }

    // S-103
    #[test]
    fn a_request_does_not_print_who_signs_in() {
        let request = good("&state=canary&nonce=canary&login_hint=canary").unwrap();
        assert!(!format!("{request:?}").contains("canary"));
    }
}
