//! A page for each task, with examples that compile.
//!
//! - [`protect_a_route`]: the five lines, and what a caller is answered
//! - [`read_the_caller`]: the principal, and claims of your own
//! - [`require_more`]: scopes, roles, claims, a fresh log-in
//! - `bind_to_a_key`: tokens that a thief cannot use, by DPoP or mTLS, and tokens that work once
//! - [`trust_several_issuers`]: and those of others, with presets
//! - [`other_frameworks`]: whole routers, tower, tonic, actix-web
//! - [`serve_browsers`]: tokens in cookies
//! - [`look_up_users`]: from a principal to a user of your own
//! - [`test_handlers`]: without cryptography
//! - [`test_your_service`]: every forged token, every fault of an issuer, in one process
//! - [`answer_your_own_way`]: other bodies, other words
//! - [`revocation`]: who is dead when, and how to end a stolen key
//! - [`outages`]: what happens while the issuer is away
//! - [`defaults`]: every number, and why
//! - [`migrate`]: from jwt-authorizer, axum-jwks and jsonwebtoken by hand

#[doc = include_str!("../docs/protect_a_route.md")]
pub mod protect_a_route {}
#[doc = include_str!("../docs/read_the_caller.md")]
pub mod read_the_caller {}
#[doc = include_str!("../docs/require_more.md")]
pub mod require_more {}
#[cfg(all(feature = "dpop", feature = "mtls"))]
#[doc = include_str!("../docs/bind_to_a_key.md")]
pub mod bind_to_a_key {}
#[doc = include_str!("../docs/trust_several_issuers.md")]
pub mod trust_several_issuers {}
#[doc = include_str!("../docs/other_frameworks.md")]
pub mod other_frameworks {}
#[doc = include_str!("../docs/serve_browsers.md")]
pub mod serve_browsers {}
#[doc = include_str!("../docs/look_up_users.md")]
pub mod look_up_users {}
#[doc = include_str!("../docs/test_handlers.md")]
pub mod test_handlers {}
#[doc = include_str!("../docs/test_your_service.md")]
pub mod test_your_service {}
#[doc = include_str!("../docs/answer_your_own_way.md")]
pub mod answer_your_own_way {}
#[doc = include_str!("../docs/revocation.md")]
pub mod revocation {}
#[doc = include_str!("../docs/outages.md")]
pub mod outages {}
#[doc = include_str!("../docs/defaults.md")]
pub mod defaults {}
#[doc = include_str!("../docs/migrate.md")]
pub mod migrate {}
