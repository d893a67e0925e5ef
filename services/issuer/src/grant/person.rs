//! What a client gets that acts for a person: of what the person allowed, as much as the client may still have.

use claviger_jose::Algorithm;
use claviger_oauth::{
    Audience, Authorization, OPENID, RefreshToken, ScopeSet, Sid, Subject, TokenError, USERINFO_PATH,
};
use claviger_store::User;

use super::Asked;
use crate::{
    claims::{access_token_claims, id_token_claims},
    mint::{Grant, Person, Told},
};

/// The grant for one of the audiences that the person allowed.
///
/// # Errors
/// `invalid_scope` or `invalid_target` for more than that.
pub(super) fn grant(
    asked: &Asked<'_>,
    authorization: &Authorization,
    (user, sid): (&User, &Sid),
    refresh: Option<RefreshToken>,
) -> Result<Grant, TokenError> {
    let audience = authorization.audience(&asked.request.resource)?;
    let target = Target::of(asked, audience).ok_or(TokenError::InvalidTarget)?;
    let allowed = authorization.narrow(asked.request.scope.as_ref())?;
    // What was taken from the client since then is no longer among it.
    let scope: ScopeSet = allowed
        .iter()
        .filter(|scope| target.may.iter().any(|may| may.contains(scope)))
        // Nor what the person has allowed elsewhere only.
        .filter(|scope| authorization.allows_at(audience, scope))
        .filter_map(|scope| scope.parse().ok())
        .collect();
    let client = asked.client;
    let id_token = scope.contains(OPENID).then(|| Told {
        nonce: authorization.nonce.clone(),
        extra: id_token_claims(user, client, &scope, authorization.claims.as_ref()),
    });
    let extra = access_token_claims(user, client, asked.registry.resource_server(audience), &scope);
    Ok(Grant {
        subject: Subject::of_user(&user.id),
        client_id: client.client_id.clone(),
        audience: audience.clone(),
        scope,
        alg: target.alg,
        lifetime: target.lifetime,
        person: Some(Box::new(Person {
            sid: sid.clone(),
            auth_time: authorization.auth_time,
            acr: authorization.acr.clone(),
            amr: authorization.amr.clone(),
            extra,
            id_token,
            refresh,
        })),
    })
}

/// All that a token for this client can be for.
pub(super) fn targets(asked: &Asked<'_>) -> Vec<Audience> {
    let own = asked.provider.issuer().join(USERINFO_PATH).parse();
    let audiences = asked.client.grants.iter().map(|grant| grant.audience.clone()).chain(own);
    audiences.filter(|audience| Target::of(asked, audience).is_some()).collect()
}

/// Where a token is for, and what the client may have there.
struct Target<'a> {
    alg: Algorithm,
    lifetime: std::time::Duration,
    may: Vec<&'a ScopeSet>,
}

impl<'a> Target<'a> {
    /// A resource server at which the client has something, or this issuer's own userinfo.
    fn of(asked: &Asked<'a>, audience: &Audience) -> Option<Self> {
        let identity = asked.client.application.as_ref().map(|application| &application.identity_scopes);
        let mut may: Vec<&ScopeSet> = identity.into_iter().collect();
        if let Some(server) = asked.registry.resource_server(audience) {
            let grant = asked.client.grants.iter().find(|grant| &grant.audience == audience)?;
            may.push(&grant.scopes);
            return Some(Self { alg: server.alg, lifetime: server.token_lifetime, may });
        }
        let own = asked.provider.issuer().join(USERINFO_PATH);
        let lifetime = asked.provider.issuance.config.policy.lifetimes().token;
        (audience.as_str() == own).then_some(Self { alg: Algorithm::Es256, lifetime, may })
    }
}
