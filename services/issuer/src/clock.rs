use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claviger_jose::NumericDate;

/// The wall clock, for the times in tokens; stored times are the database's.
#[expect(clippy::disallowed_methods, reason = "the one place where the issuer reads the clock")]
pub(crate) fn wall_clock() -> NumericDate {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NumericDate::from_secs(since.as_secs())
}

/// Whether the clock differs from the database's by more than the skew allowed. It was read `before` the database was
/// asked and `after` it answered: the answer lies between the two, and a slow one is no wrong clock.
pub(crate) fn is_off(before: NumericDate, database: NumericDate, after: NumericDate, skew: Duration) -> bool {
    // All are whole seconds: a difference of one is none.
    before.since(database).max(database.since(after)) > skew + Duration::from_secs(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-109
    #[test]
    fn a_clock_is_off_in_either_direction_and_a_slow_answer_is_none() {
        let at = NumericDate::from_secs;
        let off =
            |before, database, after| is_off(at(before), at(database), at(after), Duration::from_secs(10));
        assert!(!off(100, 100, 100) && !off(100, 111, 100) && !off(111, 100, 111));
        assert!(off(100, 112, 100) && off(112, 100, 112));
        assert!(!off(100, 150, 200), "the answer took a while");
    }
}
