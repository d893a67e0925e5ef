use std::{any::Any, fmt, sync::Arc, time::Duration};

use claviger_jose::{NumericDate, VerifiedPayload};
use claviger_oauth::{AccessTokenClaims, AudienceClaim, Confirmation, Scope, ScopeSet};
use serde::{Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct};
use serde_json::Value;
use tracing::info;

use crate::{
    Refusal, Requirement, TokenFault,
    dialect::Member,
    profile::{Profile, Times},
};

/// How far an authentication may be in the future: no clocks are believed to be further apart.
const MAX_AHEAD: Duration = Duration::from_mins(1);

/// Who calls, proven: the claims of a token that was verified and accepted.
///
/// A principal is the pair of [`iss`](Self::iss) and [`sub`](Self::sub): another issuer may use the
/// same subjects for other people. Clones share the claims. `C` is what a service reads of the claims
/// besides those that have methods here: see [`claims`](Self::claims).
///
/// As JSON it is an object of `iss`, `sub`, `client_id`, `scope` and `exp`.
///
/// Only a verifier makes one: a service that does not build for tests cannot write one down.
#[cfg_attr(not(feature = "test-util"), doc = "```compile_fail")]
#[cfg_attr(
    not(feature = "test-util"),
    doc = "let alice = claviger_verifier::Principal::for_test(\"alice\").build();"
)]
#[cfg_attr(not(feature = "test-util"), doc = "```")]
#[derive(Clone)]
pub struct Principal<C = ()> {
    token: Arc<AcceptedToken>,
    accepted_at: NumericDate,
    claims: C,
}

/// What an accepted token says.
pub(crate) struct AcceptedToken {
    pub(crate) issuer: Arc<str>,
    /// The name that the service has at this issuer.
    pub(crate) audience: Arc<str>,
    pub(crate) claims: OwnedClaims,
    /// Whether the issuer is none of this house, and names its subjects as it likes.
    pub(crate) foreign: bool,
    /// Where this issuer's roles stand.
    pub(crate) roles: &'static [&'static [Member]],
    pub(crate) payload: Payload,
}

/// The claims as they were sent.
pub(crate) enum Payload {
    Verified(VerifiedPayload),
    /// Of a principal that a test has made up.
    #[cfg(feature = "test-util")]
    ForTest(Box<str>),
}

impl Payload {
    fn as_str(&self) -> &str {
        match self {
            Self::Verified(payload) => payload.as_str(),
            #[cfg(feature = "test-util")]
            Self::ForTest(json) => json,
        }
    }
}

/// The claims that every principal has, without `iss`, which the verifier has already.
pub(crate) struct OwnedClaims {
    pub(crate) sub: String,
    pub(crate) aud: AudienceClaim,
    pub(crate) exp: NumericDate,
    pub(crate) iat: NumericDate,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) jti: Option<String>,
    pub(crate) client_id: String,
    pub(crate) scope: Option<ScopeSet>,
    pub(crate) cnf: Option<Confirmation>,
    pub(crate) auth_time: Option<NumericDate>,
    pub(crate) acr: Option<String>,
    pub(crate) sid: Option<String>,
}

impl From<AccessTokenClaims<'_>> for OwnedClaims {
    fn from(claims: AccessTokenClaims<'_>) -> Self {
        let AccessTokenClaims { iss: _, sub, aud, exp, iat, nbf, jti, client_id, .. } = claims;
        let AccessTokenClaims { scope, cnf, auth_time, acr, sid, .. } = claims;
        Self { sub, aud, exp, iat, nbf, jti, client_id, scope, cnf, auth_time, acr, sid }
    }
}

impl Principal {
    /// Only the profile, which has accepted the claims, makes one.
    pub(crate) fn new(
        profile: &Profile,
        claims: OwnedClaims,
        payload: VerifiedPayload,
        accepted_at: NumericDate,
    ) -> Self {
        let (issuer, audience) = (Arc::clone(&profile.issuer), Arc::clone(&profile.audience));
        let (foreign, roles) = (profile.dialect.foreign, profile.dialect.roles);
        let payload = Payload::Verified(payload);
        Self::of(AcceptedToken { issuer, audience, claims, foreign, roles, payload }, accepted_at)
    }

    pub(crate) fn of(token: AcceptedToken, accepted_at: NumericDate) -> Self {
        Self { token: Arc::new(token), accepted_at, claims: () }
    }

    /// The same token, accepted at another time.
    pub(crate) fn accepted_again(&self, accepted_at: NumericDate) -> Self {
        Self { accepted_at, ..self.clone() }
    }

    /// The same caller with claims of the service's own.
    ///
    /// # Errors
    /// [`TokenFault::UnexpectedClaims`] if the token does not have them, or not like this.
    pub fn with_claims<C: DeserializeOwned + 'static>(self) -> Result<Principal<C>, Refusal> {
        // Most handlers read no claims of their own, and the payload is not read a second time for them.
        let mut none = Some(());
        let none: &mut dyn Any = &mut none;
        if let Some(claims) = none.downcast_mut::<Option<C>>().and_then(Option::take) {
            return Ok(Principal { token: self.token, accepted_at: self.accepted_at, claims });
        }
        let claims = claviger_jose::json::from_str(self.token.payload.as_str());
        let claims = claims.map_err(|_| {
            let fault = TokenFault::UnexpectedClaims;
            info!(reason = fault.code(), client_id = ?self.client_id(), "a good token is refused");
            Refusal::InvalidToken(fault)
        })?;
        Ok(Principal { token: self.token, accepted_at: self.accepted_at, claims })
    }
}

impl<C> Principal<C> {
    /// The issuer that vouches for the subject.
    #[must_use]
    pub fn iss(&self) -> &str {
        &self.token.issuer
    }

    /// Whom the token speaks for, unique within [`iss`](Self::iss).
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.token.claims.sub
    }

    /// The client that the token was issued to: the program that calls. Where an issuer knows
    /// no clients, as Kubernetes, it is the subject.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.token.claims.client_id
    }

    /// What the token allows; `None` if it names no scope, which allows nothing that needs one.
    #[must_use]
    pub fn scope(&self) -> Option<&ScopeSet> {
        self.token.claims.scope.as_ref()
    }

    /// The services that the token is for; this one is among them.
    #[must_use]
    pub fn audience(&self) -> &AudienceClaim {
        &self.token.claims.aud
    }

    /// When the token ends.
    #[must_use]
    pub fn exp(&self) -> NumericDate {
        self.token.claims.exp
    }

    /// When the token was issued.
    #[must_use]
    pub fn iat(&self) -> NumericDate {
        self.token.claims.iat
    }

    /// The name of this very token, for an audit log. Every RFC 9068 token has one.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.token.claims.jti.as_deref()
    }

    /// The session of the subject in which the token was issued, if it is of one.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.token.claims.sid.as_deref()
    }

    /// When the subject last authenticated in person, if the token says so.
    #[must_use]
    pub fn auth_time(&self) -> Option<NumericDate> {
        self.token.claims.auth_time
    }

    /// How strongly the subject authenticated, in the words of the issuer.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.token.claims.acr.as_deref()
    }

    /// Whether the subject is a service acting for itself, by the prefix `client:` that an issuer of this house gives
    /// it. Of the subjects of all others this knows nothing and answers `false`: there, anybody may be called so.
    #[must_use]
    pub fn is_client(&self) -> bool {
        !self.token.foreign && self.sub().starts_with("client:")
    }

    /// Whether the token allows this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope().is_some_and(|held| held.contains(scope))
    }

    /// Whether the subject has this role: `roles` in this house, and where else their issuer writes them.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        let Ok(claims) = self.payload() else {
            return false;
        };
        let name = |member: &Member| match *member {
            Member::Named(name) => name,
            Member::OfAudience => &self.token.audience,
        };
        let at = |path: &[Member]| path.iter().try_fold(&claims, |claims, member| claims.get(name(member)));
        let held = self.token.roles.iter().filter_map(|path| at(path)?.as_array());
        held.flatten().any(|held| held.as_str() == Some(role))
    }

    /// The claims that the service has declared as `C`.
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// Any claim of the token, by name; `None` if it is absent or no `T`.
    ///
    /// The payload is read again each time. What a service asks for always belongs into a type of its own:
    /// see [`with_claims`](Principal::with_claims).
    #[must_use]
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.payload().ok()?.get_mut(name)?.take()).ok()
    }

    /// Goes on only if the token allows this scope.
    ///
    /// # Errors
    /// [`Refusal::InsufficientScope`].
    pub fn require_scope(&self, scope: &Scope) -> Result<(), Refusal> {
        if self.has_scope(scope.as_str()) {
            Ok(())
        } else {
            Err(self.refused(Refusal::InsufficientScope(scope.clone())))
        }
    }

    /// Goes on only if the caller meets the requirement.
    ///
    /// # Errors
    /// The refusal that belongs to it.
    pub fn require(&self, requirement: &Requirement) -> Result<(), Refusal> {
        requirement.check(self).map_err(|refusal| self.refused(refusal))
    }

    /// When the verifier accepted the token: now, for all that is judged of this request.
    pub(crate) fn accepted_at(&self) -> NumericDate {
        self.accepted_at
    }

    /// How long ago the subject authenticated in person, when the token was accepted. A time in the future is that of
    /// a clock which is ahead, or is none: then nobody knows when it was.
    pub(crate) fn authenticated_ago(&self) -> Option<Duration> {
        let at = self.auth_time().filter(|at| *at <= self.accepted_at + MAX_AHEAD)?;
        Some(self.accepted_at.since(at))
    }

    /// What binds the token to its holder.
    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        self.token.claims.cnf.as_ref()
    }

    /// Whoever stole it could use it, if the proof that it asks for were not asked for.
    pub(crate) fn refuse_bound(&self) -> Result<(), TokenFault> {
        if self.confirmation().is_some() { Err(TokenFault::SenderConstrained) } else { Ok(()) }
    }

    /// The times that the token was judged by.
    pub(crate) fn times(&self) -> Times {
        let OwnedClaims { iat, nbf, exp, .. } = self.token.claims;
        Times { iat, nbf, exp }
    }

    pub(crate) fn payload_length(&self) -> usize {
        self.token.payload.as_str().len()
    }

    fn payload(&self) -> serde_json::Result<Value> {
        serde_json::from_str(self.token.payload.as_str())
    }

    fn refused(&self, refusal: Refusal) -> Refusal {
        info!(reason = refusal.reason(), client_id = ?self.client_id(), "a good token is refused");
        refusal
    }
}

impl<C> fmt::Debug for Principal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("iss", &self.iss())
            .field("sub", &self.sub())
            .field("client_id", &self.client_id())
            .field("scope", &self.scope())
            .finish_non_exhaustive()
    }
}

impl<C> Serialize for Principal<C> {
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
