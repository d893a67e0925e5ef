//! An issuer for other people's tests: real signatures, no container, no fixed port, no sleep.
//!
//! - [`TestKey`]: key pairs that are embedded in this crate, two of each kind, prepared once.
//!   They sign anything, well-formed or not.
//! - [`TestClock`]: a clock whose two hands move only when the test moves them.
//! - [`TestIssuer`]: an issuer in this process, on a free port of the loopback interface, with
//!   metadata, a key set and a count of who asked for it; it signs access tokens through
//!   [`TestToken`].
//! - [`Fault`]: everything that a key set endpoint can do wrong, by name.
//!
//! The keys are public knowledge. Nothing outside a test may ever trust them.
//!
//! ```
//! use claviger_jose::{JwkSet, UnverifiedJws};
//! use claviger_testkit::{TestIssuer, TestKey};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let issuer = TestIssuer::start().await;
//! let token = issuer.token("https://orders.fleet.test").scope("orders:read").sign(TestKey::es256());
//! assert_eq!(UnverifiedJws::parse(&token)?.kid(), TestKey::es256().kid());
//! # Ok::<(), claviger_jose::JwsError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod clients;
mod clock;
mod fault;
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
pub use fault::Fault;
pub use issuer::TestIssuer;
pub use key::TestKey;
pub use rejections::{RejectionCheck, RejectionFailures, assert_rejects_all, assert_rejects_all_at};
pub use request_log::{Endpoint, SeenRequest};
pub use rotation::KeyState;
pub use tamper::{Attack, Tamper};
pub use token::TestToken;
