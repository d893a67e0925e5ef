//! The client goes on acting for a person (RFC 6749 section 6).

use claviger_keyring::rand_core::RngCore;
use claviger_oauth::{AuthenticationMethod, RefreshPolicy, RefreshRefusal, RefreshToken, TokenError};
use claviger_store::{ChildToken, NextToken, RefreshAttempt, RefreshOutcome, RefreshTerms, RefusedRefresh};
use serde_json::json;

use super::{Asked, invalid_grant, not_stored, person, unavailable};
use crate::{actor::Actor, clock::wall_clock, expiry::last_expiry, mint::Grant, rng::SystemRng};

/// Presents a refresh token. Its child is made before it is known whether there will be one: the database gets the hash
/// alone.
pub(super) async fn present(asked: &Asked<'_>, token: &RefreshToken) -> Result<Grant, TokenError> {
    let provider = asked.provider;
    let secrets = provider.secrets().map_err(|_| unavailable())?;
    let mut nonce = [0; 16];
    SystemRng.fill_bytes(&mut nonce);
    let child = secrets.refresh_child(token, &nonce);
    let attempt = attempt(asked, token, ChildToken { hash: child.hash(), nonce });
    let outcome = provider.store.present_refresh(attempt).await;
    match outcome.map_err(|error| not_stored(&error))? {
        RefreshOutcome::Refreshed(refreshed) => {
            let next = match refreshed.next {
                NextToken::Same => token.clone(),
                NextToken::Child(kept) if kept == nonce => child,
                NextToken::Child(kept) => secrets.refresh_child(token, &kept),
            };
            person::grant(asked, &refreshed.authorization, (&refreshed.user, &refreshed.sid), Some(next))
        }
        RefreshOutcome::Reused { sid, told } => {
            let client = &asked.client.client_id;
            tracing::warn!(%client, %sid, told, "a refresh token was used twice: its family has ended");
            Err(invalid_grant(&"the refresh token was used before"))
        }
        // Whoever else holds the token has the answer: it is to be looked for there, and nobody to be signed out.
        RefreshOutcome::Refused(RefusedRefresh::Past(RefreshRefusal::TooOften)) => Err(unavailable()),
        RefreshOutcome::Refused(refusal) => {
            if refusal == RefusedRefresh::OtherClient {
                note_stranger(asked, token).await;
            }
            Err(invalid_grant(&refusal))
        }
        RefreshOutcome::Unknown => Err(invalid_grant(&"there is no such refresh token")),
        RefreshOutcome::WiderScope => Err(TokenError::InvalidScope),
        RefreshOutcome::OtherTarget => Err(TokenError::InvalidTarget),
    }
}

fn attempt(asked: &Asked<'_>, token: &RefreshToken, child: ChildToken) -> RefreshAttempt {
    let Asked { provider, client, request, .. } = asked;
    let settings = provider.settings();
    let declared = client.application.as_ref().map(|application| application.refresh).unwrap_or_default();
    let policy = match declared {
        // Who proves nothing must not hold a token that never changes (RFC 9700 section 4.14.2).
        RefreshPolicy::Never if client.method == AuthenticationMethod::None => RefreshPolicy::Rotate,
        declared => declared,
    };
    RefreshAttempt {
        token: token.hash(),
        client_id: client.client_id.clone(),
        jkt: None,
        policy,
        needs_consent: asked.needs_consent(),
        scope: request.scope.clone(),
        resource: request.resource.clone(),
        targets: person::targets(asked),
        child,
        terms: RefreshTerms {
            grace: settings.refresh_grace,
            idle: settings.refresh_idle,
            until: last_expiry(wall_clock(), provider.issuance.config.policy.lifetimes().skew),
        },
        origin: asked.origin(),
        request_id: None,
    }
}

/// Somebody has got hold of a token of another client: who looks after the house should know, and the token stays good
/// for its own client.
async fn note_stranger(asked: &Asked<'_>, token: &RefreshToken) {
    let client = &asked.client.client_id;
    tracing::warn!(%client, from = %asked.from, "a client has presented another client's refresh token");
    let [a, b, c, d, ..] = token.hash();
    let prefix = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
    let act = Actor::client_at(client, &asked.origin()).act("refresh.stranger", prefix, json!({}));
    if let Err(error) = asked.provider.store.note_refusal(act).await {
        tracing::warn!(%error, "that could not be noted in the audit log");
    }
}
