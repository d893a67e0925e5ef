use std::error::Error;

use axum::{
    body::Bytes,
    http::{Response, StatusCode, header},
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;

/// A rejection is a sentence, not a page.
const BODY_LIMIT: usize = 64 * 1024;
/// As much of a body as fits into a line of a message.
const SHOWN: usize = 100;

/// What a service says to a token.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    challenge: String,
    body: Bytes,
}

impl Answer {
    pub(super) async fn read<B>(response: Response<B>) -> Result<Self, String>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (head, body) = response.into_parts();
        let challenges = head.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let challenges: Vec<_> =
            challenges.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body.map_err(|error| format!("{}, and then: {error}", head.status))?;
        Ok(Self { status: head.status, challenge: challenges.join(", "), body: body.to_bytes() })
    }

    /// `None` if the token counted, whatever became of the request then.
    pub(super) fn why_no_acceptance(&self) -> Option<String> {
        let hint = match self.status {
            StatusCode::UNAUTHORIZED => "it is not this issuer's, or not for this audience",
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "there is no such route",
            status if status.is_server_error() => "the service is broken, or did not get its keys",
            _ => return None,
        };
        Some(format!("{}: {hint}; {}", self.status, self.shown_body()))
    }

    /// `None` if it is a rejection like the first one.
    pub(super) fn why_no_rejection(&self, first: Option<&(&str, Self)>) -> Option<String> {
        let status = self.status;
        if status != StatusCode::UNAUTHORIZED {
            let verb = if status.is_success() { "accepted: " } else { "" };
            return Some(format!("{verb}{status}; {}", self.shown_body()));
        }
        let scheme = self.challenge.get(..7).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer ") || !self.challenge.contains("error=\"invalid_token\"") {
            return Some(format!("{status}, but the challenge is {:?}", self.challenge));
        }
        let (name, first) = first?;
        if self.challenge != first.challenge {
            return Some(format!("{status}, but the challenge is not that of {name}: {:?}", self.challenge));
        }
        (self.body != first.body)
            .then(|| format!("{status}, but the body is not that of {name}; {}", self.shown_body()))
    }

    fn shown_body(&self) -> String {
        let body = &self.body[..self.body.len().min(SHOWN)];
        format!("body {:?}", String::from_utf8_lossy(body))
    }
}
