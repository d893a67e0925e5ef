//! What a browser brings along, and what it is believed.
//!
//! In reading order:
//!
//! - [`Cookies`]: cookies of our own, by names that no other host can set; [`OwnCookie`] says which there are.
//! - [`Visit`]: a browser before anybody has signed in with it.
//! - [`CsrfToken`]: what a page of ours knows and no other page can; made from a [`Binding`].
//! - [`check_origin`]: whether a request was sent by a page of ours.
//! - [`signed_in`]: the session of a request; [`Guest`]: whom a page is for.
//! - [`Visitor`]: all of that for one request, and the pages that say why it is refused.
//! - [`PostedForm`]: a form that a page of ours has posted, read strictly, and only after [`check_origin`].

mod cookies;
mod csrf;
mod form;
mod guest;
mod origin;
mod visitor;

pub(crate) use cookies::{Cookies, OwnCookie};
pub(crate) use csrf::{Binding, CsrfToken, Visit};
pub(crate) use form::{FormRefusal, PostedForm};
pub(crate) use guest::{Guest, SignedIn, held, session_secret, signed_in};
pub(crate) use origin::{ForeignOrigin, check_origin};
pub(crate) use visitor::Visitor;
