use std::sync::Arc;

use claviger_jose::{NumericDate, Verified};
use claviger_oauth::{AccessTokenClaims, AudienceClaim, Scope, ScopeSet};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use tracing::info;

use crate::Refusal;

/// Who calls, proven: the claims of a token that was verified and accepted.
///
/// A principal is the pair of [`iss`](Self::iss) and [`sub`](Self::sub): another issuer may use the
/// same subjects for other people. Clones share the claims.
///
/// As JSON it is an object of `iss`, `sub`, `client_id`, `scope` and `exp`.
#[derive(Clone, Debug)]
pub struct Principal(Arc<AccessTokenClaims>);

impl Principal {
    /// Only the profile, which has accepted the claims, makes one.
    pub(crate) fn new(accepted: Verified<AccessTokenClaims>) -> Self {
        Self(Arc::new(accepted.into_inner()))
    }

    /// The issuer that vouches for the subject.
    #[must_use]
    pub fn iss(&self) -> &str {
        &self.0.iss
    }

    /// Whom the token speaks for, unique within [`iss`](Self::iss).
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.0.sub
    }

    /// The client that the token was issued to: the program that calls.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// What the token allows; `None` if it names no scope, which allows nothing that needs one.
    #[must_use]
    pub fn scope(&self) -> Option<&ScopeSet> {
        self.0.scope.as_ref()
    }

    /// The services that the token is for; this one is among them.
    #[must_use]
    pub fn audience(&self) -> &AudienceClaim {
        &self.0.aud
    }

    /// When the token ends.
    #[must_use]
    pub fn exp(&self) -> NumericDate {
        self.0.exp
    }

    /// When the token was issued.
    #[must_use]
    pub fn iat(&self) -> NumericDate {
        self.0.iat
    }

    /// The name of this very token, for an audit log.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.0.jti
    }

    /// Whether the subject is a service acting for itself, by the prefix that our issuer gives it.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.sub().starts_with("client:")
    }

    /// Whether the token allows this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope().is_some_and(|held| held.contains(scope))
    }

    /// Goes on only if the token allows this scope.
    ///
    /// # Errors
    /// [`Refusal::InsufficientScope`].
    pub fn require(&self, scope: &Scope) -> Result<(), Refusal> {
        if self.has_scope(scope.as_str()) {
            return Ok(());
        }
        let refusal = Refusal::InsufficientScope(scope.clone());
        info!(reason = refusal.reason(), %scope, client_id = ?self.client_id(), "a good token is refused");
        Err(refusal)
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Principal", 5)?;
        object.serialize_field("iss", self.iss())?;
        object.serialize_field("sub", self.sub())?;
        object.serialize_field("client_id", self.client_id())?;
        object.serialize_field("scope", self.scope().map_or("", ScopeSet::as_str))?;
        object.serialize_field("exp", &self.exp())?;
        object.end()
    }
}
