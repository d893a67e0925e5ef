use std::fmt;

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::{
    Application, AuthorizationCode, AuthorizationRequest, AuthorizeError, AuthorizeQuery, ClientId, Issuer,
};

/// How the answer reaches the client.
///
/// [OAuth 2.0 Multiple Response Types section 2.1](https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html),
/// [Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of a redirect.
    #[default]
    Query,
    /// In the body of a form that the browser posts.
    FormPost,
}

/// Why nothing may be sent anywhere: whoever asks is not known, or has not registered where the answer is
/// asked to go. To be answered by a page, never by a redirect
/// ([RFC 6749 section 4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// No `client_id`.
    #[error("client_id is missing")]
    NoClient,
    /// There is no such client, or it signs nobody in.
    #[error("client_id names no application")]
    UnknownClient,
    /// One of the parameters that say where the answer goes is there twice.
    #[error("client_id, redirect_uri or request_uri is given more than once")]
    Repeated,
    /// No `redirect_uri`.
    #[error("redirect_uri is missing")]
    NoRedirectUri,
    /// The client has not registered this one.
    #[error("redirect_uri is not registered for this client")]
    UnknownRedirectUri,
}

/// Where the answer to an authorization request goes: the proof that the client has registered it.
///
/// Only this makes redirects, so there is no code in which an open redirect could live.
#[derive(Clone)]
pub struct RedirectTarget {
    client_id: ClientId,
    redirect_uri: Box<str>,
    response_mode: ResponseMode,
    state: Option<String>,
}

/// An answer on its way through the browser.
#[derive(Clone, PartialEq, Eq)]
pub enum RedirectAnswer {
    /// By a redirect with status 303, which turns a POST into a GET: the password of a form must not be
    /// posted on to the client ([RFC 9700 section 4.12](https://www.rfc-editor.org/rfc/rfc9700#section-4.12)).
    SeeOther(String),
    /// By a form that the browser posts.
    FormPost {
        /// Where to.
        action: String,
        /// Its fields.
        fields: Vec<(&'static str, String)>,
    },
}

impl RedirectTarget {
    /// Proves where the answer to a query may go. `client_id` is whose application it is.
    ///
    /// # Errors
    /// [`TargetError`] if the query is of another client, or its redirect URI is missing or none that the
    /// application has registered.
    pub fn prove(
        client_id: &ClientId,
        application: &Application,
        query: &AuthorizeQuery,
    ) -> Result<Self, TargetError> {
        if query.client_id() != client_id {
            return Err(TargetError::UnknownClient);
        }
        let presented = query.redirect_uri().ok_or(TargetError::NoRedirectUri)?;
        application.redirect_uri(presented).ok_or(TargetError::UnknownRedirectUri)?;
        Ok(Self {
            client_id: client_id.clone(),
            redirect_uri: presented.into(),
            response_mode: query
                .form
                .peek("response_mode")
                .and_then(ResponseMode::named)
                .filter(|mode| mode.reaches(presented))
                .unwrap_or_default(),
            state: query.state().map(str::to_owned),
        })
    }

    /// Proves once more where the answer to a request goes that was parsed before, and kept: the
    /// registration may be another by now.
    ///
    /// # Errors
    /// As for [`prove`](Self::prove).
    pub fn of_request(
        client_id: &ClientId,
        application: &Application,
        request: &AuthorizationRequest,
    ) -> Result<Self, TargetError> {
        if request.client_id != *client_id {
            return Err(TargetError::UnknownClient);
        }
        application.redirect_uri(&request.redirect_uri).ok_or(TargetError::UnknownRedirectUri)?;
        Ok(Self {
            client_id: client_id.clone(),
            redirect_uri: request.redirect_uri.as_str().into(),
            response_mode: Some(request.response_mode)
                .filter(|mode| mode.reaches(&request.redirect_uri))
                .unwrap_or_default(),
            state: request.state.clone(),
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The redirect URI, as it was presented.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    pub(crate) fn response_mode(&self) -> ResponseMode {
        self.response_mode
    }

    /// The answer with a code. `iss` says whose answer it is, so that a client of several servers is not
    /// led to send the code to the wrong one
    /// ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).
    #[must_use]
    pub fn answer(&self, code: &AuthorizationCode, issuer: &Issuer) -> RedirectAnswer {
        self.send(vec![("code", code.expose().to_owned())], issuer)
    }

    /// The answer without one. It says whose it is as well.
    #[must_use]
    pub fn refuse(&self, error: &AuthorizeError, issuer: &Issuer) -> RedirectAnswer {
        let error = [("error", error.code()), ("error_description", error.description())];
        self.send(error.map(|(name, value)| (name, value.to_owned())).into(), issuer)
    }

    fn send(&self, mut fields: Vec<(&'static str, String)>, issuer: &Issuer) -> RedirectAnswer {
        fields.extend(self.state.as_ref().map(|state| ("state", state.clone())));
        fields.push(("iss", issuer.to_string()));
        match self.response_mode {
            ResponseMode::Query => RedirectAnswer::SeeOther(with_query(&self.redirect_uri, &fields)),
            ResponseMode::FormPost => {
                RedirectAnswer::FormPost { action: self.redirect_uri.to_string(), fields }
            }
        }
    }
}

/// The URI with more parameters. It has no fragment, and the registered bytes stay as they are.
fn with_query(uri: &str, fields: &[(&'static str, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let joint = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{uri}{joint}{query}")
}

impl ResponseMode {
    /// Both modes.
    pub const ALL: [Self; 2] = [Self::Query, Self::FormPost];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    /// Whether an answer gets there so: a browser posts forms to the web, and one that leads elsewhere back to the page that it
    /// stands on.
    fn reaches(self, uri: &str) -> bool {
        self == Self::Query || ["https://", "http://"].iter().any(|scheme| uri.starts_with(scheme))
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

impl fmt::Debug for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectTarget").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for RedirectAnswer {
    /// There is a code in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeeOther(_) => "SeeOther([hidden])",
            Self::FormPost { .. } => "FormPost([hidden])",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.fleet.test";

    fn application(uri: &str) -> Application {
        Application { redirect_uris: vec![uri.parse().unwrap()], ..Application::default() }
    }

    fn target(registered: &str, query: &str) -> Result<RedirectTarget, TargetError> {
        let query = AuthorizeQuery::parse(format!("client_id=shop{query}").as_bytes())?;
        RedirectTarget::prove(&"shop".parse().unwrap(), &application(registered), &query)
    }

    fn refusal(target: &RedirectTarget) -> RedirectAnswer {
        target.refuse(&AuthorizeError::AccessDenied, &ISSUER.parse().unwrap())
    }

    // S-64
    #[test]
    fn there_is_a_target_only_where_the_client_has_registered_one() {
        let registered = "https://app.example/cb";
        assert!(target(registered, "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb").is_ok());
        let refused = |query: &str| target(registered, query).unwrap_err();
        assert_eq!(refused(""), TargetError::NoRedirectUri);
        assert_eq!(refused("&redirect_uri="), TargetError::NoRedirectUri);
        assert_eq!(refused("&redirect_uri=https://evil.example/cb"), TargetError::UnknownRedirectUri);
        assert_eq!(refused("&redirect_uri=https://app.example/cb/"), TargetError::UnknownRedirectUri);
        assert_eq!(refused("&redirect_uri=https://app.example/cb%23"), TargetError::UnknownRedirectUri);
        let query = AuthorizeQuery::parse(b"client_id=other&redirect_uri=https://app.example/cb").unwrap();
        let shop = "shop".parse().unwrap();
        let proven = RedirectTarget::prove(&shop, &application(registered), &query);
        assert_eq!(proven.unwrap_err(), TargetError::UnknownClient);
    }

    // S-65
    #[test]
    fn every_answer_has_the_state_and_says_whose_it_is() {
        let target = target(
            "https://app.example/cb?tenant=1",
            "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Ftenant%3D1&state=a%26b%3Dc+%C3%A9",
        )
        .unwrap();
        let code = AuthorizationCode::from_random([0; 32]);
        let tail = "state=a%26b%3Dc+%C3%A9&iss=https%3A%2F%2Fid.fleet.test";
        assert_eq!(
            target.answer(&code, &ISSUER.parse().unwrap()),
            RedirectAnswer::SeeOther(format!(
                "https://app.example/cb?tenant=1&code={}&{tail}",
                code.expose()
            ))
        );
        assert_eq!(
            refusal(&target),
            RedirectAnswer::SeeOther(format!(
                "https://app.example/cb?tenant=1&error=access_denied&error_description=the+request+was+refused&{tail}"
            ))
        );
    }

    // S-65
    #[test]
    fn an_answer_in_a_form_is_the_same() {
        let target = target(
            "https://app.example/cb",
            "&redirect_uri=https://app.example/cb&response_mode=form_post&state=s",
        )
        .unwrap();
        let RedirectAnswer::FormPost { action, fields } = refusal(&target) else {
            panic!("a redirect");
        };
        assert_eq!(action, "https://app.example/cb");
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["error", "error_description", "state", "iss"]);
    }

    #[test]
    fn an_answer_goes_to_a_scheme_of_an_application_too() {
        let native =
            Application { kind: crate::ApplicationKind::Native, ..application("com.example.app:/cb") };
        let query = AuthorizeQuery::parse(b"client_id=shop&redirect_uri=com.example.app:/cb").unwrap();
        let target = RedirectTarget::prove(&"shop".parse().unwrap(), &native, &query).unwrap();
        let RedirectAnswer::SeeOther(url) = refusal(&target) else {
            panic!("a form");
        };
        assert!(url.starts_with("com.example.app:/cb?error=access_denied&"), "{url}");
    }

    // S-65
    #[test]
    fn no_form_is_posted_to_a_scheme_of_an_application() {
        let native =
            Application { kind: crate::ApplicationKind::Native, ..application("com.example.app:/cb") };
        let query = "client_id=shop&redirect_uri=com.example.app:/cb&response_mode=form_post&response_type=code\
            &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        let query = |mode: &str| AuthorizeQuery::parse(query.replace("form_post", mode).as_bytes()).unwrap();
        let shop = "shop".parse().unwrap();
        let target = RedirectTarget::prove(&shop, &native, &query("form_post")).unwrap();
        assert!(matches!(refusal(&target), RedirectAnswer::SeeOther(_)), "the client learns it by the query");
        let refused = AuthorizationRequest::parse(query("form_post"), &target, |_| None).unwrap_err();
        assert_eq!(refused.code(), "invalid_request");
        let kept = AuthorizationRequest::parse(query("query"), &target, |_| None).unwrap();
        let kept = AuthorizationRequest { response_mode: ResponseMode::FormPost, ..kept };
        let again = RedirectTarget::of_request(&shop, &native, &kept).unwrap();
        assert!(matches!(refusal(&again), RedirectAnswer::SeeOther(_)), "nor one that was kept");
    }

    // S-103
    #[test]
    fn an_answer_does_not_print_its_code() {
        let target = target("https://app.example/cb", "&redirect_uri=https://app.example/cb").unwrap();
        let code = AuthorizationCode::from_random([0; 32]);
        let answer = target.answer(&code, &ISSUER.parse().unwrap());
        assert!(!format!("{answer:?} {target:?}").contains("ac_"));
    }
}
