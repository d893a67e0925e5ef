//! From what a client asks to its code, by way of the pages on which somebody signs in and says yes.
//!
//! In reading order:
//!
//! - `endpoint`: `/oauth2/authorize`, and `/continue`, by which an [`Interaction`] goes on; `push`: requests that a client
//!   has left with us before (RFC 9126).
//! - [`Asked`]: a request whose client and redirect URI are proven; `access`: what it can get at most.
//! - [`Step`]: what comes next, decided without looking anywhere; `go_on` takes it.
//! - `sign_in` and `consent`: what the two pages post; `approve`: the code.
//! - [`Refusal`]: how it goes wrong, typed by where the answer may go.
//!
//! Absent on purpose: request objects (`request`, and a `request_uri` that is not ours), implicit and hybrid answers.

mod access;
mod approve;
mod asked;
mod consent;
mod endpoint;
mod go_on;
mod interaction;
mod push;
mod refusal;
mod sign_in;
mod step;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{Router, routing::get};
use claviger_oauth::AUTHORIZE_PATH;

pub(crate) use self::{
    access::Access,
    approve::deliver,
    go_on::sign_in_first,
    push::{PushRefusal, Pushed, push, unproven_pushes},
    refusal::Refusal,
    sign_in::{begin_session, log_in_first, new_session, remember},
};
use self::{
    asked::Asked,
    interaction::{Goal, Interaction, Opened},
    step::{Situation, Step},
};
use crate::{
    pages::{CONSENT_PATH, SIGN_IN_PATH},
    provider::Provider,
};

/// Where an interaction goes on.
pub(crate) const CONTINUE_PATH: &str = "/continue";

/// The pages between a client's request and its code.
pub(crate) fn router() -> Router<Arc<Provider>> {
    Router::new()
        .route(
            AUTHORIZE_PATH,
            get(endpoint::authorize)
                .post(endpoint::authorize_by_post)
                .head(async || endpoint::no_head("GET,POST")),
        )
        .route(CONTINUE_PATH, get(endpoint::resume).head(async || endpoint::no_head("GET")))
        .route(SIGN_IN_PATH, get(endpoint::come_back).post(sign_in::sign_in))
        .route(CONSENT_PATH, get(endpoint::come_back).post(consent::consent))
}
