//! What the caller of a service is answered: the one place where a refusal becomes HTTP.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{Refusal, Requirement};

/// The body of an answer.
pub type AnswerBody = Cow<'static, str>;

/// A service's own way to answer: it is given the refusal and the answer that it would get.
type Custom = dyn Fn(&Refusal, Response<AnswerBody>) -> Response<AnswerBody> + Send + Sync;

/// How one verifier answers.
#[derive(Default, Clone)]
pub(crate) struct Answers {
    /// Where the protected resource metadata is (RFC 9728 section 5.1).
    pub(crate) resource_metadata: Option<Box<str>>,
    /// Whether DPoP is offered beside bearer tokens (RFC 9449 section 7.2).
    pub(crate) dpop: bool,
    pub(crate) custom: Option<Arc<Custom>>,
}

impl Answers {
    /// The status and body of a refusal are constants, and so is the challenge but for what the caller must
    /// know to do better (RFC 6750 section 3).
    pub(crate) fn answer(&self, refusal: &Refusal) -> Response<AnswerBody> {
        let (status, body) = status_and_body(refusal);
        let mut response = Response::new(Cow::Borrowed(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(parameters) = parameters(refusal) {
            for value in self.challenges(refusal, &parameters) {
                headers.append(header::WWW_AUTHENTICATE, value);
            }
        }
        if let Refusal::KeysUnavailable { retry_after }
        | Refusal::UsersUnavailable { retry_after }
        | Refusal::Busy { retry_after } = refusal
        {
            let seconds = retry_after.as_millis().div_ceil(1000).clamp(1, 3600);
            let seconds = HeaderValue::try_from(seconds.to_string()).expect("digits are visible ASCII");
            headers.insert(header::RETRY_AFTER, seconds);
        }
        if let Refusal::NonceNeeded(nonce) = refusal
            && let Ok(nonce) = HeaderValue::try_from(nonce.as_str())
        {
            headers.insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match &self.custom {
            Some(custom) => custom(refusal, response),
            None => response,
        }
    }

    fn challenges(&self, refusal: &Refusal, parameters: &str) -> impl Iterator<Item = HeaderValue> {
        let metadata = self.resource_metadata.as_ref();
        let metadata = metadata.map(|url| format!(", resource_metadata=\"{url}\"")).unwrap_or_default();
        let bearer = format!("Bearer {parameters}{metadata}");
        let dpop = self.dpop.then(|| format!("DPoP {parameters}, algs=\"ES256 RS256\"{metadata}"));
        // A caller that proved its possession badly is answered in its own scheme.
        let only_dpop = matches!(refusal, Refusal::InvalidProof(_) | Refusal::NonceNeeded(_));
        let values = (!only_dpop || dpop.is_none()).then_some(bearer).into_iter().chain(dpop);
        values.filter_map(|value| HeaderValue::try_from(value).ok())
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("resource_metadata", &self.resource_metadata)
            .field("dpop", &self.dpop)
            .finish_non_exhaustive()
    }
}

fn status_and_body(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::NoToken => (StatusCode::UNAUTHORIZED, ""),
        Refusal::RepeatedToken => (StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#),
        Refusal::InvalidToken(_) => (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_token"}"#),
        Refusal::InvalidProof(_) => (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_dpop_proof"}"#),
        Refusal::NonceNeeded(_) => (StatusCode::UNAUTHORIZED, r#"{"error":"use_dpop_nonce"}"#),
        Refusal::StepUp(_) => (StatusCode::UNAUTHORIZED, r#"{"error":"insufficient_user_authentication"}"#),
        Refusal::InsufficientScope(_) | Refusal::Forbidden(_) => {
            (StatusCode::FORBIDDEN, r#"{"error":"insufficient_scope"}"#)
        }
        Refusal::CrossSite => (StatusCode::FORBIDDEN, r#"{"error":"csrf"}"#),
        Refusal::KeysUnavailable { .. } | Refusal::UsersUnavailable { .. } | Refusal::Busy { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"error":"temporarily_unavailable"}"#)
        }
    }
}

/// The parameters of the challenge; `None` where none is due.
fn parameters(refusal: &Refusal) -> Option<String> {
    let error = |code: &str| Some(format!("error=\"{code}\""));
    match refusal {
        // No error is named (RFC 6750 section 3.1). The realm is there because section 3 requires at least
        // one parameter, and is a constant because it would otherwise tell something.
        Refusal::NoToken => Some("realm=\"service\"".to_owned()),
        Refusal::RepeatedToken => error("invalid_request"),
        Refusal::InvalidToken(_) => error("invalid_token"),
        Refusal::InvalidProof(_) => error("invalid_dpop_proof"),
        Refusal::NonceNeeded(_) => error("use_dpop_nonce"),
        // The grammar of a scope has neither `"` nor `\`: it cannot leave its quotes.
        Refusal::InsufficientScope(scope) => Some(format!("error=\"insufficient_scope\", scope=\"{scope}\"")),
        Refusal::Forbidden(_) => error("insufficient_scope"),
        Refusal::StepUp(requirement) => Some(step_up(requirement)),
        Refusal::CrossSite
        | Refusal::KeysUnavailable { .. }
        | Refusal::UsersUnavailable { .. }
        | Refusal::Busy { .. } => None,
    }
}

/// What the caller should ask the issuer for (RFC 9470 section 3).
fn step_up(requirement: &Requirement) -> String {
    let error = "error=\"insufficient_user_authentication\"";
    match requirement {
        Requirement::AuthenticatedWithin(max_age) => format!("{error}, max_age=\"{}\"", max_age.as_secs()),
        Requirement::Acr(accepted) => format!("{error}, acr_values=\"{}\"", accepted.join(" ")),
        _ => error.to_owned(),
    }
}
