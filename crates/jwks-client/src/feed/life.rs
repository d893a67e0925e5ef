use std::{collections::BTreeMap, time::Duration};

use claviger_jose::{Mark, NumericDate};

/// How long after it was issued a token may still be taken: the longest lifetime, and clocks that are apart on both
/// sides.
const LIFE: Duration = Duration::from_mins(62);

/// What of an accepted token can be revoked.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts<'t> {
    /// The token's own name.
    pub jti: Option<&'t str>,
    /// The session that it belongs to.
    pub sid: Option<&'t str>,
    /// Whom it speaks for.
    pub sub: &'t str,
    /// The client that it was issued to.
    pub client_id: &'t str,
    /// When it was issued.
    pub iat: NumericDate,
}

/// Things of one kind, and before when what was issued to them is dead.
pub(super) type Ends = BTreeMap<Mark, NumericDate>;

/// Whether tokens issued at that time are all over by now.
pub(super) fn is_over(issued: NumericDate, now: NumericDate) -> bool {
    now >= issued + LIFE
}

/// Adds what is new. Of two times the later one counts, whichever came first: no order of revocations revives a token.
pub(super) fn raise(ends: &mut Ends, mark: Mark, before: NumericDate) -> bool {
    let held = ends.get(&mark).is_none_or(|held| *held < before);
    if held {
        ends.insert(mark, before);
    }
    held
}

/// Whether a token of this thing is dead: it was issued before the time that is told. Times are whole seconds, and nobody
/// knows what came first within one: the issuer tells the second after that of the revocation.
pub(super) fn has_ended(ends: &Ends, mark: impl FnOnce() -> Mark, iat: NumericDate) -> bool {
    // Most of the time nothing of a kind is revoked, and nothing is hashed.
    !ends.is_empty() && ends.get(&mark()).is_some_and(|before| iat < *before)
}
