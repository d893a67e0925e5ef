use std::{sync::Arc, time::Duration};

use claviger_jose::{Clock, NumericDate, UnverifiedJws, VerifyingKey};
use claviger_jwks_client::{JwksClient, TokenFacts};
use claviger_oauth::TokenScheme;
use http::request::Parts;
use tracing::{debug, info};

use crate::{
    Principal, Refusal, TokenFault, TrustedIssuer, VerifierBuilder,
    answer::Answers,
    cache::{JudgedBy, TokenCache},
    possession::Possession,
    presented::Places,
    replay::{Fingerprint, SpentOnce, Unspendable},
    trusted::Trusted,
};

/// Verifies access tokens for one service, offline.
///
/// Clones share the key sets, which are fetched and refreshed in the background.
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    /// At least one.
    pub(crate) issuers: Box<[Trusted]>,
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "only the metadata names it"))]
    pub(crate) audience: Box<str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) leeway: Duration,
    pub(crate) answers: Arc<Answers>,
    pub(crate) places: Places,
    pub(crate) possession: Possession,
    /// The tokens that were used, if each may be used once.
    pub(crate) one_time: Option<SpentOnce>,
    pub(crate) cache: Option<TokenCache>,
}

impl Verifier {
    /// Begins a verifier of the tokens of `issuer` (as it stands in `iss`, byte for byte) for the
    /// service `audience`.
    ///
    /// There is no verifier without an audience: it would take every token that any service of the
    /// fleet was ever sent.
    /// ```compile_fail
    /// let verifier = claviger_verifier::Verifier::builder("https://id.fleet.test").build();
    /// ```
    pub fn builder(issuer: impl Into<TrustedIssuer>, audience: &str) -> VerifierBuilder {
        VerifierBuilder::new(issuer.into(), audience)
    }

    /// Begins a verifier that shares a key set: one process, several audiences, one fetch.
    pub fn with_keys(keys: JwksClient, audience: &str) -> VerifierBuilder {
        Self::builder(TrustedIssuer::with_keys(keys), audience)
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Verifies and accepts a bearer token.
    ///
    /// # Errors
    /// [`Refusal::InvalidToken`] for every fault of the token, [`Refusal::KeysUnavailable`] if there is
    /// no usable key set to judge it by. A token that is bound to a key of its holder is refused: here is no
    /// request that could prove the possession of it.
    pub async fn verify(&self, token: &str) -> Result<Principal, Refusal> {
        let verdict = self.judge(token).await.and_then(|principal| {
            principal.refuse_bound()?;
            self.spend(token, &principal)?;
            Ok(principal)
        });
        note(&verdict);
        verdict
    }

    /// Finds the one token in a request, verifies and accepts it.
    ///
    /// # Errors
    /// [`Refusal::NoToken`] and [`Refusal::RepeatedToken`], and as for [`verify`](Self::verify); but a bound
    /// token is accepted if the request proves the possession of what binds it, as far as this verifier was
    /// told how, and [`Refusal::InvalidProof`] or [`Refusal::NonceNeeded`] if it does not.
    pub async fn authenticate(&self, request: &Parts) -> Result<Principal, Refusal> {
        let token = self.0.places.find(request)?;
        if token.scheme() == TokenScheme::Dpop && !self.0.possession.takes_proofs() {
            return Err(Refusal::NoToken);
        }
        let verdict = self.judge(token.as_str()).await.and_then(|principal| {
            self.0.possession.check(&principal, token, request)?;
            self.spend(token.as_str(), &principal)?;
            Ok(principal)
        });
        note(&verdict);
        verdict
    }

    /// The same, once for all who ask within one request: a proof or a token that may be used once would
    /// not survive a second look. What extractors and layers call.
    ///
    /// # Errors
    /// As for [`authenticate`](Self::authenticate).
    pub async fn authenticate_once(&self, request: &mut Parts) -> Result<Principal, Refusal> {
        let known = request.extensions.get::<Authenticated>();
        if let Some(principal) = known.and_then(|known| known.accepted_by(self)) {
            return Ok(principal);
        }
        let principal = self.authenticate(request).await?;
        let known = request.extensions.get_or_insert_default::<Authenticated>();
        known.0.push((principal.clone(), self.clone()));
        Ok(principal)
    }

    /// Whether a usable key set of the first issuer is held.
    ///
    /// The others do not count: one of them that is away would take a service from all of its callers, whose own
    /// issuer is there. Its tokens are answered 503, and [`key_sets`](Self::key_sets) says who is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.keys().is_ready()
    }

    /// Waits until a usable key set of the first issuer is held; answers whether that came true in time. A
    /// service may start without: it answers 503 until the issuer is back. Who has to wait for the other issuers
    /// as well asks each of [`key_sets`](Self::key_sets).
    #[must_use = "the verifier may not be ready"]
    pub async fn ready_within(&self, patience: Duration) -> bool {
        self.keys().ready_within(patience).await
    }

    /// The key set of the first issuer, to be shared with [`with_keys`](Self::with_keys), or looked at. A key of
    /// another issuer is denied in that one's set: see [`key_sets`](Self::key_sets).
    #[must_use]
    pub fn keys(&self) -> &JwksClient {
        &self.0.issuers[0].keys
    }

    /// The key sets of all issuers, in the order in which they were named.
    pub fn key_sets(&self) -> impl Iterator<Item = &JwksClient> {
        self.0.issuers.iter().map(|issuer| &issuer.keys)
    }

    /// The name of the service, as the verifier was given it.
    #[cfg(feature = "axum")]
    pub(crate) fn audience(&self) -> &str {
        &self.0.audience
    }

    /// Whether the two are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn answers(&self) -> &Arc<Answers> {
        &self.0.answers
    }

    /// The order of the checks: shape and header, the issuer that is claimed, its key, the signature, the
    /// claims against that issuer's profile, and what that issuer has ended before its time.
    async fn judge(&self, token: &str) -> Result<Principal, Refusal> {
        if let Some(cache) = &self.0.cache {
            let Inner { issuers, clock, .. } = &*self.0;
            if let Some(known) = cache.find(token, issuers, &**clock) {
                return Ok(known);
            }
            let (principal, by) = self.judge_anew(token).await?;
            cache.remember(token, &principal, by, &**clock);
            return Ok(principal);
        }
        Ok(self.judge_anew(token).await?.0)
    }

    async fn judge_anew(&self, token: &str) -> Result<(Principal, JudgedBy), Refusal> {
        let jws = UnverifiedJws::parse(token)?;
        let issuer = self.position(&jws)?;
        let Trusted { keys, rules, profile } = &self.0.issuers[issuer];
        jws.check(rules)?;
        let by = JudgedBy { issuer, generation: keys.generation() };
        let key = keys.resolve(jws.kid()).await?;
        let payload = key.verify_payload(&jws, rules)?;
        let principal = profile.accept(payload, self.0.clock.now())?;
        self.refuse_ended(&principal, &key, keys)?;
        Ok((principal, by))
    }

    /// Where a token is remembered, this holds until the generation of the key set moves.
    fn refuse_ended(
        &self,
        principal: &Principal,
        key: &VerifyingKey,
        keys: &JwksClient,
    ) -> Result<(), TokenFault> {
        let iat = principal.iat();
        if !is_signed_in_time(key.sign_until(), iat, self.0.leeway) {
            return Err(TokenFault::SignedTooLate);
        }
        let facts = TokenFacts {
            jti: principal.jti(),
            sid: principal.sid(),
            sub: principal.sub(),
            client_id: principal.client_id(),
            iat,
        };
        if keys.is_revoked(&facts) { Err(TokenFault::Revoked) } else { Ok(()) }
    }

    /// Takes the one use of a token that was accepted in every other respect, if each has only one. A token
    /// without a name is known by what was signed: of the signature there may be more than one spelling.
    fn spend(&self, token: &str, principal: &Principal) -> Result<(), Refusal> {
        let Some(one_time) = &self.0.one_time else {
            return Ok(());
        };
        let fingerprint = match principal.jti() {
            Some(jti) => Fingerprint::of(principal.iss(), jti),
            None => Fingerprint::of("", token.rsplit_once('.').map_or(token, |(signed, _)| signed)),
        };
        let until = principal.exp() + self.0.leeway;
        let owner = (principal.iss(), principal.client_id());
        one_time.spend(owner, fingerprint, until, principal.accepted_at()).map_err(|reason| match reason {
            Unspendable::Spent => TokenFault::Used.into(),
            Unspendable::Outlived => TokenFault::Expired.into(),
            Unspendable::Full { retry_after } => Refusal::Busy { retry_after },
        })
    }

    /// With one issuer there is no choice, and whether the token is its own is asked of what it has signed.
    fn position(&self, jws: &UnverifiedJws<'_>) -> Result<usize, Refusal> {
        match &*self.0.issuers {
            [_only] => Ok(0),
            several => {
                // Nobody has signed what is asked here, so whatever is wrong with it is no fault of signed claims.
                let claimed = jws.claimed_issuer().map_err(|_| TokenFault::UntrustedIssuer)?;
                let found = several.iter().position(|issuer| *issuer.profile.issuer == *claimed);
                found.ok_or(Refusal::InvalidToken(TokenFault::UntrustedIssuer))
            }
        }
    }
}

/// What claims to be younger than the end of its key was not signed by the issuer; clocks may be apart.
pub(crate) fn is_signed_in_time(sign_until: Option<NumericDate>, iat: NumericDate, leeway: Duration) -> bool {
    sign_until.is_none_or(|until| iat <= until + leeway)
}

/// The principals that a request was found to come from, each with the verifier that has found it. Private, so that
/// nothing else can put one into a request.
#[derive(Clone, Default)]
pub(crate) struct Authenticated(Vec<(Principal, Verifier)>);

impl Authenticated {
    /// What another verifier has accepted was accepted for another audience.
    pub(crate) fn accepted_by(&self, verifier: &Verifier) -> Option<Principal> {
        let known = self.0.iter().find(|(_, by)| by.is(verifier));
        known.map(|(principal, _)| principal.clone())
    }

    /// What was found last.
    #[cfg(feature = "tower")]
    pub(crate) fn last(&self) -> Option<&(Principal, Verifier)> {
        self.0.last()
    }
}

fn note(verdict: &Result<Principal, Refusal>) {
    match verdict {
        Ok(_) => {}
        Err(Refusal::InvalidToken(fault)) if fault.is_signed() => {
            info!(reason = fault.code(), "a signed token is refused");
        }
        // The token was good: a mistake of its holder's, or somebody else who has it.
        Err(refusal @ (Refusal::InvalidProof(_) | Refusal::Busy { .. })) => {
            info!(reason = refusal.reason(), "a good token is refused");
        }
        // Anybody can cause these, as many as he likes.
        Err(refusal) => debug!(reason = refusal.reason(), "a token is refused"),
    }
}
