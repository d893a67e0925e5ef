//! What a browser brings along, and what it is believed.
//!
//! - [`Cookies`]: cookies of our own, by names that no other host can set; [`OwnCookie`] says which there are.
//! - [`check_origin`]: whether a request was sent by a page of ours.

mod cookies;
mod origin;

pub(crate) use cookies::{Cookies, OwnCookie, SetCookie};
pub(crate) use origin::{ForeignOrigin, check_origin};
