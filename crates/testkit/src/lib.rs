//! An issuer for other people's tests: real signatures, no container, no fixed port, no sleep.
//!
//! The keys are public knowledge. Nothing outside a test may ever trust them.
//!
//! # Test a service
//!
//! ```
//! use axum::{Router, routing::get};
//! use claviger_testkit::{TestIssuer, assert_rejects_all};
//! use claviger_verifier::{Principal, Verifier};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let issuer = TestIssuer::start().await;
//! let verifier = Verifier::builder(issuer.url(), "https://orders.fleet.test").build()?;
//! let app = Router::new().route("/orders", get(async |_: Principal| "three")).with_state(verifier);
//!
//! let good = issuer.token("https://orders.fleet.test").scope("orders:read");
//! assert_rejects_all(app, &good, "/orders").await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`assert_rejects_all`] sends every forged and malformed token there is, after the good one, and lists all that
//! were not rejected as they should be. [`assert_rejects_all_at`] does so with a service that runs elsewhere, and
//! [`RejectionCheck`] where a service differs on purpose.
//!
//! # Start an issuer
//!
//! [`TestIssuer::start`] listens on a free port of this machine; [`TestIssuer::without_socket`] has no port, signs all
//! the same, and gives its [`router`](TestIssuer::router) and its [`jwks`](TestIssuer::jwks) to the test.
//! [`TestIssuer::builder`] is for a path in the URL, an identifier, a clock or keys of its own. Several issuers live
//! side by side.
//!
//! # Make a token
//!
//! [`TestIssuer::token`] begins one that is right in every respect; the methods of [`TestToken`] change what the test
//! is about, and nothing is checked. Tokens of users are made so, without a password:
//! `issuer.token(AUDIENCE).sub("user:alice").scope("orders:read").sign()`.
//!
//! # Give a service tokens of its own
//!
//! [`TestIssuer::client`] registers a client of the token endpoint, which grants `client_credentials` by the rules
//! of the real issuer: one audience per token (RFC 8707), scopes within what is allowed (RFC 6749 section 3.3).
//!
//! # Rotate keys
//!
//! ```
//! use claviger_jose::Algorithm::Es256;
//! use claviger_testkit::{KeyState, TestIssuer};
//!
//! let issuer = TestIssuer::without_socket("https://id.fleet.test");
//! let next = issuer.publish_next(Es256);  // in the set, and silent
//! issuer.promote(Es256);                  // signs; the one before it is still published
//! issuer.retire(Es256);                   // the one before it is gone
//! assert!(issuer.keys().contains(&(KeyState::Active, next)));
//! issuer.revoke(next.kid());              // gone at once, and another one signs
//! ```
//!
//! # Revoke
//!
//! [`TestIssuer::revoke_kid`], [`revoke_jti`](TestIssuer::revoke_jti), [`revoke_sid`](TestIssuer::revoke_sid),
//! [`revoke_sub`](TestIssuer::revoke_sub), [`revoke_client`](TestIssuer::revoke_client) and
//! [`revoke_all`](TestIssuer::revoke_all) go into the signed revocation feed, which the metadata announces. A
//! [`FeedFault`] makes the feed lie. [`SeenRequest::verifier`] is what verifiers have told of themselves.
//!
//! [`TestKey`] has the keys themselves: they sign anything, well-formed or not.
//!
//! # Forge one token
//!
//! [`Tamper::all`] and [`Tamper::named`]: where the attack is in the content, the signature is a valid one.
//!
//! # Break the issuer
//!
//! [`TestIssuer::fault`] with a [`Fault`], for the key set, the metadata or the token endpoint, until
//! [`heal`](TestIssuer::heal). [`TestIssuer::stop`] closes the port, [`restart`](TestIssuer::restart) opens the same one
//! again. [`Fault::all`] is a table to test over.
//!
//! # See who asked
//!
//! [`TestIssuer::requests`] has each request, its answer and its time; [`expect_fetches`](TestIssuer::expect_fetches)
//! asserts their number, and [`wait_for_fetches`](TestIssuer::wait_for_fetches) waits for it without a sleep.
//!
//! # Let time pass
//!
//! A [`TestClock`] moves only when the test moves it. Given to an issuer and to a verifier, it makes a token expire in
//! no time.
//!
//! # In another language
//!
//! The binary `claviger-testkit` (feature `cli`) is all this over HTTP: `claviger-testkit serve --help` is its
//! documentation.

mod builder;
mod clients;
mod clock;
#[cfg(feature = "cli")]
mod control;
mod fault;
mod feed;
mod issuer;
mod key;
mod pool;
mod rejections;
mod request_log;
mod rotation;
mod server;
mod shared;
mod tamper;
mod token;
mod token_endpoint;

pub use builder::TestIssuerBuilder;
pub use clients::TestClient;
pub use clock::TestClock;
#[cfg(feature = "cli")]
pub use control::Cli;
pub use fault::Fault;
pub use feed::FeedFault;
pub use issuer::TestIssuer;
pub use key::TestKey;
pub use rejections::{RejectionCheck, RejectionFailures, assert_rejects_all, assert_rejects_all_at};
pub use request_log::{Endpoint, SeenRequest};
pub use rotation::KeyState;
pub use tamper::{Attack, Tamper};
pub use token::TestToken;
