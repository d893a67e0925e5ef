//! The pages that people see: plain HTML that works without JavaScript.
//!
//! - `Site`: what the pages of an issuer have in common, made once from its `Brand`; `asset::router` serves the
//!   files that they refer to, and the page for an address without one.
//! - One value for each page, with all that is shown on it: `LogInPage`, `ConsentPage`, `LogOutPage`,
//!   `SignedOutPage`, `SessionsPage`, `FirstAdministratorPage`, `AdministratorMadePage`, `FormPostPage`,
//!   `ErrorPage`. Its `page(site, language)` is a pure function of it.
//! - `Page`: what is answered. It knows its status, and brings all headers of its own.
//! - [`Language`]: which of the languages of `words` somebody reads. A sentence that one language lacks does not
//!   compile.
//! - [`Colour`]: the brand's colour, and what can be read on it.
//!
//! Absent on purpose: inline styles, scripts (but for the one line that sends an answer by form), anything from another
//! host, and any text that a request brought along, except names.

pub(crate) mod asset;
mod brand;
mod colour;
mod consent;
mod device;
mod error;
mod first_administrator;
mod form_post;
mod language;
mod layout;
mod log_in;
mod log_out;
mod page;
#[cfg(test)]
mod samples;
mod sessions;
mod site;
#[cfg(test)]
mod tests;
mod words;

pub use brand::{Brand, BrandError, BrandName, Logo};
pub use colour::{Colour, ColourError};
pub(crate) use consent::{CONSENT_PATH, ConsentPage, Permissions};
pub(crate) use error::{ErrorCase, ErrorPage};
pub(crate) use first_administrator::{
    AdministratorMadePage, FirstAdministratorPage, FirstAdministratorProblem, WELCOME_PATH,
};
pub(crate) use form_post::FormPostPage;
pub use language::Language;
pub(crate) use log_in::{LogInPage, LogInProblem, SIGN_IN_PATH};
pub(crate) use log_out::{LogOutPage, SignedOutPage};
pub(crate) use page::Page;
pub(crate) use sessions::{AllowedRow, SESSIONS_PATH, SessionRow, SessionsDone, SessionsPage};
pub use site::Site;
