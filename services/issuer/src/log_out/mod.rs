//! People sign out: here, at a client, or everywhere.
//!
//! In reading order:
//!
//! - [`Hint`]: what an ID token that comes back shows: which client asks, and for whom.
//! - [`decide`]: what becomes of a request, as a pure function; only it can make a [`ReturnTo`], and so a redirect.
//! - [`Notices`]: clients are told that a session has ended, over the back channel.
//!
//! What ends with a session is one transaction of the store.

mod decision;
mod hint;
mod notices;

pub(crate) use self::{
    decision::{Decision, LogOutRefusal, ReturnTo, decide},
    hint::{Hint, HintFault},
    notices::Notices,
};
