//! Who verifies, each at its best: keys at hand, claims into a type, issuer, audience and end
//! checked wherever it can check them. What each looks at stands above its `verify`.

pub(crate) mod huskarl;
pub(crate) mod josekit;
pub(crate) mod jsonwebtoken;
pub(crate) mod jwt_authorizer;
pub(crate) mod ours;
mod route;
pub(crate) mod signature;
pub(crate) mod tower_layer;

use crate::stage::Presented;

/// Accepts a token, or says why not.
pub(crate) type Check = Box<dyn FnMut(&Presented) -> anyhow::Result<()>>;

/// A peer by its name and release.
pub(crate) struct Contestant {
    pub(crate) name: String,
    /// Or why it cannot compete here.
    pub(crate) check: Result<Check, &'static str>,
}

impl Contestant {
    pub(crate) fn new(name: &str, check: Check) -> Self {
        Self { name: name.to_owned(), check: Ok(check) }
    }

    /// A crate of the lock file.
    fn package(name: &str, check: Check) -> Self {
        Self { name: format!("{name} {}", release(name)), check: Ok(check) }
    }
}

/// The release of a crate that was built into this, the newest if there are several.
fn release(package: &str) -> &'static str {
    let name = format!("name = \"{package}\"\nversion = \"");
    let rest = include_str!("../Cargo.lock").rsplit(&name).next().unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

/// What the peers read a token into: owned, as a handler needs it.
#[derive(Clone, serde::Deserialize)]
#[expect(dead_code, reason = "they are read into it, and that is what costs")]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    client_id: String,
    scope: Option<String>,
}
