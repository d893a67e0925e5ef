use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use claviger_jose::{Kid, Mark, Marked, NumericDate, Revocations};
use serde::{Deserialize, Serialize};

use super::{
    life::{Ends, TokenFacts, has_ended, is_over, raise},
    statement::{Reader, SKEW, Signer, StatementFault, check, is_from_future},
};

/// The most kids of no held key that are kept for ever: far more than any issuer has had.
const MAX_KIDS: usize = 1 << 17;
/// The most other things that are kept, of all kinds together. An issuer names at most half of that.
const MAX_ENTRIES: usize = 200_000;
const SECOND: Duration = Duration::from_secs(1);
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
    /// Those of the last statement that are too many to be kept for ever: nobody holds such keys.
    #[serde(default)]
    surplus: BTreeSet<Kid>,
    /// The first second after each was named: its token was issued before.
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
    /// Whether the statement is news now. One that has expired, or is from the future, confirms nothing; what it revokes
    /// is revoked all the same.
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
        if self.has_key(&signer.kid) {
            return Err(StatementFault::DeadSigner);
        }
        check(statement, signer, reader)?;
        let offered = statement.seq;
        if let Some(held) = self.watermark(reader.keys, &statement.kid).filter(|held| offered < *held) {
            return Err(StatementFault::Rollback { held, offered });
        }
        self.note(signer.kid, offered, reader.keys);
        let is_fresh = !is_from_future(statement.iat, reader.now) && !has_expired(statement.exp, reader.now);
        Ok(News { is_fresh, ..self.merge(statement, reader) })
    }

    /// The number of the last statement that was taken.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.seq
    }

    /// Whether a key is revoked.
    #[must_use]
    pub fn has_key(&self, kid: &Kid) -> bool {
        self.kids.contains(kid) || self.surplus.contains(kid)
    }

    /// Whether anything but keys is revoked.
    #[must_use]
    pub fn is_about_tokens(&self) -> bool {
        self.all.is_some() || self.marks() > 0
    }

    /// Whether a token is revoked: by its own name, or because it was issued before the time that anything of it is
    /// revoked for.
    #[must_use]
    pub fn covers(&self, token: &TokenFacts<'_>) -> bool {
        let TokenFacts { jti, sid, sub, client_id, iat } = *token;
        self.all.is_some_and(|before| iat < before)
            || has_ended(&self.sub, || Mark::of(Marked::Sub, sub), iat)
            || has_ended(&self.client, || Mark::of(Marked::Client, client_id), iat)
            || sid.is_some_and(|sid| has_ended(&self.sid, || Mark::of(Marked::Sid, sid), iat))
            || jti
                .is_some_and(|jti| !self.jti.is_empty() && self.jti.contains_key(&Mark::of(Marked::Jti, jti)))
    }

    /// How many things are revoked, keys among them.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.kids.len() + self.surplus.len() + self.marks() + usize::from(self.all.is_some())
    }

    fn marks(&self) -> usize {
        self.jti.len() + self.sid.len() + self.sub.len() + self.client.len()
    }

    /// The highest number that a key which may still sign has signed. The keys that are named now may have been a
    /// thief's, whose numbers would keep out the very statement that says so.
    fn watermark(&self, keys: &[Kid], named: &[Kid]) -> Option<u64> {
        let counts = |kid: &Kid| keys.contains(kid) && !self.has_key(kid) && !named.contains(kid);
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

    fn merge(&mut self, statement: &Revocations, reader: &Reader<'_>) -> News {
        // A time from the future would kill what is issued from now on, and be kept for as long.
        let now = statement.iat.min(reader.now + SKEW);
        let bounded = |before: NumericDate| before.min(now + SKEW);
        self.forget(now);
        let kids = self.add_keys(&statement.kid, reader.keys);
        let mut tokens = false;
        for mark in &statement.jti {
            if !self.jti.contains_key(mark) {
                self.jti.insert(*mark, now + SECOND);
                tokens = true;
            }
        }
        let named = [&statement.sid, &statement.sub, &statement.client];
        for (ends, named) in [&mut self.sid, &mut self.sub, &mut self.client].into_iter().zip(named) {
            for (mark, before) in named.iter().filter(|(_, before)| !is_over(*before, now)) {
                tokens |= raise(ends, *mark, bounded(*before));
            }
        }
        let all = statement.all.filter(|before| !is_over(*before, now)).map(bounded);
        if all > self.all {
            self.all = all;
            tokens = true;
        }
        self.evict();
        News { kids, tokens, is_fresh: false }
    }

    /// Adds keys, and answers which were alive before. A held one is always kept. Of others only so many, for a thief can
    /// name as many as he likes; what is over counts until the next statement, which names them again.
    fn add_keys(&mut self, named: &[Kid], held: &[Kid]) -> Vec<Kid> {
        let before = std::mem::take(&mut self.surplus);
        let mut fresh = Vec::new();
        for kid in named {
            if self.kids.contains(kid) {
                continue;
            }
            let has_room = self.kids.len() < MAX_KIDS || held.contains(kid);
            let kept = if has_room { &mut self.kids } else { &mut self.surplus };
            if kept.insert(*kid) && !before.contains(kid) {
                fresh.push(*kid);
            }
        }
        fresh
    }

    /// Lets go of what no living token is about.
    fn forget(&mut self, now: NumericDate) {
        self.all = self.all.filter(|before| !is_over(*before, now));
        for ends in self.ends() {
            ends.retain(|_, before| !is_over(*before, now));
        }
    }

    /// What is too much to keep, the oldest first, becomes one revocation of all that was issued before: none is lost.
    fn evict(&mut self) {
        let Some(last) = self.marks().checked_sub(MAX_ENTRIES + 1) else {
            return;
        };
        let mut times: Vec<NumericDate> =
            self.ends().into_iter().flat_map(|ends| ends.values().copied()).collect();
        let (_, newest, _) = times.select_nth_unstable(last);
        for ends in self.ends() {
            ends.retain(|_, before| *before > *newest);
        }
        self.all = self.all.max(Some(*newest));
    }

    fn ends(&mut self) -> [&mut Ends; 4] {
        [&mut self.jti, &mut self.sid, &mut self.sub, &mut self.client]
    }
}

/// Whether a statement that ends then is no news any more.
fn has_expired(exp: NumericDate, now: NumericDate) -> bool {
    now >= exp + SKEW
}

#[cfg(test)]
mod tests;
