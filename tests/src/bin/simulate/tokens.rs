//! Revocations of tokens, and tokens of whom they concern.

use claviger_jose::{Mark, Marked, NumericDate};
use claviger_jwks_client::{TokenFacts, simulation::RevocationList};

use crate::{
    agenda::Event,
    database::Revoked,
    judge::SLACK,
    time::{Millis, date, millis},
    verifier::Class,
    world::World,
};

/// A subject, a session, a client, a token, or all of them: what was issued to it until then is dead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRevocation {
    /// Of what kind it is; all tokens without one.
    pub(crate) kind: Option<Marked>,
    /// Its name.
    number: usize,
    pub(crate) not_before: NumericDate,
    /// Until when it concerns any token.
    pub(crate) until: NumericDate,
    at: Millis,
}

impl TokenRevocation {
    pub(crate) fn mark(&self) -> Mark {
        let kind = self.kind.unwrap_or(Marked::Jti);
        Mark::of(kind, &self.number.to_string())
    }
}

impl World {
    /// Somebody logs out, or is thrown out; once in a while everybody is.
    pub(crate) fn revoke_tokens(&mut self) {
        let pause = self.chance.exponential(self.scenario.between_acts);
        self.agenda.put(self.now + pause, Event::RevokeTokens);
        if !self.is_reachable() {
            return;
        }
        let kinds = [Marked::Jti, Marked::Sid, Marked::Sub, Marked::Client];
        let kind = if self.chance.once_in(20) { None } else { Some(kinds[self.chance.below(4)]) };
        let lifetimes = *self.scenario.policy.lifetimes();
        let number = self.database.revoked.len();
        // What was issued in this very second is dead as well, as the issuer has it.
        let not_before = date(self.now) + std::time::Duration::from_secs(1);
        let until = not_before + lifetimes.token + lifetimes.skew;
        let revocation = TokenRevocation { kind, number, not_before, until, at: self.now };
        self.database.revoke_tokens(revocation, self.now);
        self.figures.token_revocations += 1;
        self.freeze_some();
        self.changed("tokens are revoked");
        let bound = self.poll_interval() * 11 / 10 + SLACK;
        let event = Event::CheckTokens(number);
        self.agenda.put(self.now + bound, event);
    }

    /// A revoked token, and one that was issued as soon as that is possible again, at every verifier that has the feed.
    pub(crate) fn check_tokens(&mut self, number: usize) {
        let Revoked::Tokens(revocation) = self.database.revoked[number] else { return };
        let mut next = None;
        for verifier in 0..self.verifiers.len() {
            if self.verifiers[verifier].class != Class::Feed || self.verifiers[verifier].held.is_none() {
                continue;
            }
            let due = self.heard_by(verifier, revocation.at, false).unwrap_or(self.now);
            if due > self.now {
                next = next.max(Some(due));
            } else {
                self.judge_dead(verifier, &revocation);
            }
            self.judge_living(verifier, &revocation);
        }
        if let Some(at) = next.filter(|at| date(*at) < revocation.until) {
            self.agenda.put(at, Event::CheckTokens(number));
        }
    }

    fn judge_dead(&mut self, verifier: usize, revocation: &TokenRevocation) {
        let last = revocation.not_before.minus(std::time::Duration::from_secs(1));
        let ages = millis(self.scenario.policy.lifetimes().token);
        self.figures.dead_tokens += 1;
        if self.now < revocation.at + ages && !self.is_covered(verifier, revocation, last) {
            let one = &self.verifiers[verifier];
            let (sequence, kind) = (one.list().and_then(RevocationList::sequence), revocation.kind);
            let fate = one.fate();
            self.breach("V2", || {
                format!("verifier {verifier} accepted a token that was revoked by {kind:?} (its statement: {sequence:?}): {fate}")
            });
        }
    }

    fn judge_living(&mut self, verifier: usize, revocation: &TokenRevocation) {
        let iat = revocation.not_before;
        let is_dead = self.all_before().is_some_and(|all| iat < all) || revocation.kind == Some(Marked::Jti);
        if !is_dead && self.is_covered(verifier, revocation, iat) {
            let kind = revocation.kind;
            self.breach("V1", || {
                format!(
                    "verifier {verifier} refused a token of {kind:?} that was issued after the revocation"
                )
            });
        }
    }

    /// V1: whom no revocation concerns.
    pub(crate) fn judge_bystander(&mut self, verifier: usize, iat: NumericDate) {
        let Some(list) = self.verifiers[verifier].list().filter(|list| list.is_about_tokens()) else {
            return;
        };
        let bystander = TokenFacts { jti: Some("-"), sid: Some("-"), sub: "-", client_id: "-", iat };
        if list.covers(&bystander) && self.all_before().is_none_or(|all| iat >= all) {
            self.breach("V1", || {
                format!("verifier {verifier} refused a token of somebody of whom nothing is revoked")
            });
        }
    }

    /// What was issued before that is dead, whatever it is.
    fn all_before(&self) -> Option<NumericDate> {
        let all = self.database.revoked.iter().rev().take(50);
        let all = all.filter_map(|revoked| match revoked {
            Revoked::Tokens(TokenRevocation { kind: None, not_before, .. }) => Some(*not_before),
            _ => None,
        });
        all.max()
    }

    fn is_covered(&self, verifier: usize, revocation: &TokenRevocation, iat: NumericDate) -> bool {
        let name = revocation.number.to_string();
        let of = |kind: Marked| if revocation.kind == Some(kind) { name.as_str() } else { "-" };
        let facts = TokenFacts {
            jti: Some(of(Marked::Jti)),
            sid: Some(of(Marked::Sid)),
            sub: of(Marked::Sub),
            client_id: of(Marked::Client),
            iat,
        };
        self.verifiers[verifier].list().is_some_and(|list| list.covers(&facts))
    }
}
