//! Bearer token to principal, offline (RFC 6750, RFC 9068).
//!
//! A service says whom it trusts and who it is, and asks for a [`Principal`] in its handlers:
//!
//! ```
//! use axum::{Router, routing::get};
//! use claviger_verifier::{Authorized, Principal, Verifier, health, required_scope};
//!
//! required_scope!(pub OrdersRead = "orders:read");
//!
//! async fn whoami(principal: Principal) -> String {
//!     principal.sub().to_owned()
//! }
//!
//! async fn orders(caller: Authorized<OrdersRead>) -> String {
//!     format!("the orders of {}", caller.sub())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder("https://id.fleet.test", "https://orders.fleet.test").build()?;
//! let app: Router = Router::new()
//!     .route("/whoami", get(whoami))
//!     .route("/orders", get(orders))
//!     .with_state(verifier.clone())
//!     .merge(health(&verifier));
//! # Ok(())
//! # }
//! ```
//!
//! The path of a token, each step on what the one before it has proven:
//!
//! 1. exactly one Authorization header with a token ([`Verifier::authenticate`]); a token in a query or a
//!    body is never looked at;
//! 2. size, shape and header, then the key of its kid, from the issuer's key set in memory;
//! 3. kind, algorithm and signature, then the claims, unambiguous and of the right types;
//! 4. issuer, audience and times against this service's configuration (`profile`), which makes a
//!    [`Principal`]; and whether the issuer has revoked it, by what its feed has said so far;
//! 5. what the token is bound to, and whether the request proves it; then, if it may be used once, its use;
//! 6. its scopes: [`Principal::require`], or [`Authorized`] in a handler's signature.
//!
//! Every refusal is a [`Refusal`]: it has a [`reason`](Refusal::reason) for logs and metrics, and an
//! answer for the caller that does not tell it.
//!
//! The module `guide` has a page for each task.
//!
//! A token that is bound to a key of its holder is worth nothing without. It is refused unless the verifier was
//! told how to check: the feature `dpop` has proofs beside each request (RFC 9449), the feature `mtls` the
//! certificate of the connection (RFC 8705). [`one_time`](VerifierBuilder::one_time) takes each token once, and
//! [`cache`](VerifierBuilder::cache) remembers for a moment which tokens were verified; neither changes what is
//! accepted otherwise.
//!
//! | feature | what it adds |
//! |---|---|
//! | `axum` (on by default) | [`Principal`], `Option<Principal>`, [`Authorized`] and `CurrentUser` as extractors, [`Refusal`] as an answer, `health`, `resource_metadata` |
//! | `tower` (on by default) | `Verifier::layer`: `RequireToken` for whole routers and services, `principal_of` |
//! | `tonic` | `RequireToken::grpc`: the same for gRPC, answered in status codes |
//! | `actix` | [`Principal`], [`Authorized`] and `MaybePrincipal` as extractors of actix-web |
//! | `cookies` | tokens in a `__Host-` cookie with CSRF double submit (`Cookies`) |
//! | `dpop` | tokens that are bound to a key of their holder (`Dpop`, RFC 9449) |
//! | `mtls` | tokens that are bound to a client's certificate (`ClientCertificate`, RFC 8705) |
//! | `test-util` | `Principal::for_test`: handlers tested without cryptography; for dev-dependencies only |
//!
//! Without any of them [`Verifier::authenticate`] takes the head of a request.

#[cfg(feature = "actix")]
mod actix;
mod answer;
mod authorized;
mod builder;
mod cache;
#[cfg(feature = "cookies")]
mod cookies;
mod dialect;
#[cfg(feature = "dpop")]
mod dpop;
#[cfg(feature = "axum")]
mod extract;
mod foreign;
#[cfg(feature = "tonic")]
mod grpc;
#[cfg(all(feature = "axum", feature = "tower", any(doc, doctest)))]
pub mod guide;
#[cfg(feature = "axum")]
mod health;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "axum")]
mod lookup;
#[cfg(feature = "axum")]
mod metadata;
#[cfg(feature = "mtls")]
mod mtls;
#[cfg(feature = "dpop")]
mod nonce;
mod possession;
mod presented;
mod principal;
mod profile;
mod refusal;
mod rejection;
mod replay;
mod requirement;
/// The acceptance of claims without a token, for a simulation of a fleet. No part of the interface that is kept.
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
#[cfg(feature = "test-util")]
mod testing;
mod trusted;
mod verifier;

#[cfg(feature = "actix")]
pub use actix::MaybePrincipal;
pub use answer::AnswerBody;
pub use authorized::Authorized;
pub use builder::{BuildError, VerifierBuilder};
pub use claviger_jose::{Clock, JwsError, NumericDate};
pub use claviger_jwks_client::{
    BuildError as KeysBuildError, JwksClient, JwksClientBuilder, Status as KeysStatus, Timing, TimingError,
};
pub use claviger_oauth::{AudienceClaim, GrammarError, Scope, ScopeSet};
#[cfg(feature = "cookies")]
pub use cookies::{CookieError, Cookies};
#[cfg(feature = "dpop")]
pub use dpop::Dpop;
#[cfg(feature = "tonic")]
pub use grpc::{GuardedGrpc, RequireTokenGrpc};
#[cfg(feature = "axum")]
pub use health::health;
#[cfg(feature = "tower")]
pub use layer::{Guarded, RequireToken, authorized, principal_of};
#[cfg(feature = "axum")]
pub use lookup::{CurrentUser, Users};
#[cfg(feature = "axum")]
pub use metadata::{MetadataError, ResourceMetadata, resource_metadata};
#[cfg(feature = "mtls")]
pub use mtls::{ClientCertificate, ClientCertificateFromProxy, PeerAddress, WithClientCertificate};
pub use principal::Principal;
pub use refusal::{DpopNonce, ProofFault, Refusal, TokenFault};
pub use rejection::Rejection;
pub use requirement::{Required, Requirement, StaticScope};
#[cfg(feature = "test-util")]
pub use testing::TestPrincipal;
pub use trusted::TrustedIssuer;
pub use verifier::Verifier;
