//! The admin API as a resource server: its name, and what a token of it can allow.

use std::time::Duration;

use claviger_jose::Algorithm;
use claviger_oauth::{Audience, Issuer, Scope};
use claviger_store::ResourceServer;
use claviger_verifier::StaticScope;

pub(super) const KEYS_READ: StaticScope = StaticScope::new("keys:read");
pub(super) const KEYS_ROTATE: StaticScope = StaticScope::new("keys:rotate");
pub(super) const KEYS_REVOKE: StaticScope = StaticScope::new("keys:revoke");
pub(super) const REVOCATIONS_WRITE: StaticScope = StaticScope::new("revocations:write");
pub(super) const FLEET_READ: StaticScope = StaticScope::new("fleet:read");
pub(super) const AUDIT_READ: StaticScope = StaticScope::new("audit:read");
pub(super) const USERS_READ: StaticScope = StaticScope::new("users:read");
pub(super) const USERS_WRITE: StaticScope = StaticScope::new("users:write");

/// All scopes of the admin API.
pub const SCOPES: [StaticScope; 8] =
    [KEYS_READ, KEYS_ROTATE, KEYS_REVOKE, REVOCATIONS_WRITE, FLEET_READ, AUDIT_READ, USERS_READ, USERS_WRITE];
/// Whose it is: a team of this name always exists.
const TEAM: &str = "claviger";
/// What the audience adds to the issuer.
pub(crate) const PATH: &str = "/admin";
/// Operators ask for a token when they need one.
const LIFETIME: Duration = Duration::from_mins(5);

/// The name of an issuer's admin API in tokens.
///
/// # Panics
/// For an issuer whose name is so long that nothing can be added: no configuration has one.
#[must_use]
pub fn audience(issuer: &Issuer) -> Audience {
    issuer.join(PATH).parse().expect("a configured issuer leaves room for its own audience")
}

/// The resource server that every issuer has, whatever its fleet file says.
///
/// # Panics
/// As [`audience`].
#[must_use]
pub fn resource_server(issuer: &Issuer, longest: Duration) -> ResourceServer {
    ResourceServer {
        audience: audience(issuer),
        team: TEAM.parse().expect("a constant of the grammar"),
        alg: Algorithm::Es256,
        token_lifetime: LIFETIME.min(longest),
        scopes: SCOPES.into_iter().map(Scope::from).collect(),
        claims: Vec::new(),
    }
}
