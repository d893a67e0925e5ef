use std::{sync::Arc, time::Duration};

use claviger_jose::{HeaderRules, Mark, Marked, NumericDate, Typ, UnverifiedJws};
use claviger_keyring::{KeyState, Keyring, ManagedKey};
use claviger_oauth::{AccessTokenClaims, AudienceClaim, ClientId, ScopeSet, Subject};
use claviger_store::{Client, StoreError, User};

use crate::{
    feed::{Revocable, denies},
    provider::Provider,
    server::Issuance,
};

/// An access token of this issuer's that is good now, whomever it is for.
///
/// Accepted by the same rules as a verifier accepts it, but for the audience: the endpoints that are shown one serve
/// tokens for every audience.
#[derive(Debug)]
pub(crate) struct OwnToken {
    pub(crate) sub: Subject,
    pub(crate) aud: AudienceClaim,
    pub(crate) client_id: ClientId,
    pub(crate) scope: ScopeSet,
    pub(crate) exp: NumericDate,
    pub(crate) iat: NumericDate,
    pub(crate) jti: String,
    pub(crate) sid: Option<String>,
}

/// Whom a token speaks for, and who holds it.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) client: Arc<Client>,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotGood {
    /// The keys at hand are too old to say anything. The one that is no fault of the token.
    #[error("the keys are out of date")]
    Unknown,
    #[error("not an access token of this issuer")]
    NotOurs,
    #[error("not valid at this time")]
    Time,
    #[error("bound to a key of its holder")]
    Bound,
    #[error("revoked")]
    Revoked,
}

impl OwnToken {
    /// Reads a token that somebody shows.
    ///
    /// # Errors
    /// [`NotGood`].
    pub(crate) fn accept(issuance: &Issuance, token: &str, now: NumericDate) -> Result<Self, NotGood> {
        if issuance.is_out_of_date() {
            return Err(NotGood::Unknown);
        }
        let lifetimes = *issuance.config.policy.lifetimes();
        let claims = verify(&issuance.keys.load().keyring, token, lifetimes.lease)?;
        if claims.issuer != issuance.config.issuer.as_str() {
            return Err(NotGood::NotOurs);
        }
        let token = claims.token;
        if token.iat > now + lifetimes.skew || now >= token.exp + lifetimes.skew {
            return Err(NotGood::Time);
        }
        if denies(&issuance.revocations.load(), &token.revocable()) {
            return Err(NotGood::Revoked);
        }
        Ok(token)
    }

    /// The person that the token speaks for and the client that holds it, if both may still have it: neither is disabled,
    /// and the person was not signed out everywhere since.
    ///
    /// # Errors
    /// [`StoreError`], which says nothing about the token.
    pub(crate) async fn person(&self, provider: &Provider) -> Result<Option<Person>, StoreError> {
        let (Some(client), Some(id)) = (self.client(&provider.issuance), self.sub.user_id()) else {
            return Ok(None);
        };
        let user = provider.store.user(&id).await?;
        let user = user.filter(|user| !user.disabled && self.iat >= user.not_before);
        Ok(user.map(|user| Person { user, client }))
    }

    /// Whether whoever the token speaks for may still have it.
    ///
    /// # Errors
    /// As for [`person`](Self::person).
    pub(crate) async fn still_stands(&self, provider: &Provider) -> Result<bool, StoreError> {
        if self.sub.is_user() {
            return Ok(self.person(provider).await?.is_some());
        }
        Ok(self
            .client(&provider.issuance)
            .is_some_and(|client| self.sub == Subject::client(&client.client_id)))
    }

    fn client(&self, issuance: &Issuance) -> Option<Arc<Client>> {
        issuance.registry.load().client(&self.client_id).filter(|client| !client.disabled).cloned()
    }

    fn revocable(&self) -> Revocable {
        Revocable {
            jti: Some(Mark::of(Marked::Jti, &self.jti)),
            sid: self.sid.as_deref().map(|sid| Mark::of(Marked::Sid, sid)),
            sub: Mark::of(Marked::Sub, self.sub.as_str()),
            client: Mark::of(Marked::Client, self.client_id.as_str()),
            issued: self.iat,
        }
    }
}

struct Claimed {
    issuer: String,
    token: OwnToken,
}

/// The claims of a token that one of these keys has signed while it signed.
fn verify(keys: &Keyring, token: &str, lease: Duration) -> Result<Claimed, NotGood> {
    let rules = HeaderRules::of(Typ::AtJwt);
    let ours = |_| NotGood::NotOurs;
    let jws = UnverifiedJws::parse(token).map_err(ours)?;
    let key = keys.published().find(|key| key.jwk.kid() == jws.kid()).ok_or(NotGood::NotOurs)?;
    let verifying = key.jwk.verifying_key().map_err(|_| NotGood::NotOurs)?;
    let payload = verifying.verify_payload(&jws, &rules).map_err(ours)?;
    let claims = payload.read::<AccessTokenClaims<'_>>().map_err(ours)?.into_inner();
    if !signed_then(key, claims.iat, lease) {
        return Err(NotGood::NotOurs);
    }
    if claims.cnf.is_some() {
        // Nobody has looked for the proof.
        return Err(NotGood::Bound);
    }
    let token = OwnToken {
        sub: claims.sub.parse().map_err(|_| NotGood::NotOurs)?,
        client_id: claims.client_id.parse().map_err(|_| NotGood::NotOurs)?,
        jti: claims.jti.ok_or(NotGood::NotOurs)?,
        aud: claims.aud,
        scope: claims.scope.unwrap_or_default(),
        exp: claims.exp,
        iat: claims.iat,
        sid: claims.sid,
    };
    Ok(Claimed { issuer: claims.iss.into_owned(), token })
}

/// Whoever has stolen a key that retired cannot make tokens with it that are from later (S-41).
fn signed_then(key: &ManagedKey, issued: NumericDate, lease: Duration) -> bool {
    match key.state {
        KeyState::Retiring { since, .. } => issued <= since + lease,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::Algorithm;
    use claviger_keyring::{SigningKey, generate};
    use serde_json::{Value, json};

    use super::*;
    use crate::rng::SystemRng;

    const IAT: u64 = 1_700_000_000;

    fn keyring(key: &SigningKey, state: KeyState) -> Keyring {
        Keyring::new(vec![ManagedKey { jwk: key.jwk().clone(), state }])
    }

    fn claims(changes: &Value) -> Value {
        let mut claims = json!({
            "iss": "https://id.fleet.test", "sub": "user:a", "aud": "urn:orders", "exp": IAT + 300, "iat": IAT,
            "jti": "1", "client_id": "shop", "scope": "openid", "sid": "s1",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn check(typ: Typ, changes: &Value, state: KeyState, expected: Option<NotGood>) {
        let key = generate(Algorithm::Es256, &mut SystemRng).unwrap().1;
        let token = key.sign(typ, &claims(changes)).unwrap();
        let verdict = verify(&keyring(&key, state), &token, Duration::from_mins(1));
        assert_eq!(verdict.err(), expected, "{changes} {state:?}");
    }

    // S-82
    #[test]
    fn only_an_access_token_of_a_published_key_is_ours() {
        let since = NumericDate::from_secs(IAT - 100);
        let active = KeyState::Active { since };
        check(Typ::AtJwt, &json!({}), active, None);
        for typ in Typ::ALL.into_iter().filter(|typ| *typ != Typ::AtJwt) {
            check(typ, &json!({}), active, Some(NotGood::NotOurs));
        }
        check(Typ::AtJwt, &json!({ "cnf": { "jkt": "x" } }), active, Some(NotGood::Bound));
        check(Typ::AtJwt, &json!({ "cnf": { "new": "x" } }), active, Some(NotGood::Bound));
        check(Typ::AtJwt, &json!({ "client_id": "user:a" }), active, Some(NotGood::NotOurs));
        check(Typ::AtJwt, &json!({}), KeyState::Revoked { at: since }, Some(NotGood::NotOurs));
        check(Typ::AtJwt, &json!({}), KeyState::Removed { at: since }, Some(NotGood::NotOurs));
        let [ours, other] = [(); 2].map(|()| generate(Algorithm::Es256, &mut SystemRng).unwrap().1);
        let token = other.sign(Typ::AtJwt, &claims(&json!({}))).unwrap();
        assert!(verify(&keyring(&ours, active), &token, Duration::ZERO).is_err());
        assert!(verify(&keyring(&ours, active), "not.a.token", Duration::ZERO).is_err());
    }

    // S-41
    #[test]
    fn a_key_that_retired_makes_no_tokens_of_later() {
        let retired = |secs| {
            let since = NumericDate::from_secs(secs);
            KeyState::Retiring { since, until: since + Duration::from_hours(1) }
        };
        check(Typ::AtJwt, &json!({}), retired(IAT - 60), None);
        check(Typ::AtJwt, &json!({}), retired(IAT - 61), Some(NotGood::NotOurs));
    }
}
