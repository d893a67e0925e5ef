use std::collections::{BTreeMap, BTreeSet};

use claviger_jose::{Kid, Mark, Marked, NumericDate, Revocations};
use serde::{Deserialize, Serialize};

use super::{
    life::{Ends, TokenFacts, has_ended, is_over, raise},
    statement::{Reader, SKEW, Signer, StatementFault, check},
};

/// The most kids that are kept: far more than a statement of the largest size names.
const MAX_KIDS: usize = 1 << 17;
/// The most other things that are kept, of all kinds together. An issuer names at most half of that.
const MAX_ENTRIES: usize = 200_000;
/// Of how many signers the last number is kept. A set has 32 keys at most.
const MAX_SIGNERS: usize = 64;

/// All that an issuer has revoked, as far as this verifier has heard: what later statements no longer say stays
/// revoked, so that an old copy, a cache or a thief of a key can add to it and never take from it.
///
/// Keys are dead for ever; all else is kept until no token that it is about can live any more, by the issuer's own
/// time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationList {
    seq: Option<u64>,
    /// The highest number that each key has signed. That of a key which is gone no longer counts: a thief of it cannot
    /// have made every later statement an old one.
    signers: BTreeMap<Kid, u64>,
    kids: BTreeSet<Kid>,
    /// By when each was first named.
    jti: Ends,
    sid: Ends,
    sub: Ends,
    client: Ends,
    all: Option<NumericDate>,
}

/// What a statement that was taken has brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Keys that were alive before.
    pub kids: Vec<Kid>,
    /// Whether anything but keys was revoked anew.
    pub tokens: bool,
    /// Whether the statement is still news. One that has expired confirms nothing; what it revokes is revoked all the
    /// same.
    pub is_fresh: bool,
}

impl News {
    /// Whether anything is revoked that was not before.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.tokens || !self.kids.is_empty()
    }
}

impl RevocationList {
    /// Takes in a statement whose signature was verified.
    ///
    /// # Errors
    /// [`StatementFault`]; nothing has changed then.
    pub fn take(
        &mut self,
        statement: &Revocations,
        signer: &Signer,
        reader: &Reader<'_>,
    ) -> Result<News, StatementFault> {
        if self.kids.contains(&signer.kid) {
            return Err(StatementFault::DeadSigner);
        }
        check(statement, signer, reader)?;
        let offered = statement.seq;
        if let Some(held) = self.watermark(reader.keys).filter(|held| offered < *held) {
            return Err(StatementFault::Rollback { held, offered });
        }
        if self.kids.len() + statement.kid.len() > MAX_KIDS {
            return Err(StatementFault::Overfull);
        }
        self.note(signer.kid, offered, reader.keys);
        let is_fresh = !has_expired(statement.exp, reader.now);
        Ok(News { is_fresh, ..self.merge(statement) })
    }

    /// The number of the last statement that was taken.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.seq
    }

    /// Whether a key is revoked.
    #[must_use]
    pub fn has_key(&self, kid: &Kid) -> bool {
        self.kids.contains(kid)
    }

    /// Whether anything but keys is revoked.
    #[must_use]
    pub fn is_about_tokens(&self) -> bool {
        self.all.is_some() || self.entries() > self.kids.len()
    }

    /// Whether a token is revoked: by its own name, or because it was issued at or before the time that anything of it
    /// is revoked for.
    #[must_use]
    pub fn covers(&self, token: &TokenFacts<'_>) -> bool {
        let TokenFacts { jti, sid, sub, client_id, iat } = *token;
        self.all.is_some_and(|until| iat <= until)
            || has_ended(&self.sub, || Mark::of(Marked::Sub, sub), iat)
            || has_ended(&self.client, || Mark::of(Marked::Client, client_id), iat)
            || sid.is_some_and(|sid| has_ended(&self.sid, || Mark::of(Marked::Sid, sid), iat))
            || jti
                .is_some_and(|jti| !self.jti.is_empty() && self.jti.contains_key(&Mark::of(Marked::Jti, jti)))
    }

    /// How many things are revoked, keys among them.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.kids.len() + self.marks() + usize::from(self.all.is_some())
    }

    fn marks(&self) -> usize {
        self.jti.len() + self.sid.len() + self.sub.len() + self.client.len()
    }

    /// The highest number that a key which may still sign has signed.
    fn watermark(&self, keys: &[Kid]) -> Option<u64> {
        let counts = |kid: &Kid| keys.contains(kid) && !self.kids.contains(kid);
        self.signers.iter().filter(|(kid, _)| counts(kid)).map(|(_, seq)| *seq).max()
    }

    fn note(&mut self, signer: Kid, seq: u64, keys: &[Kid]) {
        self.seq = Some(seq);
        let highest = self.signers.entry(signer).or_default();
        *highest = seq.max(*highest);
        if self.signers.len() > MAX_SIGNERS {
            self.signers.retain(|kid, _| keys.contains(kid));
        }
    }

    fn merge(&mut self, statement: &Revocations) -> News {
        let now = statement.iat;
        // A time from the future would kill what is issued from now on, and be kept for as long.
        let bounded = |until: NumericDate| until.min(now + SKEW);
        let kids: Vec<Kid> = statement.kid.iter().copied().filter(|kid| self.kids.insert(*kid)).collect();
        let mut tokens = false;
        for mark in &statement.jti {
            if !self.jti.contains_key(mark) {
                self.jti.insert(*mark, now);
                tokens = true;
            }
        }
        let named = [&statement.sid, &statement.sub, &statement.client];
        for (ends, named) in [&mut self.sid, &mut self.sub, &mut self.client].into_iter().zip(named) {
            for (mark, until) in named.iter().filter(|(_, until)| !is_over(*until, now)) {
                tokens |= raise(ends, *mark, bounded(*until));
            }
        }
        let all = statement.all.filter(|until| !is_over(*until, now)).map(bounded);
        if all > self.all {
            self.all = all;
            tokens = true;
        }
        self.forget(now);
        News { kids, tokens, is_fresh: false }
    }

    /// Lets go of what no living token is about. What is too much to keep becomes one revocation of all that was
    /// issued so far: none is lost.
    fn forget(&mut self, now: NumericDate) {
        self.all = self.all.filter(|until| !is_over(*until, now));
        for ends in [&mut self.jti, &mut self.sid, &mut self.sub, &mut self.client] {
            ends.retain(|_, until| !is_over(*until, now));
        }
        if self.marks() > MAX_ENTRIES {
            for ends in [&mut self.jti, &mut self.sid, &mut self.sub, &mut self.client] {
                let latest = std::mem::take(ends).into_values().max();
                self.all = self.all.max(latest).max(Some(now));
            }
        }
    }
}

/// Whether a statement that ends then is no news any more.
pub(super) fn has_expired(exp: NumericDate, now: NumericDate) -> bool {
    now >= exp + SKEW
}

#[cfg(test)]
mod tests;
