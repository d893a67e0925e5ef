//! The conversation at the authorization endpoint (RFC 6749 section 4.1, OpenID Connect Core section 3.1.2).
//!
//! `AuthorizeQuery` → `RedirectTarget` → `AuthorizationRequest`: until a client and its redirect URI are
//! proven there is nothing that could send a browser anywhere, and every fault is answered by a page.
//! From then on every answer goes through the target.

mod allowed;
mod claims;
mod error;
mod prompt;
mod query;
mod request;
mod target;

pub use allowed::Allowed;
pub use claims::{ClaimRequest, ClaimsRequest};
pub use error::AuthorizeError;
pub use prompt::{Prompt, Prompts};
pub use query::AuthorizeQuery;
pub use request::AuthorizationRequest;
pub use target::{RedirectAnswer, RedirectTarget, ResponseMode, TargetError};
