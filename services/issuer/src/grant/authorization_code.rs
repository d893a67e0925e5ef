//! The client acts for a person who has just said yes (RFC 6749 section 4.1.3).

use claviger_oauth::{AuthorizationCode, CodeVerifier, GrantType, RefreshToken, TokenError};
use claviger_store::{PresentedCode, Redeemed, Redemption};
use serde_json::Value;

use super::{Asked, invalid_grant, not_stored, person, unavailable};
use crate::{
    actor::Actor,
    clock::wall_clock,
    expiry::last_expiry,
    mint::Grant,
    rng::{random_bits, random_id},
};

/// What allows a refresh token to a client that is not of the house (OpenID Connect Core section 11).
const OFFLINE: &str = "offline_access";

/// Redeems a code. Whatever the request fails to show, the code is used up; shown a second time, it ends what came of the
/// first.
pub(super) async fn redeem(
    asked: &Asked<'_>,
    code: &AuthorizationCode,
    redirect_uri: Option<&str>,
    verifier: &CodeVerifier,
) -> Result<Grant, TokenError> {
    let Asked { provider, client, request, .. } = asked;
    // Without it no refresh token could be used.
    provider.secrets().map_err(|_| unavailable())?;
    let settings = provider.settings();
    let first = RefreshToken::from_random(random_bits());
    let check = |redeemed: &Redeemed| -> Result<Option<[u8; 32]>, TokenError> {
        let authorization = &redeemed.authorization;
        authorization.check_redemption(redirect_uri, verifier)?;
        authorization.narrow(request.scope.as_ref())?;
        authorization.audience(&request.resource)?;
        Ok(gets_refresh_tokens(asked, redeemed).then(|| first.hash()))
    };
    let (family, skew) = (random_id().to_string(), provider.issuance.config.policy.lifetimes().skew);
    let presented = PresentedCode {
        code,
        client_id: &client.client_id,
        family: &family,
        lifetime: settings.refresh_lifetime,
        idle: settings.refresh_idle,
        until: last_expiry(wall_clock(), skew),
        needs_consent: asked.needs_consent(),
        replay: Actor::client_at(&client.client_id, &asked.origin()).act("code.replay", "", Value::Null),
    };
    let redemption = provider.store.redeem_code(presented, check).await;
    match redemption.map_err(|error| not_stored(&error))? {
        Redemption::Redeemed(redeemed) => {
            let refresh = gets_refresh_tokens(asked, &redeemed).then_some(first);
            person::grant(asked, &redeemed.authorization, (&redeemed.user, &redeemed.sid), refresh)
        }
        Redemption::Refused(error) => Err(error),
        Redemption::Gone(reason) => Err(invalid_grant(&reason)),
        Redemption::Replayed { ended, told } => {
            let sid = ended.as_ref().map(ToString::to_string);
            tracing::warn!(client = %client.client_id, sid, told, "a code was shown a second time");
            Err(invalid_grant(&"the code was used before"))
        }
        Redemption::Unknown => Err(invalid_grant(&"there is no such code of this client")),
    }
}

/// Whether the client goes on acting for the person when the access token has expired.
fn gets_refresh_tokens(asked: &Asked<'_>, redeemed: &Redeemed) -> bool {
    let may = asked.client.grant_types.contains(&GrantType::RefreshToken);
    may && (!asked.needs_consent() || redeemed.authorization.scope.contains(OFFLINE))
}
