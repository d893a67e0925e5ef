//! People sign out: here, at a client, or everywhere.
//!
//! In reading order:
//!
//! - [`Hint`]: what an ID token that comes back shows: which client asks, and for whom.
//! - [`decide`]: what becomes of a request, as a pure function; only it can make a [`ReturnTo`], and so a redirect.
//! - `endpoint`: RP-initiated log-out; `own_sessions`: the page on which people see their sessions and end them.
//! - [`revoke`]: an operator ends a session, or signs somebody out everywhere.
//! - [`Notices`]: clients are told that a session has ended, over the back channel.
//!
//! What ends with a session is one transaction of the store.

mod decision;
mod ending;
mod endpoint;
mod hint;
mod notices;
mod operator;
mod own_sessions;

use std::sync::Arc;

use axum::{Router, routing::get};
use claviger_oauth::LOGOUT_PATH;

use self::{
    decision::{Decision, LogOutRefusal, ReturnTo, decide},
    ending::{Ending, end},
    hint::HintFault,
};
pub(crate) use self::{
    hint::Hint,
    notices::Notices,
    operator::{OfPeople, revoke},
};
use crate::{pages::SESSIONS_PATH, provider::Provider};

/// The routes of people who sign out.
pub(crate) fn router() -> Router<Arc<Provider>> {
    Router::new()
        .route(LOGOUT_PATH, get(endpoint::by_link).post(endpoint::by_form))
        .route(SESSIONS_PATH, get(own_sessions::list).post(own_sessions::end_some))
}
