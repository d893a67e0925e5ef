//! Statements of the revocation feed: what a replica signs, what a cache replays, and what a thief signs.

use claviger_jose::{Kid, Marked, NumericDate, Revocations};
use claviger_jwks_client::simulation::{Reader, Signer, StatementFault};

use crate::{
    contact::ISSUER,
    database::{KeyNo, Revoked, Version},
    time::{Millis, SECOND, date_off},
    verifier::{Client, Latest},
    world::World,
};

/// A replica signs anew what is older.
const SIGNED_AGAIN: Millis = 300 * SECOND;
/// By then a client asks for the set, whatever the feed says, where a statement is older than the issuer's ever are.
pub(crate) const OLD: Millis = SIGNED_AGAIN + 120 * SECOND;

/// A statement that somebody serves. Two replicas sign the same thing twice, for an ECDSA signature is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) signer: Author,
    /// What it says is published and revoked.
    pub(crate) version: Version,
    pub(crate) iat: NumericDate,
}

/// Who has signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Replica(usize),
    /// Somebody who has stolen this key, and names so many keys.
    Thief {
        key: KeyNo,
        kids: u32,
        again: u32,
    },
}

impl World {
    /// What a replica serves that showed this version when it was asked.
    pub(crate) fn signed_by(&self, place: usize, version: Version, asked: Millis) -> Statement {
        let replica = &self.replicas[place];
        let until = replica.signs_until(asked, self.scenario.policy.lifetimes().lease);
        let age = until.saturating_sub(replica.view_since) % SIGNED_AGAIN;
        let iat = date_off(until - age.min(until), replica.clock);
        Statement { signer: Author::Replica(place), version, iat }
    }

    /// Offers a statement to a verifier: the real rules take it or refuse it.
    pub(crate) fn offer(&mut self, verifier: usize, statement: Statement) -> Result<(), StatementFault> {
        let key = match statement.signer {
            Author::Replica(_) => self.database.versions[statement.version].active[1],
            Author::Thief { key, .. } => Some(key),
        };
        let number = key.ok_or(StatementFault::UnknownSigner)?;
        let said = self.says_of_revocations(statement);
        let one = &mut self.verifiers[verifier];
        let held = one.held.map(|held| &self.database.versions[held]);
        let Client::Ours { feed: Some(feed), .. } = &mut one.client else { return Ok(()) };
        let signer = Signer {
            kid: self.database.keys[number].kid,
            sign_until: held.and_then(|held| held.key(number)).and_then(|key| key.sign_until),
        };
        let keys = held.map(|held| held.kids.clone()).unwrap_or_default();
        let reader = Reader { issuer: ISSUER, keys: &keys, now: date_off(self.now, one.clock) };
        feed.list.take(&said, &signer, &reader)?;
        feed.latest = Some(Latest::of(statement, &said, self.database.set_of(statement.version)));
        Ok(())
    }

    pub(crate) fn says_of_revocations(&self, statement: Statement) -> Revocations {
        let Statement { signer, version, iat } = statement;
        let published = &self.database.versions[version];
        let mut said = Revocations {
            jwks: published.set.to_string(),
            ..Revocations::of_nothing(ISSUER, published.statement as u64 + 1, iat)
        };
        if let Author::Thief { kids, again, .. } = signer {
            (said.seq, said.kid) = (u64::MAX, random_kids(kids, again));
            return said;
        }
        for revoked in &self.database.revoked[..published.statement] {
            match revoked {
                Revoked::Key(number) => said.kid.push(self.database.keys[*number].kid),
                // What concerns no token any more is left out.
                Revoked::Tokens(tokens) if tokens.until <= iat => {}
                Revoked::Tokens(tokens) => {
                    let entry = (tokens.mark(), tokens.not_before);
                    match tokens.kind {
                        None => said.all = said.all.max(Some(tokens.not_before)),
                        Some(Marked::Jti) => said.jti.push(entry.0),
                        Some(Marked::Sid) => said.sid.push(entry),
                        Some(Marked::Sub) => said.sub.push(entry),
                        Some(Marked::Client) => said.client.push(entry),
                    }
                }
            }
        }
        said
    }
}

/// Kids that nobody has, in the form of thumbprints; others with another number.
fn random_kids(count: u32, again: u32) -> Vec<Kid> {
    let name = |number: u32| format!("{again:021}-{number:021}").parse();
    (0..count).map(name).collect::<Result<_, _>>().expect("43 digits are a kid")
}
