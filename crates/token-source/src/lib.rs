//! Access tokens of a service's own, by the client credentials grant (RFC 6749 section 4.4).
//!
//! - [`TokenSource`]: asked for a token before each call of another service. It answers from memory,
//!   fetches the next token well before the held one ends, and never more than one at a time for an
//!   [`Audience`] and [`ScopeSet`]. While a held token lives, nobody notices that the issuer is away.
//! - [`AccessToken`]: the token, kept out of every log.
//! - [`TokenSourceError`]: refused by the issuer, or not to be had now. [`BuildError`]: a
//!   configuration that cannot work, told at start.
//!
//! When to fetch, how long to use and how long to wait are pure functions over instants, in
//! `policy` and `slot`; `refresher` and `token_endpoint` are the shell that sleeps and sends.
//!
//! ```
//! use claviger_token_source::{Audience, ScopeSet, TokenSource};
//!
//! # async fn call_the_ledger() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = TokenSource::builder("https://id.fleet.test", "orders", "secret".into()).build()?;
//!
//! let ledger: Audience = "https://ledger.fleet.test".parse()?;
//! let posting: ScopeSet = "ledger:post".parse()?;
//! let token = tokens.token(&ledger, &posting).await?;
//! let header = format!("Bearer {}", token.as_str());
//! # Ok(())
//! # }
//! ```

mod access_token;
mod error;
mod policy;
mod refresher;
mod slot;
mod token_endpoint;
mod token_source;

pub use access_token::AccessToken;
pub use claviger_oauth::{Audience, AuthenticationMethod, GrammarError, Scope, ScopeSet};
pub use error::{BuildError, TokenSourceError};
pub use secrecy::SecretString;
pub use token_source::{TokenSource, TokenSourceBuilder};
