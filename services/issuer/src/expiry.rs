//! For how long a revocation of tokens is remembered.

use std::time::Duration;

use claviger_jose::NumericDate;

/// No configuration allows for tokens that live longer, and no verifier takes them.
const LONGEST: Duration = Duration::from_hours(1);

/// When every token that was issued until `now` has expired at every verifier. The token lifetime of today is not asked:
/// it may have been longer a moment ago. A token may be from a clock that is ahead, at a verifier whose clock is behind.
pub(crate) fn last_expiry(now: NumericDate, skew: Duration) -> NumericDate {
    now + LONGEST + 2 * skew
}

#[cfg(test)]
mod tests {
    use claviger_keyring::{Lifetimes, RotationPolicy};

    use super::*;

    // S-44
    #[test]
    fn a_revocation_outlives_tokens_of_every_lifetime_that_was_ever_allowed() {
        let now = NumericDate::from_secs(10_000);
        let of = |token: Duration| {
            let lifetimes = Lifetimes { token, tail: 3 * LONGEST, ..Lifetimes::default() };
            let policy = RotationPolicy::new(lifetimes).ok()?;
            let skew = policy.lifetimes().skew;
            Some((last_expiry(now, skew), now + skew + policy.lifetimes().token + skew))
        };
        let (longest, shortest) = (of(LONGEST).unwrap(), of(Duration::from_secs(1)).unwrap());
        assert_eq!(longest.0, longest.1, "that is the last moment of the longest one");
        assert_eq!(shortest.0, longest.0, "whatever the lifetime is now");
        assert!(of(LONGEST + Duration::from_secs(1)).is_none(), "there are no longer ones");
    }
}
