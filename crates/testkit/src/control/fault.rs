use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Refused},
    state::Control,
};
use crate::{Endpoint, Fault};

/// A fault by name, and what it can be given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    fault: String,
    endpoint: Option<Place>,
    status: Option<u16>,
    retry_after: Option<u64>,
    to: Option<String>,
    seconds: Option<f64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Metadata,
    KeySet,
    Token,
}

pub(super) async fn list() -> Json<Value> {
    Json(Fault::all().iter().map(Fault::name).collect())
}

pub(super) async fn begin(State(control): State<Arc<Control>>, Body(wanted): Body<Wanted>) -> Answer {
    let endpoint = wanted.endpoint;
    let fault = wanted.fault()?;
    let told = json!({ "fault": fault.name() });
    match endpoint {
        None => control.issuer.fault(fault),
        Some(Place::Metadata) => control.issuer.fault_at(Endpoint::Metadata, fault),
        Some(Place::KeySet) => control.issuer.fault_at(Endpoint::KeySet, fault),
        Some(Place::Token) => control.issuer.fault_at(Endpoint::Token, fault),
    }
    Ok(Json(told))
}

pub(super) async fn heal(State(control): State<Arc<Control>>) -> Json<Value> {
    control.issuer.heal();
    Json(json!({ "fault": null }))
}

impl Wanted {
    fn fault(self) -> Result<Fault, Refused> {
        let ordinary = Fault::named(&self.fault).ok_or_else(|| {
            Refused::bad_request(format!("no fault has the name {:?}; /control/faults has all", self.fault))
        })?;
        // An informational status is no answer, and beyond 999 there are none.
        if self.status.is_some_and(|status| !(200..=999).contains(&status)) {
            return Err(Refused::bad_request("status is between 200 and 999"));
        }
        let status = |ordinary| self.status.unwrap_or(ordinary);
        Ok(match ordinary {
            Fault::Status(code) => Fault::Status(status(code)),
            Fault::StatusWithRetryAfter(code, seconds) => {
                Fault::StatusWithRetryAfter(status(code), self.retry_after.unwrap_or(seconds))
            }
            Fault::RedirectTo(place) => {
                let place = self.to.unwrap_or(place);
                HeaderValue::from_str(&place).map_err(|_| Refused::bad_request("to is a URL"))?;
                Fault::RedirectTo(place)
            }
            Fault::Slow(time) => match self.seconds.map(Duration::try_from_secs_f64) {
                None => Fault::Slow(time),
                Some(Ok(time)) => Fault::Slow(time),
                Some(Err(_)) => return Err(Refused::bad_request("seconds are positive")),
            },
            other => other,
        })
    }
}
