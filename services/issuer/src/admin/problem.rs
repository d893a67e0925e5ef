//! How the admin API refuses: always an object with `error`, a stable code, and `detail`, for people.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use claviger_keyring::StepRefused;
use claviger_store::StoreError;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER},
};
use serde_json::{Map, Value, json};

use crate::keys::{Refusal, RotationError};

/// A refusal.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    members: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, error: &str, detail: impl Into<String>) -> Self {
        let mut members = Map::new();
        members.insert("error".to_owned(), error.into());
        members.insert("detail".to_owned(), Value::String(detail.into()));
        Self { status, members }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    pub(super) fn conflict(error: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error, detail)
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", detail)
    }

    /// What went wrong stands in the log.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the log says why")
    }

    /// The stable code.
    pub(super) fn code(&self) -> &str {
        self.members.get("error").and_then(Value::as_str).unwrap_or_default()
    }

    /// The same with something else to know.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::FeedFull => Self::conflict("feed_full", error.to_string()),
            error if error.is_transient() => {
                tracing::warn!(%error, "an operator's request failed");
                Self::unavailable("the database does not answer")
            }
            error => {
                tracing::error!(%error, "an operator's request failed");
                Self::internal()
            }
        }
    }
}

impl From<RotationError> for Problem {
    fn from(error: RotationError) -> Self {
        let detail = error.to_string();
        match error {
            RotationError::Store(error) => error.into(),
            RotationError::Refused(refusal) => refused(&refusal, detail),
            RotationError::ClockOff { .. } => Self::conflict("clock_off", detail),
            RotationError::VerifyOnly(_) => Self::conflict("verify_only", detail),
            RotationError::Changed { .. } | RotationError::Busy => Self::conflict("changed", detail),
            error => {
                tracing::error!(%error, "an operator's request failed");
                Self::internal()
            }
        }
    }
}

fn refused(refusal: &Refusal, detail: String) -> Problem {
    let code = match &refusal.reason {
        StepRefused::UnknownKey(_) => return Problem::new(StatusCode::NOT_FOUND, "unknown_key", detail),
        StepRefused::TooEarly { .. } => "too_early",
        StepRefused::NobodyServes(_) => "nobody_serves",
        StepRefused::ReplicaBehind { .. } => "replica_behind",
        _ => "refused",
    };
    let mut problem = Problem::conflict(code, detail);
    if let Some((kid, state)) = refusal.key {
        problem = problem.with("key", json!({ "kid": kid, "state": state.name(), "since": state.since() }));
    }
    match refusal.earliest {
        Some(earliest) => problem.with("earliest", earliest.as_secs()),
        None => problem,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Value::Object(self.members))).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer that no cache may keep.
pub(super) fn done(value: Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

#[cfg(test)]
mod tests {
    use claviger_jose::{Algorithm, NumericDate};

    use super::*;
    use crate::counters::Counters;

    // S-99
    #[test]
    fn every_refusal_of_a_step_is_counted() {
        let (alg, date) = (Algorithm::Es256, NumericDate::from_secs(1));
        let kid = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap();
        let reasons = [
            StepRefused::TooEarly { alg, earliest: date },
            StepRefused::NobodyServes(alg),
            StepRefused::ReplicaBehind { kid, replica: "a".to_owned() },
            StepRefused::UnknownKey(kid),
            StepRefused::SetFull(alg),
        ];
        let refusals = reasons.map(|reason| {
            RotationError::Refused(Refusal { reason, key: None, earliest: None, served_since: None })
        });
        let others = [
            RotationError::ClockOff { here: date, database: date },
            RotationError::VerifyOnly("the wrong key".to_owned()),
            RotationError::Busy,
        ];
        for error in refusals.into_iter().chain(others) {
            let (counters, words) = (Counters::default(), error.to_string());
            counters.steps.add(Problem::from(error).code());
            assert_eq!(counters.steps.read().map(|(_, count)| count).sum::<u64>(), 1, "{words}");
        }
    }
}
