//! The vocabulary of OAuth 2.0 as this house speaks it: what a client may ask, what a token says,
//! what a refusal is called.
//!
//! The crate is pure: no I/O, no clock, no randomness. A type that was parsed follows its grammar;
//! whether a client is who it says, whether a token is accepted and what a client may have is
//! decided elsewhere, over these types.
//!
//! In reading order:
//!
//! - [`ClientId`], [`TeamName`], [`Audience`], [`Issuer`], [`Subject`]: names, compared byte for
//!   byte. One [`GrammarError`] says what is wrong with any of them.
//! - [`Scope`] and [`ScopeSet`]: what a token allows; [`ScopeSet::narrow`] is the rule that a
//!   request never widens.
//! - [`TokenRequest`], [`GrantRequest`], [`PresentedSecret`] with its [`AuthenticationMethod`],
//!   [`TokenResponse`]: the conversation at the token endpoint (RFC 6749, RFC 8707). [`TokenError`]
//!   and [`ErrorBody`]: its refusals.
//! - [`MintClaims`] and [`AccessTokenClaims`], with [`AudienceClaim`] and [`Confirmation`]: an
//!   access token as it is written and as it is read (RFC 9068).
//! - [`PresentedToken`] with its [`TokenScheme`]: how a token arrives at a service (RFC 6750, RFC 9449).
//! - [`ServerMetadata`] and the paths beside it: what a server publishes about itself (RFC 8414).
//!
//! ```
//! use claviger_oauth::{PresentedSecret, ScopeSet, Subject, TokenRequest};
//!
//! let header = "Basic b3JkZXJzOnMzY3JldA==".as_bytes();
//! let request = TokenRequest::parse(b"grant_type=client_credentials&scope=ledger%3Aread")?;
//! let presented = PresentedSecret::from_request([header], &request)?;
//! assert_eq!(Subject::client(&presented.client_id).as_str(), "client:orders");
//!
//! let registered: ScopeSet = "ledger:post ledger:read".parse()?;
//! let granted = registered.narrow(request.scope.as_ref());
//! assert_eq!(granted, Ok("ledger:read".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audience_claim;

mod claims;
mod client_auth;
mod error;
mod form;
mod grammar;
mod id;
mod metadata;
mod presented;
mod scope;
mod token;

pub use audience_claim::AudienceClaim;
pub use claims::{AccessTokenClaims, Confirmation, MintClaims};
pub use client_auth::{AuthenticationMethod, PresentedSecret};
pub use error::{ErrorBody, TokenError};
pub use grammar::GrammarError;
pub use id::{Audience, ClientId, Issuer, Subject, TeamName};
pub use metadata::{
    JWKS_PATH, OAUTH_DISCOVERY_PATH, OIDC_DISCOVERY_PATH, REVOCATIONS_PATH, ServerMetadata, TOKEN_PATH,
    oauth_discovery_url, oidc_discovery_url,
};
pub use presented::{PresentedToken, PresentedTokenError, TokenScheme};
pub use scope::{Scope, ScopeSet};
pub use token::{GrantRequest, TokenRequest, TokenResponse, TokenType};
