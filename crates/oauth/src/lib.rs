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
//! - [`Application`] with its [`RedirectUri`]s and [`ClaimRule`]s: what a client that signs people in
//!   declares.
//! - [`AuthorizeQuery`] → [`RedirectTarget`] → [`AuthorizationRequest`]: the conversation at the
//!   authorization endpoint (RFC 6749 section 4.1, RFC 7636, RFC 9207). [`AuthorizeError`]: its refusals,
//!   which reach a client only through a target. [`Authorization`]: what comes of it.
//! - [`AuthorizationCode`], [`RefreshToken`] and the other secrets that mean nothing by themselves.
//! - [`TokenRequest`], [`GrantRequest`], [`PresentedClient`] with its [`AuthenticationMethod`],
//!   [`TokenResponse`]: the conversation at the token endpoint (RFC 6749, RFC 8707). [`TokenError`]
//!   and [`ErrorBody`]: its refusals. [`ClientAssertionClaims`]: a client that signs who it is (RFC 7523).
//! - [`Family::present`]: the verdict on a presented refresh token.
//! - [`MintClaims`] and [`AccessTokenClaims`], with [`AudienceClaim`] and [`Confirmation`]: an
//!   access token as it is written and as it is read (RFC 9068). [`IdTokenClaims`] and
//!   [`LogoutTokenClaims`]: what clients are told about people and their sessions (OpenID Connect).
//! - [`RevocationRequest`], [`IntrospectionRequest`]: for those who want a call (RFC 7009, RFC 7662).
//! - [`Form`]: `application/x-www-form-urlencoded`, strictly; all of the above are read from it.
//! - [`PresentedToken`] with its [`TokenScheme`]: how a token arrives at a service (RFC 6750, RFC 9449).
//! - [`ServerMetadata`] and the paths beside it: what a server publishes about itself (RFC 8414).
//!
//! ```
//! use claviger_oauth::{PresentedSecret, ScopeSet, Subject, TokenRequest};
//!
//! let header = "Basic b3JkZXJzOnMzY3JldA==".as_bytes();
//! let request = TokenRequest::parse(b"grant_type=client_credentials&scope=ledger%3Aread")?;
//! let presented = PresentedSecret::from_request([header], &request.client)?;
//! assert_eq!(Subject::client(&presented.client_id).as_str(), "client:orders");
//!
//! let registered: ScopeSet = "ledger:post ledger:read".parse()?;
//! let granted = registered.narrow(request.scope.as_ref());
//! assert_eq!(granted, Ok("ledger:read".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod application;
mod assertion;
mod audience_claim;
mod authorization;
mod authorize;
mod claim_rule;
mod claims;
mod client_auth;
mod error;
mod form;
mod grammar;
mod id;
mod id_token;
mod identity;
mod introspection;
mod log_out;
mod logout_token;
mod metadata;
mod opaque;
mod pkce;
mod presented;
mod redirect;
mod refresh;
mod revocation;
mod scope;
mod token;

pub use application::{Application, ApplicationKind, ClientKeys, GrantType, RefreshPolicy};
pub use assertion::{AcceptedAssertion, AssertionError, AssertionRules, ClientAssertionClaims};
pub use audience_claim::AudienceClaim;
pub use authorization::Authorization;
pub use authorize::{
    Allowed, AuthorizationRequest, AuthorizeError, AuthorizeQuery, ClaimRequest, ClaimsRequest, Prompt,
    Prompts, RedirectAnswer, RedirectTarget, ResponseMode, TargetError,
};
pub use claim_rule::{
    CLAIMS_BUDGET, ClaimName, ClaimPlace, ClaimRule, ClaimSource, ClientAttribute, is_reserved_claim,
};
pub use claims::{AccessTokenClaims, Confirmation, MintClaims, PersonClaims};
pub use client_auth::{AuthenticationMethod, ClientParameters, PresentedClient, PresentedSecret};
pub use error::{ErrorBody, TokenError};
pub use form::{Form, FormError};
pub use grammar::GrammarError;
pub use id::{Audience, ClientId, Issuer, Sid, Subject, TeamName, UserId};
pub use id_token::{IdTokenClaims, access_token_hash};
pub use identity::{
    IDENTITY_SCOPES, OFFLINE_ACCESS, OPENID, claims_of_scope, is_identity_scope, standard_claims,
};
pub use introspection::{IntrospectionRequest, IntrospectionResponse};
pub use log_out::LogOutRequest;
pub use logout_token::{LogoutTokenClaims, LogoutTokenError, ReceivedLogoutToken};
pub use metadata::{
    AUTHORIZE_CHALLENGE_PATH, AUTHORIZE_PATH, INTROSPECT_PATH, JWKS_PATH, LOGOUT_PATH, OAUTH_DISCOVERY_PATH,
    OIDC_DISCOVERY_PATH, PAR_PATH, REVOCATIONS_PATH, REVOKE_PATH, ServerMetadata, SignInMetadata, TOKEN_PATH,
    USERINFO_PATH, oauth_discovery_url, oidc_discovery_url,
};
pub use opaque::{AuthorizationCode, LinkSecret, RefreshToken, RequestUri, SessionSecret};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use presented::{PresentedToken, PresentedTokenError, TokenScheme};
pub use redirect::RedirectUri;
pub use refresh::{Family, MAX_RETRIES, PresentedRefresh, RefreshRefusal, UsedRefresh, Verdict};
pub use revocation::{RevocationRequest, TokenTypeHint};
pub use scope::{Scope, ScopeSet};
pub use token::{GrantRequest, TokenRequest, TokenResponse, TokenType};
