//! Log-in by applications of the house itself: what people type goes to the application, and from there to here.
//!
//! In reading order:
//!
//! - [`challenge`]: the authorization challenge endpoint of [OAuth 2.0 for First-Party
//!   Applications](https://datatracker.ietf.org/doc/draft-ietf-oauth-first-party-apps/): credentials as parameters, and a code
//!   at the end.
//! - [`tokens`]: the simple form over the same functions: `POST /login`, `/refresh` and `/logout`, in JSON.
//! - [`sign_in`]: what both do: the client, which must be first-party, then the person, then a session and a code.
//! - [`cookies`]: the simple form for browsers; [`json`]: its bodies; [`Refusal`]: why nobody gets anything.

mod answer;
mod challenge;
mod cookies;
mod json;
mod sign_in;
mod tokens;

use std::sync::Arc;

use axum::{Router, routing::post};
use claviger_oauth::AUTHORIZE_CHALLENGE_PATH;

use answer::{InProtocol, Refusal, private};
pub(crate) use cookies::clear_tokens;

use crate::provider::Provider;

/// The routes for applications of the house itself.
pub(crate) fn router() -> Router<Arc<Provider>> {
    Router::new()
        .route(AUTHORIZE_CHALLENGE_PATH, post(challenge::authorize_challenge))
        .route("/login", post(tokens::log_in))
        .route("/refresh", post(tokens::refresh))
        .route("/logout", post(tokens::log_out))
}

fn malformed(reason: &'static str) -> Refusal {
    Refusal::Malformed(reason.into())
}
